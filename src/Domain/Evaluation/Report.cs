using MetaOpt.Runs;
using MetaOpt.Training;

namespace MetaOpt.Evaluation;

/// <summary>The result document of an evaluation.</summary>
/// <param name="spec">What was asked for.</param>
/// <param name="trials">What was measured.</param>
/// <param name="notes">What a reader must know to compare the numbers with others; the document has the field only when there is
/// one.</param>
sealed class Report(EvaluationSpec spec, IReadOnlyList<ContestantLosses> trials, IReadOnlyList<string> notes)
{
    static readonly double[] s_quantiles = [0.05, 0.25, 0.5, 0.75, 0.95];

    // Columns: the final losses of all trials, then their averages.
    readonly double[][] _means = Statistics.BootstrapMeans(
        [.. trials.Select(t => t.Final), .. trials.Select(t => t.Average)], spec.BootstrapResamples, (ulong)spec.Seed);

    /// <summary>Writes it.</summary>
    public EvaluationResult Write() => new()
    {
        Horizon = spec.Horizon,
        Instances = spec.Instances,
        Seed = spec.Seed,
        Contestants = [.. Enumerable.Range(0, trials.Count).Select(Contestant)],
        Comparisons = Comparisons(),
        Notes = notes.Count > 0 ? notes : null,
    };

    ContestantResult Contestant(int index)
    {
        var trial = trials[index];
        double[] sorted = [.. trial.Final.Order()];
        return new()
        {
            Name = trial.Name,
            Learned = trial.Learned,
            LearningRate = trial.LearningRate,
            Tuning = Search(trial),
            FinalMean = Number(Statistics.Mean(trial.Final)),
            FinalMeanCi95 = Interval(_means.Select(m => m[index])),
            FinalMedian = Number(Statistics.Quantile(sorted, 0.5)),
            FinalQuantiles = [.. s_quantiles.Select(q => new QuantileResult(q, Number(Statistics.Quantile(sorted, q))))],
            AverageLoss = Number(Statistics.Mean(trial.Average)),
            AverageLossCi95 = Interval(_means.Select(m => m[trials.Count + index])),
            Diverged = trial.Diverged,
            SecondsPerStep = trial.SecondsPerStep,
            Targets = Targets(trial),
        };
    }

    TuningResult? Search(ContestantLosses trial) => trial.Grid is not { } grid ? null : new(
        spec.Tuning.Criterion == Criterion.Final ? "final" : "average", spec.Tuning.Instances, spec.Tuning.Rungs,
        spec.Tuning.Refinements,
        grid.Sum(g => (long)g.Instances),
        [.. grid.Select(g => new TriedRate(g.LearningRate, Number(g.Score), g.Instances, g.Diverged))]);

    /// <summary>
    /// The first step whose mean over the instances is at most the target, and the time to it; null when there is none.
    /// </summary>
    IReadOnlyList<TargetResult> Targets(ContestantLosses trial)
    {
        var best = trials.Where(t => !t.Learned).Select(t => Statistics.Mean(t.Final)).DefaultIfEmpty(double.NaN).Min();
        double[] targets = spec.Targets.Count > 0 ? [.. spec.Targets] : double.IsFinite(best) ? [best] : [];
        return [.. targets.Select(target =>
        {
            var step = Array.FindIndex(trial.Bands[0], mean => mean <= target) + 1;
            return new TargetResult(target, step > 0 ? step : null, step > 0 ? step * trial.SecondsPerStep : null);
        })];
    }

    /// <summary>Every learned contestant against every hand-designed one, and against the learned ones after it.</summary>
    IReadOnlyList<ComparisonResult> Comparisons()
    {
        var pairs = (from a in Enumerable.Range(0, trials.Count)
                     from b in Enumerable.Range(0, trials.Count)
                     where trials[a].Learned && (!trials[b].Learned || a < b)
                     select (A: a, B: b)).ToList();
        double[] finals = [.. pairs.Select(p => Statistics.SignedRank(trials[p.A].Final, trials[p.B].Final))];
        double[] averages = [.. pairs.Select(p => Statistics.SignedRank(trials[p.A].Average, trials[p.B].Average))];
        var (finalHolm, averageHolm) = (Statistics.Holm(finals), Statistics.Holm(averages));
        return [.. pairs.Select((pair, i) => new ComparisonResult(
            trials[pair.A].Name,
            trials[pair.B].Name,
            Number(Statistics.Mean(trials[pair.A].Final) / Statistics.Mean(trials[pair.B].Final)),
            Interval(_means.Select(m => m[pair.A] / m[pair.B])),
            finals[i],
            finalHolm[i],
            Number(Statistics.Mean(trials[pair.A].Average) / Statistics.Mean(trials[pair.B].Average)),
            Interval(_means.Select(m => m[trials.Count + pair.A] / m[trials.Count + pair.B])),
            averages[i],
            averageHolm[i],
            trials[pair.A].Final.Zip(trials[pair.B].Final, (x, y) => x < y ? 1.0 : x == y ? 0.5 : 0).Average()))];
    }

    static IReadOnlyList<double?> Interval(IEnumerable<double> values) =>
        Statistics.Interval95(values) is var (low, high) ? [Number(low), Number(high)] : [];

    /// <summary>JSON has no infinity: null, and the count of diverged instances says why.</summary>
    static double? Number(double value) => RunResult.Finite(value);
}

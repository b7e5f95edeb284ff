using System.Text.Json.Nodes;
using MetaOpt.Training;

namespace MetaOpt.Evaluation;

/// <summary>The result document of an evaluation.</summary>
/// <param name="spec">What was asked for.</param>
/// <param name="trials">What was measured.</param>
/// <param name="notes">What a reader must know to compare the numbers with others; the document has the field only when there is one.</param>
sealed class Report(EvaluationSpec spec, IReadOnlyList<Trial> trials, IReadOnlyList<string> notes)
{
    static readonly double[] s_quantiles = [0.05, 0.25, 0.5, 0.75, 0.95];

    // Columns: the final losses of all trials, then their averages.
    readonly double[][] _means = Statistics.BootstrapMeans(
        [.. trials.Select(t => t.Final), .. trials.Select(t => t.Average)], spec.BootstrapResamples, (ulong)spec.Seed);

    /// <summary>Writes it.</summary>
    public JsonObject Write()
    {
        var document = new JsonObject
        {
            ["kind"] = "evaluation",
            ["horizon"] = spec.Horizon,
            ["instances"] = spec.Instances,
            ["seed"] = spec.Seed,
            ["contestants"] = new JsonArray([.. Enumerable.Range(0, trials.Count).Select(Contestant)]),
            ["comparisons"] = Comparisons(),
        };
        if (notes.Count > 0) document["notes"] = new JsonArray([.. notes.Select(n => (JsonNode)n)]);
        return document;
    }

    JsonObject Contestant(int index)
    {
        var trial = trials[index];
        double[] sorted = [.. trial.Final.Order()];
        return new()
        {
            ["name"] = trial.Name,
            ["learned"] = trial.Learned,
            ["learningRate"] = trial.LearningRate,
            ["tuning"] = Search(trial),
            ["finalMean"] = Number(Statistics.Mean(trial.Final)),
            ["finalMeanCi95"] = Interval(_means.Select(m => m[index])),
            ["finalMedian"] = Number(Statistics.Quantile(sorted, 0.5)),
            ["finalQuantiles"] = new JsonArray([.. s_quantiles.Select(q =>
                new JsonObject { ["q"] = q, ["value"] = Number(Statistics.Quantile(sorted, q)) })]),
            ["averageLoss"] = Number(Statistics.Mean(trial.Average)),
            ["averageLossCi95"] = Interval(_means.Select(m => m[trials.Count + index])),
            ["diverged"] = trial.Diverged,
            ["secondsPerStep"] = trial.SecondsPerStep,
            ["targets"] = Targets(trial),
        };
    }

    JsonObject? Search(Trial trial) => trial.Grid is not { } grid ? null : new()
    {
        ["criterion"] = spec.Tuning.Criterion == Criterion.Final ? "final" : "average",
        ["instances"] = spec.Tuning.Instances,
        ["rungs"] = spec.Tuning.Rungs,
        ["refinements"] = spec.Tuning.Refinements,
        ["innerRuns"] = grid.Sum(g => (long)g.Instances),
        ["grid"] = new JsonArray([.. grid.Select(g => new JsonObject
        {
            ["learningRate"] = g.LearningRate,
            ["score"] = Number(g.Score),
            ["instances"] = g.Instances,
            ["diverged"] = g.Diverged,
        })]),
    };

    /// <summary>The first step whose mean over the instances is at most the target, and the time to it; null when there is none.</summary>
    JsonArray Targets(Trial trial)
    {
        var best = trials.Where(t => !t.Learned).Select(t => Statistics.Mean(t.Final)).DefaultIfEmpty(double.NaN).Min();
        double[] targets = spec.Targets.Count > 0 ? [.. spec.Targets] : double.IsFinite(best) ? [best] : [];
        return new([.. targets.Select(target =>
        {
            var step = Array.FindIndex(trial.Bands[0], mean => mean <= target) + 1;
            return new JsonObject { ["loss"] = target, ["step"] = step > 0 ? step : null, ["seconds"] = step > 0 ? step * trial.SecondsPerStep : null };
        })]);
    }

    /// <summary>Every learned contestant against every hand-designed one, and against the learned ones after it.</summary>
    JsonArray Comparisons()
    {
        var pairs = (from a in Enumerable.Range(0, trials.Count)
                     from b in Enumerable.Range(0, trials.Count)
                     where trials[a].Learned && (!trials[b].Learned || a < b)
                     select (A: a, B: b)).ToList();
        double[] finals = [.. pairs.Select(p => Statistics.SignedRank(trials[p.A].Final, trials[p.B].Final))];
        double[] averages = [.. pairs.Select(p => Statistics.SignedRank(trials[p.A].Average, trials[p.B].Average))];
        var (finalHolm, averageHolm) = (Statistics.Holm(finals), Statistics.Holm(averages));
        return new([.. pairs.Select((pair, i) => new JsonObject
        {
            ["a"] = trials[pair.A].Name,
            ["b"] = trials[pair.B].Name,
            ["finalRatio"] = Number(Statistics.Mean(trials[pair.A].Final) / Statistics.Mean(trials[pair.B].Final)),
            ["finalRatioCi95"] = Interval(_means.Select(m => m[pair.A] / m[pair.B])),
            ["finalP"] = finals[i],
            ["finalPHolm"] = finalHolm[i],
            ["averageRatio"] = Number(Statistics.Mean(trials[pair.A].Average) / Statistics.Mean(trials[pair.B].Average)),
            ["averageRatioCi95"] = Interval(_means.Select(m => m[trials.Count + pair.A] / m[trials.Count + pair.B])),
            ["averageP"] = averages[i],
            ["averagePHolm"] = averageHolm[i],
            ["winRate"] = trials[pair.A].Final.Zip(trials[pair.B].Final, (x, y) => x < y ? 1.0 : x == y ? 0.5 : 0).Average(),
        })]);
    }

    static JsonArray Interval(IEnumerable<double> values) =>
        Statistics.Interval95(values) is var (low, high) ? new JsonArray(Number(low), Number(high)) : [];

    /// <summary>JSON has no infinity: null, and the count of diverged instances says why.</summary>
    static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;
}

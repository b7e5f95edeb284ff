using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Training;
using MetaOpt.Unrolling;

namespace MetaOpt.Evaluation;

/// <summary>
/// A learning rate, what it scored (mean loss by the criterion, infinity if an instance diverged), on how many instances, and how
/// many of them diverged.
/// </summary>
sealed record TunedRate(double LearningRate, double Score, int Instances, int Diverged)
{
    const int Most = 100_000;

    /// <summary>Keeps some of them, four numbers each.</summary>
    public static void Keep(Snapshot snapshot, string name, ref TunedRate[] rates)
    {
        var count = rates.Length;
        snapshot.Keep($"{name}-size", ref count, 0, Most);
        double[] numbers = snapshot.WasRead ? new double[4 * count]
            : [.. rates.SelectMany(r => (double[])[r.LearningRate, r.Score, r.Instances, r.Diverged])];
        snapshot.Keep(name, numbers);
        if (snapshot.WasRead) rates = [.. numbers.Chunk(4).Select(n => new TunedRate(n[0], n[1], (int)n[2], (int)n[3]))];
    }
}

/// <summary>
/// Search for a baseline's learning rate on instances of the Tune split: a grid in quarter decades, extended until the best rate
/// lies inside it; then the best quarter of the rates on four times as many instances, rung by rung (successive halving, Jamieson
/// and Talwalkar, 2016, arXiv:1502.07943, with a factor of four); then, on the last rung, rates half as far apart around the best
/// one, and again. The rates tried so far are its whole state.
/// </summary>
sealed class Tuning(EvaluationSpec spec, InnerRuns runs)
{
    /// <summary>A rate to try: 10 to the power of <paramref name="Notch"/> / 32, on the instances of a rung.</summary>
    public readonly record struct Search(int Rung, int Notch);

    const int NotchesPerDecade = 32, Quarter = NotchesPerDecade / 4;
    const int LowestNotch = -10 * NotchesPerDecade, HighestNotch = 4 * NotchesPerDecade;

    /// <summary>More than this and rates would lie closer than a notch.</summary>
    public const int MostRefinements = 3;

    /// <summary>Of the rates of a rung one in so many goes on, with so many times the instances.</summary>
    public const int Cut = 4;

    /// <summary>
    /// An instance has diverged when its loss is not finite or has grown to this many times its size at theta_0.
    /// </summary>
    public const double DivergenceFactor = 1e6;

    readonly SortedDictionary<(int Rung, int Notch), TunedRate> _tried = [];
    readonly TuningOptions _options = spec.Tuning;
    readonly int _from = Quarter * (int)Math.Round(spec.Tuning.FromExponent * 4);
    readonly int _to = Quarter * (int)Math.Round(spec.Tuning.ToExponent * 4);

    int Last => _options.Rungs - 1;

    /// <summary>The rates that were tried, rung by rung, ascending.</summary>
    public IReadOnlyList<TunedRate> Grid => [.. _tried.Values];

    /// <summary>The rate with the lowest score on the last rung; of equals, the smallest.</summary>
    public double Best => Rate(BestOf(Last).Notch);

    /// <summary>Inner runs that this search has done.</summary>
    public long Done => _tried.Values.Sum(t => (long)t.Instances);

    /// <summary>Inner runs that a search takes at least.</summary>
    public static long PlannedRuns(TuningOptions options) => PlannedRuns(options, GridSize(options));

    static int GridSize(TuningOptions options) =>
        (int)Math.Round(options.ToExponent * 4) - (int)Math.Round(options.FromExponent * 4) + 1;

    static long PlannedRuns(TuningOptions options, int rates)
    {
        var total = 2L * options.Refinements * options.Instances;
        for (var rung = 0; rung < options.Rungs; rung++, rates = Survivors(rates))
            total += (long)rates * InstancesOf(options, rung);
        return total;
    }

    /// <summary>Inner runs still to do, as far as can be foreseen: a grid may be extended once more.</summary>
    public long Left()
    {
        if (Next() is not { } next) return 0;
        var grid = Math.Max(GridSize(_options), _tried.Keys.Count(IsOnGrid) + (IsOnGrid((next.Rung, next.Notch)) ? 1 : 0));
        return PlannedRuns(_options, grid) - Done;
    }

    static int Survivors(int rates) => Math.Max(2, (rates + Cut - 1) / Cut);

    static int InstancesOf(TuningOptions options, int rung) =>
        (int)Math.Ceiling(options.Instances / Math.Pow(Cut, options.Rungs - 1 - rung));

    /// <summary>The next rate to try; null when the search is over.</summary>
    public Search? Next()
    {
        for (var notch = _from; notch <= _to; notch += Quarter)
            if (!_tried.ContainsKey((0, notch))) return new(0, notch);
        var (first, best, last) = (_tried.Keys.First(IsOnGrid).Notch, BestOf(0, Quarter).Notch, _tried.Keys.Last(IsOnGrid).Notch);
        if (best == first && best > LowestNotch) return new(0, best - Quarter);
        if (best == last && best < HighestNotch) return new(0, best + Quarter);
        for (var rung = 1; rung < _options.Rungs; rung++)
        {
            var rates = _tried.Where(t => t.Key.Rung == rung - 1).OrderBy(t => t.Value.Score).ThenBy(t => t.Key.Notch)
                .Select(t => t.Key.Notch).ToList();
            foreach (var notch in rates.Take(Survivors(rates.Count)))
                if (!_tried.ContainsKey((rung, notch))) return new(rung, notch);
        }
        for (var (refinement, apart) = (0, Quarter); refinement < _options.Refinements; refinement++, apart /= 2)
        {
            var centre = BestOf(Last, apart).Notch;
            foreach (var notch in (ReadOnlySpan<int>)[centre - apart / 2, centre + apart / 2])
                if (!_tried.ContainsKey((Last, notch))) return new(Last, notch);
        }
        return null;
    }

    static bool IsOnGrid((int Rung, int Notch) tried) => tried.Rung == 0 && tried.Notch % Quarter == 0;

    /// <summary>The best of a rung's rates that lie whole multiples of <paramref name="apart"/> from 1.</summary>
    (int Rung, int Notch) BestOf(int rung, int apart = 1) =>
        _tried.Where(t => t.Key.Rung == rung && t.Key.Notch % apart == 0).MinBy(t => t.Value.Score).Key;

    /// <summary>Scores a rate; yields how many instances are done.</summary>
    public IEnumerable<int> Try(OptimizerOptions optimizer, Search search, CancellationToken cancel)
    {
        var (count, horizon, rate) = (InstancesOf(_options, search.Rung), spec.Horizon, Rate(search.Notch));
        var (initial, diverged) = (new float[count], new bool[count]);
        var sum = 0.0;
        void Visit(int step, int first, ReadOnlySpan<float> losses)
        {
            if (step == 0) losses.CopyTo(initial.AsSpan(first));
            for (var i = 0; i < losses.Length; i++)
            {
                diverged[first + i] |= HasDiverged(losses[i], initial[first + i]);
                if (_options.Criterion == Criterion.Final ? step == horizon : step > 0) sum += losses[i];
            }
        }
        foreach (var done in runs.Portions((optimizer with { LearningRate = rate }).Create(horizon), (ulong)spec.Seed, Split.Tune,
            count, horizon, Visit, cancel))
            yield return done;
        var lost = diverged.Count(d => d);
        var score = lost > 0 ? double.PositiveInfinity : sum / count / (_options.Criterion == Criterion.Final ? 1 : horizon);
        _tried[(search.Rung, search.Notch)] = new(rate, Statistics.Score(score), count, lost);
    }

    /// <summary>Whether an instance that began at <paramref name="initial"/> is lost.</summary>
    public static bool HasDiverged(float loss, float initial) =>
        !(loss <= DivergenceFactor * Math.Max(Math.Abs(initial), 1e-30)) || float.IsInfinity(loss);

    static double Rate(int notch) => Math.Pow(10, notch / (double)NotchesPerDecade);

    /// <summary>Keeps the rates tried.</summary>
    /// <exception cref="FormatException">One of those read is not of the search.</exception>
    public void Keep(Snapshot snapshot)
    {
        TunedRate[] rates = [.. _tried.Values];
        TunedRate.Keep(snapshot, "rates", ref rates);
        var (rungs, notches) = (new long[rates.Length], new long[rates.Length]);
        foreach (var (i, (rung, notch)) in _tried.Keys.Index()) (rungs[i], notches[i]) = (rung, notch);
        snapshot.Keep("rungs", rungs, 0, Last);
        snapshot.Keep("notches", notches, LowestNotch - Quarter, HighestNotch + Quarter);
        if (snapshot.WasRead)
            for (var i = 0; i < rates.Length; i++) _tried[((int)rungs[i], (int)notches[i])] = rates[i];
    }
}

using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Training;

namespace MetaOpt.Evaluation;

/// <summary>A learning rate, what it scored (mean loss by the criterion, infinity if an instance diverged) and how many diverged.</summary>
public sealed record TunedRate(double LearningRate, double Score, int Diverged);

/// <summary>
/// Search for a baseline's learning rate on instances of the Tune split: a grid in quarter decades, extended until the best
/// rate lies inside it. The rates tried so far are its whole state.
/// </summary>
sealed class Tuning(EvaluationSpec spec, InnerRuns runs)
{
    const int QuartersPerDecade = 4;
    const int LowestQuarter = -10 * QuartersPerDecade;
    const int HighestQuarter = 4 * QuartersPerDecade;

    /// <summary>An instance has diverged when its loss is not finite or has grown to this many times its size at theta_0.</summary>
    public const double DivergenceFactor = 1e6;

    readonly SortedDictionary<int, TunedRate> _tried = [];
    readonly int _from = (int)Math.Round(spec.Tuning.FromExponent * QuartersPerDecade);
    readonly int _to = (int)Math.Round(spec.Tuning.ToExponent * QuartersPerDecade);

    /// <summary>The rates tried, in ascending order.</summary>
    public IReadOnlyList<TunedRate> Grid => [.. _tried.Values];

    /// <summary>The rate with the lowest score; of equals, the smallest.</summary>
    public double Best => _tried.Values.MinBy(t => t.Score)!.LearningRate;

    /// <summary>Rates that a search tries at least.</summary>
    public static int PlannedRates(TuningOptions options) => (int)Math.Round((options.ToExponent - options.FromExponent) * QuartersPerDecade) + 1;

    /// <summary>The next rate to try, as quarters of a decade; null when the best one is interior.</summary>
    public int? Next()
    {
        for (var quarter = _from; quarter <= _to; quarter++)
            if (!_tried.ContainsKey(quarter)) return quarter;
        var best = _tried.MinBy(p => p.Value.Score).Key;
        if (best == _tried.Keys.First() && best > LowestQuarter) return best - 1;
        return best == _tried.Keys.Last() && best < HighestQuarter ? best + 1 : null;
    }

    /// <summary>Scores the rate <paramref name="quarter"/>; yields how many instances are done.</summary>
    public IEnumerable<int> Try(OptimizerOptions optimizer, int quarter, CancellationToken cancel)
    {
        var (count, horizon, rate) = (spec.Tuning.Instances, spec.Horizon, Rate(quarter));
        var (initial, diverged) = (new float[count], new bool[count]);
        var sum = 0.0;
        void Visit(int step, int first, ReadOnlySpan<float> losses)
        {
            if (step == 0) losses.CopyTo(initial.AsSpan(first));
            for (var i = 0; i < losses.Length; i++)
            {
                diverged[first + i] |= HasDiverged(losses[i], initial[first + i]);
                if (spec.Tuning.Criterion == Criterion.Final ? step == horizon : step > 0) sum += losses[i];
            }
        }
        foreach (var done in runs.Portions((optimizer with { LearningRate = rate }).Create(horizon), (ulong)spec.Seed, Split.Tune, count, horizon, Visit, cancel))
            yield return done;
        var lost = diverged.Count(d => d);
        var score = lost > 0 ? double.PositiveInfinity : sum / count / (spec.Tuning.Criterion == Criterion.Final ? 1 : horizon);
        _tried[quarter] = new(rate, Statistics.Score(score), lost);
    }

    /// <summary>Whether an instance that began at <paramref name="initial"/> is lost.</summary>
    public static bool HasDiverged(float loss, float initial) => !(loss <= DivergenceFactor * Math.Max(Math.Abs(initial), 1e-30)) || float.IsInfinity(loss);

    static double Rate(int quarter) => Math.Pow(10, quarter / (double)QuartersPerDecade);

    /// <summary>The rates tried, exactly: part of a resume point.</summary>
    public JsonArray Save() => new([.. _tried.Select(p => new JsonArray(p.Key, Trial.Pack([p.Value.Score]), p.Value.Diverged))]);

    /// <summary>The inverse of <see cref="Save"/>.</summary>
    public void Load(JsonArray saved)
    {
        foreach (var entry in saved) _tried[(int)entry![0]!] = new(Rate((int)entry[0]!), Trial.Unpack(entry[1]!)[0], (int)entry[2]!);
    }
}

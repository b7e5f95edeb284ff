using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Training;

namespace MetaOpt.Evaluation;

/// <summary>A learning rate and what it scored: mean loss by the criterion, infinity if an instance diverged.</summary>
public sealed record TunedRate(double LearningRate, double Score);

/// <summary>
/// Search for a baseline's learning rate on instances of the Tune split: a grid in quarter decades, extended until the best
/// rate lies inside it.
/// </summary>
sealed class Tuning(EvaluationSpec spec, InnerRuns runs)
{
    const int QuartersPerDecade = 4;
    const int LowestQuarter = -10 * QuartersPerDecade;
    const int HighestQuarter = 4 * QuartersPerDecade;

    /// <summary>An instance has diverged when its loss is not finite or has grown by this factor.</summary>
    public const double DivergenceFactor = 1e6;

    /// <summary>The grid in ascending order.</summary>
    public IReadOnlyList<TunedRate> Search(OptimizerOptions optimizer, CancellationToken cancel)
    {
        var grid = new SortedDictionary<int, double>();
        var (from, to) = ((int)Math.Round(spec.Tuning.FromExponent * QuartersPerDecade), (int)Math.Round(spec.Tuning.ToExponent * QuartersPerDecade));
        for (var quarter = from; quarter <= to; quarter++) Try(quarter);
        while (true)
        {
            var best = grid.MinBy(p => p.Value).Key;
            if (best == grid.Keys.First() && best > LowestQuarter) Try(best - 1);
            else if (best == grid.Keys.Last() && best < HighestQuarter) Try(best + 1);
            else break;
        }
        return [.. grid.Select(p => new TunedRate(Rate(p.Key), p.Value))];

        void Try(int quarter) => grid[quarter] = Score(optimizer with { LearningRate = Rate(quarter) }, cancel);
    }

    static double Rate(int quarter) => Math.Pow(10, quarter / (double)QuartersPerDecade);

    double Score(OptimizerOptions optimizer, CancellationToken cancel)
    {
        var (count, horizon) = (spec.Tuning.Instances, spec.Horizon);
        var initial = new float[count];
        var (sum, diverged) = (0.0, false);
        runs.Run(optimizer.Create(), (ulong)spec.Seed, Split.Tune, count, horizon, (step, first, losses) =>
        {
            if (step == 0) losses.CopyTo(initial.AsSpan(first));
            for (var i = 0; i < losses.Length; i++)
            {
                diverged |= !(losses[i] <= DivergenceFactor * Math.Max(initial[first + i], 1e-30));
                if (spec.Tuning.Criterion == Criterion.Final ? step == horizon : step > 0) sum += losses[i];
            }
        }, cancel);
        if (diverged || !double.IsFinite(sum)) return double.PositiveInfinity;
        return sum / count / (spec.Tuning.Criterion == Criterion.Final ? 1 : horizon);
    }
}

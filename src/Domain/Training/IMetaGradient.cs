using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Training;

/// <summary>
/// Estimates d meta-loss / d phi over one unroll of an inner run, for a meta-batch of instances side by side. The meta-loss of an unroll
/// of K steps is the mean over the instances of sum over t = 1..K of w_t f(theta_t).
/// </summary>
public interface IMetaGradient<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>For the run's metadata.</summary>
    string Name { get; }

    /// <summary>All that one unroll leaves to the next, by name: saved in mid-horizon, and written when a run resumes.</summary>
    IReadOnlyList<(string Name, Tensor<T> Values)> Carried { get; }

    /// <summary>Draws instances first .. first + B - 1 and starts their inner runs: theta_0, zero state.</summary>
    void Begin(ulong seed, Split split, int first);

    /// <summary>
    /// Advances theta and state by one unroll from inner step <paramref name="firstStep"/> and overwrites
    /// <paramref name="phiGradient"/>. Returns the mean loss over instances and steps 1..K.
    /// </summary>
    double Unroll(ReadOnlySpan<T> phi, int firstStep, Span<double> phiGradient);
}

/// <summary>w_t of the steps of an unroll, for t = 1..K at index t - 1.</summary>
static class StepWeights
{
    public static double Of(LossWeights weights, int index, int steps) => weights switch
    {
        LossWeights.Uniform => 1,
        LossWeights.Last => index == steps - 1 ? 1 : 0,
        LossWeights.Linear => (index + 1.0) / steps,
        _ => throw new ArgumentOutOfRangeException(nameof(weights)),
    };
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>
/// Estimates d meta-loss / d phi over one unroll of an inner run, for a meta-batch of instances side by side. The meta-loss of an
/// unroll of K steps is the mean over the instances of sum over t = 1..K of w_t f(theta_t), or of w_t log f(theta_t).
/// </summary>
public interface IGradientEstimator<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>For the run's metadata.</summary>
    string Name { get; }

    /// <summary>
    /// Keeps all that one unroll leaves to the next, but the instances, which <see cref="Begin"/> draws again: for snapshots in
    /// mid-horizon.
    /// </summary>
    void Keep(Snapshot snapshot);

    /// <summary>Draws instances first .. first + B - 1 and starts their inner runs: theta_0, zero state.</summary>
    void Begin(ulong seed, Split split, int first);

    /// <summary>
    /// Advances theta and state by <paramref name="steps"/> steps from inner step <paramref name="firstStep"/> without a
    /// meta-gradient.
    /// </summary>
    void Advance(ReadOnlySpan<T> phi, int firstStep, int steps);

    /// <summary>
    /// Advances theta and state by one unroll from inner step <paramref name="firstStep"/> and overwrites
    /// <paramref name="phiGradient"/>. Returns the mean loss over instances and steps 1..K.
    /// </summary>
    double Unroll(ReadOnlySpan<T> phi, int firstStep, Span<double> phiGradient);
}

/// <summary>The meta-loss of a step: w_t h(f(theta_t)), where h is the identity or the logarithm.</summary>
static class StepWeights
{
    /// <summary>Losses below it count as this much under a logarithm.</summary>
    const double Floor = 1e-12;

    /// <summary>w_t of the steps of an unroll, for t = 1..K at index t - 1.</summary>
    public static double Of(LossWeights weights, int index, int steps) => weights switch
    {
        LossWeights.Uniform or LossWeights.Log => 1,
        LossWeights.Last => index == steps - 1 ? 1 : 0,
        LossWeights.Linear => (index + 1.0) / steps,
        _ => throw new ArgumentOutOfRangeException(nameof(weights)),
    };

    /// <summary>h of a loss.</summary>
    public static double Value(LossWeights weights, double loss) =>
        weights == LossWeights.Log ? Math.Log(Math.Max(loss, Floor)) : loss;

    /// <summary>h' of a loss.</summary>
    public static double Slope(LossWeights weights, double loss) => weights != LossWeights.Log ? 1 : loss < Floor ? 0 : 1 / loss;

    /// <summary>h of each loss, on the tape.</summary>
    public static Tensor<T> Value<T>(LossWeights weights, Tape<T> tape, Tensor<T> losses)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        weights == LossWeights.Log ? tape.Log(tape.Maximum(losses, T.CreateTruncating(Floor))) : losses;
}

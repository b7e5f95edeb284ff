using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>Base of every learned optimizer's options.</summary>
public abstract record LearnedOptimizerOptions
{
    /// <summary>The rule, with phi still free.</summary>
    public abstract ILearnedOptimizer Create();
}

/// <summary>
/// An update rule g_t = m(grad_t, h_t, phi), theta_{t+1} = theta_t + g_t (Andrychowicz et al., 2016, equations 1 to 3): it has
/// meta-parameters phi, and a state per coordinate. With phi fixed it is an ordinary optimizer (<see cref="FrozenOptimizer"/>).
/// </summary>
public interface ILearnedOptimizer
{
    /// <summary>The tensors of phi, in order; phi is their concatenation.</summary>
    IReadOnlyList<ParameterTensor> MetaParameters { get; }

    /// <summary>Floats of state per coordinate; all start at zero.</summary>
    int StatePerCoordinate { get; }

    /// <summary>Overwrites <paramref name="phi"/> with initial values that are a function of <paramref name="seed"/>.</summary>
    void Initialise(ulong seed, Span<float> phi);

    /// <summary>
    /// One step on the tape: the definition that <see cref="Start"/> is tested against, and the way to second derivatives.
    /// </summary>
    /// <param name="tape">Where it is recorded.</param>
    /// <param name="phi">One tensor for each of <see cref="MetaParameters"/>.</param>
    /// <param name="gradient">d f / d theta, [1, N].</param>
    /// <param name="state">From the previous step, [StatePerCoordinate, N].</param>
    /// <returns>The update [1, N] and the new state.</returns>
    (Tensor<T> Update, Tensor<T> State) Step<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, Tensor<T> gradient, Tensor<T> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>The rule without a graph, on <paramref name="coordinates"/> coordinates.</summary>
    ILearnedState<T> Start<T>(IKernels<T> kernels, int coordinates) where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

/// <summary>A learned optimizer in the course of an inner run, without a graph.</summary>
public interface ILearnedState<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The state, in the rule's own layout: for resume points and for the start of an unroll.</summary>
    Tensor<T> State { get; }

    /// <summary>Takes over phi (a copy).</summary>
    void SetParameters(ReadOnlySpan<T> phi);

    /// <summary>Back to the state before the first step.</summary>
    void Reset();

    /// <summary>theta += update; both tensors hold N elements.</summary>
    void Step(Tensor<T> gradient, Tensor<T> theta);
}

/// <summary>
/// A rule whose meta-gradient needs no graph (decoupled back-propagation through time): each coordinate's update reads only
/// detached gradients of that coordinate and its own state. See docs/numerics.md.
/// </summary>
public interface ICoordinatewiseState<T> : ILearnedState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>
    /// Overwrites <paramref name="phiGradient"/> with d/dphi of sum over s = 1..K of w_s f(theta_s), where
    /// theta_s = theta_0 + the updates before s, with the gradients held fixed.
    /// </summary>
    /// <param name="gradients">grad f(theta_0) .. grad f(theta_K), [K + 1, N].</param>
    /// <param name="stepWeights">w_1 .. w_K.</param>
    /// <param name="startState">The state before the unroll's first step.</param>
    /// <param name="phiGradient">One element for each of phi.</param>
    void MetaGradient(Tensor<T> gradients, Tensor<T> stepWeights, Tensor<T> startState, Span<double> phiGradient);
}

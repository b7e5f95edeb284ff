using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>Base of every learned optimizer's options.</summary>
public abstract record LearnedOptimizerOptions
{
    /// <summary>The rule, with phi still free.</summary>
    public abstract ILearnedOptimizer Create();

    /// <summary>Coordinates of theta that the rule is made for.</summary>
    public virtual int MostCoordinates => int.MaxValue;

    /// <summary>Why the rule cannot be trained on <paramref name="task"/>; pointers are relative to these options.</summary>
    public virtual IEnumerable<SpecError> CheckTask(TaskOptions task) => [];
}

/// <summary>
/// An update rule g_t = m(grad_t, h_t, phi), theta_{t+1} = theta_t + g_t (Andrychowicz et al., 2016, equations 1 to 3): it has
/// meta-parameters phi and a state. With phi fixed it is an ordinary optimizer (<see cref="FrozenOptimizer"/>). Instances that
/// are optimised side by side never see each other.
/// </summary>
public interface ILearnedOptimizer
{
    /// <summary>The tensors of phi, in order; phi is their concatenation.</summary>
    IReadOnlyList<ParameterTensor> MetaParameters { get; }

    /// <summary>Elements of phi.</summary>
    int MetaParameterCount => MetaParameters.Sum(p => p.Shape.Count);

    /// <summary>A coordinate's update reads nothing of another coordinate, so any piece of theta can be computed alone.</summary>
    bool IsCoordinatewise { get; }

    /// <summary><see cref="Start"/> gives loops of the rule's own instead of <see cref="AutodiffState{T}"/>.</summary>
    bool IsFused => false;

    /// <summary>
    /// <see cref="Start"/> takes kernel sets whose memory lies on a device; others are started beside the device, see
    /// <see cref="HostFallback"/>.
    /// </summary>
    bool ComputesOnDevices => false;

    /// <summary>
    /// The tensors of state for theta of <paramref name="layout"/>: per coordinate, tensor, instance, whatever it needs; zeros at
    /// first.
    /// </summary>
    IReadOnlyList<Shape> State(Layout layout);

    /// <summary>Overwrites <paramref name="phi"/> with initial values that are a function of <paramref name="seed"/>.</summary>
    void Initialise(ulong seed, Span<float> phi);

    /// <summary>
    /// One step on the tape: the definition that <see cref="Start"/> is tested against, and the way to second derivatives.
    /// </summary>
    /// <param name="tape">Where it is recorded.</param>
    /// <param name="input">What the rule sees.</param>
    /// <param name="state">One tensor for each of <see cref="State"/>; replaced by the new ones, of the same shapes.</param>
    /// <returns>The update [1, N].</returns>
    Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>The rule in the course of an inner run, without a graph.</summary>
    ILearnedState<T> Start<T>(IKernels<T> kernels, Layout layout) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new AutodiffState<T>(this, kernels, layout);
}

/// <summary>Inputs of a rule at one step.</summary>
/// <param name="layout">Which of the N coordinates belong together.</param>
/// <param name="phi">One tensor for each of <see cref="ILearnedOptimizer.MetaParameters"/>.</param>
/// <param name="gradient">d f / d theta, [1, N].</param>
/// <param name="theta">Before the update, [1, N].</param>
public readonly ref struct StepInput<T>(Layout layout, ReadOnlySpan<Tensor<T>> phi, Tensor<T> gradient, Tensor<T> theta)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Which of the N coordinates belong together.</summary>
    public Layout Layout { get; } = layout;

    /// <summary>One tensor for each of <see cref="ILearnedOptimizer.MetaParameters"/>.</summary>
    public ReadOnlySpan<Tensor<T>> Phi { get; } = phi;

    /// <summary>d f / d theta, [1, N].</summary>
    public Tensor<T> Gradient { get; } = gradient;

    /// <summary>Before the update, [1, N].</summary>
    public Tensor<T> Theta { get; } = theta;
}

/// <summary>A learned optimizer in the course of an inner run, without a graph through the optimizee.</summary>
public interface ILearnedState<T> : IUpdate<T>, IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>
    /// The state, in an order of its own: for resume points and for the start of an unroll. Another tensor of this size may be
    /// put in its place before the first step, and is worked in from then on.
    /// </summary>
    Tensor<T> State { get; set; }

    /// <summary>Takes over phi (a copy).</summary>
    void SetParameters(ReadOnlySpan<T> phi);

    /// <summary>Back to the state before the first step.</summary>
    void Reset();

    /// <summary>
    /// Overwrites <paramref name="phiGradient"/> with the derivative by phi of sum over t of w_t a_t . theta_t, where theta_t =
    /// theta_0 + the updates up to t (or, forced, update t alone), with the gradients and the adjoints a_t held fixed: the
    /// decoupled meta-gradient, see docs/numerics.md.
    /// </summary>
    void MetaGradient(in Unrolled<T> unrolled, Span<double> phiGradient);
}

using MetaOpt.Compute;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Optimizers;

/// <summary>Base of every hand-designed optimizer's options.</summary>
public abstract record OptimizerOptions
{
    /// <summary>Step size; null (the default) in an evaluation means: tune it on separate instances.</summary>
    [Bounds(1e-12, 1e6)]
    public double? LearningRate { get; init; }

    /// <summary>How the learning rate changes along the inner run; a tuned rate is the one it is scaled from.</summary>
    public ScheduleOptions Schedule { get; init; } = new ConstantSchedule.Options();

    /// <summary>The most coordinates it can work on: a rule that holds a matrix has a bound.</summary>
    public virtual int MostCoordinates => int.MaxValue;

    /// <summary>
    /// The rule with <see cref="LearningRate"/>, which must be set by now, for inner runs of <paramref name="horizon"/> steps.
    /// </summary>
    /// <param name="horizon">May be left out where the schedule is constant.</param>
    public IOptimizer Create(int? horizon = null) => Create(new StepSizes(
        LearningRate ?? throw new InvalidOperationException("The learning rate is still open: tune it first."),
        Schedule,
        horizon ?? (Schedule is ConstantSchedule.Options
            ? 1
            : throw new InvalidOperationException("The schedule needs the horizon."))));

    /// <summary>The rule with its step sizes.</summary>
    protected abstract IOptimizer Create(StepSizes sizes);
}

/// <summary>
/// An update rule with everything fixed: a baseline, the meta-optimizer, or a learned optimizer whose phi is frozen.
/// </summary>
public interface IOptimizer
{
    /// <summary>Fresh state for theta [batch, P].</summary>
    IOptimizerState Start(IKernels<float> kernels, int batch, int coordinates);

    /// <summary>
    /// Memory that one instance of P coordinates takes beside its task; more than any rule that keeps a few numbers for each.
    /// </summary>
    long BytesPerInstance(int coordinates) => 400L * coordinates;

    /// <summary>The same for an optimizer that asks which coordinates belong together; most do not.</summary>
    IOptimizerState Start(IKernels<float> kernels, Layout layout) => Start(kernels, layout.Batch, layout.PerInstance);
}

/// <summary>The state of one inner run of an optimizer.</summary>
public interface IOptimizerState : IUpdate<float>, IDisposable
{
    /// <summary>Back to the state before the first step.</summary>
    void Reset();

    /// <summary>Keeps all that a later step depends on.</summary>
    void Keep(Snapshot snapshot);
}

/// <summary>The contract that states of optimizers share.</summary>
static class OptimizerStates
{
    /// <summary>Refuses what is not of the state's size.</summary>
    public static void Require(int count, Tensor<float> theta, Tensor<float> gradient)
    {
        if (theta.Count != count || gradient.Count != count)
            throw new ArgumentException($"theta {theta.Shape} and gradient {gradient.Shape} must hold {count} elements.");
    }
}

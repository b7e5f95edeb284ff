using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Learn an optimizer for a task: minimise the expected meta-loss over phi (Andrychowicz et al., 2016, section 3).
/// </summary>
public sealed record TrainingSpec : OptimizeeSpec, IChecked
{
    /// <summary>The learned optimizer whose phi is trained.</summary>
    public required LearnedOptimizerOptions Optimizer { get; init; }

    /// <summary>Id of a checkpoint of the same optimizer: training begins with its phi. Null: with a random one.</summary>
    [Input(Artifacts.LearnedOptimizer, InputSource.Checkpoint)]
    public Guid? Start { get; init; }

    /// <summary>How it is trained.</summary>
    public TrainingOptions Training { get; init; } = new();

    /// <summary>
    /// A resume point may be continued under another kernel set or vector width; the attempt is then marked, and no longer
    /// bit-identical.
    /// </summary>
    public bool AllowOtherKernels { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (Training.Horizon % Training.Unroll != 0)
            yield return new("/training/unroll", NoDivisor(Training.Unroll, Training.Horizon));
        if ((long)Training.MetaEpochs * Training.MetaBatch > int.MaxValue)
            yield return new("/training/metaEpochs",
                $"{Training.MetaEpochs} inner runs of {Training.MetaBatch} instances are more than the "
                + $"{int.MaxValue} instances there are; at most {int.MaxValue / Training.MetaBatch} here.");
        var coordinates = Task.PredictCost().Coordinates + Training.ConvexDimensions;
        foreach (var error in Training.Imitation?.Check(coordinates) ?? [])
            yield return new("/training" + error.Pointer, error.Detail);
        foreach (var error in Training.Curriculum?.Check(Training) ?? [])
            yield return new("/training" + error.Pointer, error.Detail);
        if (coordinates > Optimizer.MostCoordinates)
            yield return new("/task",
                $"The task has {coordinates} coordinates{(Training.ConvexDimensions > 0 ? " with those of the convex function" : "")}; "
                + $"the optimizer is made for at most {Optimizer.MostCoordinates}. Choose a smaller task or another optimizer.");
        else if (MostInstances(coordinates) is var most && Training.MetaBatch > most)
            yield return new("/training/metaBatch",
                $"{Training.MetaBatch} instances of {coordinates} coordinates make a tensor of more than "
                + $"{int.MaxValue} elements; at most {most} here{(most == 0 ? ": choose a smaller task, or a shorter unroll" : "")}.");
        foreach (var error in Optimizer.CheckTask(Task)) yield return error with { Pointer = "/optimizer" + error.Pointer };
        if (Training.SecondDerivatives && Training.Estimator is not TruncatedBptt.Options)
            yield return new("/training/secondDerivatives",
                "Evolution strategies differentiate nothing; leave it out, or choose the estimator truncated-bptt.");
        if (Training.SecondDerivatives && !Task.HasSecondDerivatives)
            yield return new("/training/secondDerivatives",
                "The task's gradient cannot be differentiated again; leave it out, or choose another task.");
    }

    internal static string NoDivisor(int unroll, int horizon) =>
        $"{unroll} does not divide the horizon {horizon}; the next smaller "
        + $"divisor is {Enumerable.Range(1, unroll).Last(n => horizon % n == 0)}.";

    /// <summary>The most instances whose gradients of an unroll, and whose states, fit into tensors.</summary>
    long MostInstances(int coordinates) =>
        int.MaxValue / Math.Max(Training.Unroll + 1, StatePerCoordinate(Optimizer.Create(), coordinates)) / coordinates;

    /// <inheritdoc/>
    public override CostPrediction PredictCost() => TrainingCost.Of(this);

    /// <summary>Elements of a rule's state for each coordinate of an instance.</summary>
    internal static long StatePerCoordinate(ILearnedOptimizer rule, int coordinates) =>
        rule.State(Layout.Flat(1, coordinates)).Sum(s => s.Elements) / coordinates;

    /// <inheritdoc/>
    public override IEnumerable<RunEvent> Execute(RunInputs inputs, CancellationToken cancel)
    {
        using var loop = new OuterLoop(this, inputs);
        foreach (var runEvent in loop.Run(cancel)) yield return runEvent;
    }
}

/// <summary>Horizon, unroll, meta-batch, meta-optimizer, validation.</summary>
public sealed record TrainingOptions
{
    /// <summary>Inner steps of one inner run; with a curriculum, in its last stage.</summary>
    [Bounds(1, 100_000)]
    public int Horizon { get; init; } = 100;

    /// <summary>Inner steps between two meta-updates; must divide the horizon.</summary>
    [Bounds(1, 1000)]
    public int Unroll { get; init; } = 20;

    /// <summary>Instances that one meta-gradient averages over.</summary>
    [Bounds(1, 4096)]
    public int MetaBatch { get; init; } = 32;

    /// <summary>Inner runs; each gives horizon / unroll meta-steps.</summary>
    [Bounds(1, 1_000_000)]
    public int MetaEpochs { get; init; } = 400;

    /// <summary>
    /// Each inner run's horizon is drawn between this and the horizon, log-uniformly, in whole unrolls: runs of different
    /// lengths, few of them long, as in Wichrowska et al., 2017, arXiv:1703.04813, section 4. 0: it is always the horizon.
    /// </summary>
    [Bounds(0, 100_000)]
    public int ShortestHorizon { get; init; }

    /// <summary>Shorter horizons first; null: the horizon from the beginning.</summary>
    public CurriculumOptions? Curriculum { get; init; }

    /// <summary>
    /// Each inner run begins with n ~ U{0, .., this} steps that no meta-gradient is taken of, before its horizon: unrolls of
    /// different runs then begin at different places, and phi meets states that a fixed alignment never shows it. 0: at theta_0.
    /// </summary>
    [Bounds(0, 100_000)]
    public int StartOffset { get; init; }

    /// <summary>w_t of the meta-loss.</summary>
    public LossWeights LossWeights { get; init; } = LossWeights.Uniform;

    /// <summary>Adam on phi.</summary>
    public MetaOptimizerOptions MetaOptimizer { get; init; } = new();

    /// <summary>The estimator of the meta-gradient.</summary>
    public EstimatorOptions Estimator { get; init; } = new TruncatedBptt.Options();

    /// <summary>Differentiate through the gradients of f too; the paper drops that path.</summary>
    public bool SecondDerivatives { get; init; }

    /// <summary>
    /// s of <see cref="Training.RandomScaling"/>: coordinates of training instances are scaled by exp(U(-s, s)); 3 in Lv et al.,
    /// 2017. 0: not at all.
    /// </summary>
    [Bounds(0, 10)]
    public double RandomScaling { get; init; }

    /// <summary>
    /// Coordinates of a convex function that is added to training instances, see <see cref="ConvexMixture"/>; 20 in Lv et al.,
    /// 2017.
    /// </summary>
    [Bounds(0, 4096)]
    public int ConvexDimensions { get; init; }

    /// <summary>A hand-designed optimizer that is imitated now and then; null: none is.</summary>
    public ImitationOptions? Imitation { get; init; }

    /// <summary>Held-out evaluation, keeping the best phi.</summary>
    public ValidationOptions Validation { get; init; } = new();
}

/// <summary>Weights w_t of the meta-loss within an unroll of K steps.</summary>
public enum LossWeights
{
    /// <summary>w_t = 1.</summary>
    Uniform,
    /// <summary>w_K = 1, the others 0.</summary>
    Last,
    /// <summary>w_t = t / K.</summary>
    Linear,
    /// <summary>
    /// w_t = 1, and log f in place of f: halving a small loss counts as much as halving a large one (Wichrowska et al., 2017,
    /// arXiv:1703.04813, section 4.2). A loss below 1e-12, so also a negative one, is taken as 1e-12.
    /// </summary>
    Log,
}

/// <summary>Adam's settings on phi (Kingma and Ba, 2015).</summary>
public sealed record MetaOptimizerOptions
{
    /// <summary>Step size on phi.</summary>
    [Bounds(1e-8, 1)]
    public double LearningRate { get; init; } = 0.003;

    /// <summary>Decay of the mean of gradients.</summary>
    [Bounds(0, 0.999999)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of squared gradients.</summary>
    [Bounds(0, 0.999999)]
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Largest Euclidean norm of a meta-gradient; longer ones are scaled down. Null: no limit.</summary>
    [Bounds(1e-6, 1e6)]
    public double? ClipNorm { get; init; }
}

/// <summary>Periodic validation and early stopping.</summary>
public sealed record ValidationOptions
{
    /// <summary>Meta-epochs between two validations; 0: never (the last phi is kept).</summary>
    [Bounds(0, 1_000_000)]
    public int Every { get; init; } = 25;

    /// <summary>Held-out instances, the same each time.</summary>
    [Bounds(1, 100_000)]
    public int Instances { get; init; } = 256;

    /// <summary>Stop after so many validations without improvement; 0: never.</summary>
    [Bounds(0, 1000)]
    public int Patience { get; init; }

    /// <summary>The number that decides which phi is better.</summary>
    public Criterion Criterion { get; init; } = Criterion.Final;
}

/// <summary>How a trajectory is scored.</summary>
public enum Criterion
{
    /// <summary>Mean loss at the horizon.</summary>
    Final,
    /// <summary>Mean loss over steps 1 .. horizon.</summary>
    Average,
}

using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Training;
using MetaOpt.Unrolling;

namespace MetaOpt.Evaluation;

/// <summary>Measure optimizers side by side on instances nobody trained or tuned on.</summary>
public sealed record EvaluationSpec : OptimizeeSpec, IChecked
{
    /// <summary>Inner steps of each inner run.</summary>
    [Bounds(1, 100_000)]
    public int Horizon { get; init; } = 100;

    /// <summary>Test instances; every contestant sees the same ones and the same mini-batches.</summary>
    [Bounds(2, 100_000)]
    public int Instances { get; init; } = 2000;

    /// <summary>
    /// Of so many test instances, the first ones, each contestant's theta at the horizon is stored, as the checkpoint
    /// <c>thetas</c>.
    /// </summary>
    [Bounds(0, 64)]
    public int KeptInstances { get; init; }

    /// <summary>The optimizers that take part.</summary>
    [Length(1, 32)]
    public required IReadOnlyList<ContestantSpec> Contestants { get; init; }

    /// <summary>
    /// Losses whose first steps are reported: when the mean over instances first reaches each. By default the best hand-designed
    /// contestant's mean loss at the horizon.
    /// </summary>
    [Length(0, 8), Bounds(-1e30, 1e30)]
    public IReadOnlyList<double> Targets { get; init; } = [];

    /// <summary>How learning rates that are left open are found.</summary>
    public TuningOptions Tuning { get; init; } = new();

    /// <summary>Resamples of the paired bootstrap.</summary>
    [Bounds(100, 100_000)]
    public int BootstrapResamples { get; init; } = 2000;

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        const long mostKept = 1 << 22;
        var coordinates = Task.PredictCost().Coordinates;
        if (KeptInstances > Instances)
            yield return new("/keptInstances", $"must not exceed the {Instances} instances, got {KeptInstances}.");
        if ((long)KeptInstances * coordinates * Contestants.Count > mostKept)
        {
            var most = mostKept / coordinates / Contestants.Count;
            yield return new("/keptInstances",
                $"{KeptInstances} instances of {coordinates} coordinates and {Contestants.Count} contestants are too much; at "
                + $"most {most} here.");
        }
        for (var i = 0; i < Contestants.Count; i++)
        {
            if (Contestants[i].Optimizer is not { } rule || rule.MostCoordinates >= coordinates) continue;
            var name = Catalog.Optimizers.Of(rule).Name;
            yield return new(
                $"/contestants/{i}/optimizer/type",
                $"\"{name}\" is made for at most {rule.MostCoordinates} coordinates; the "
                + $"task has {coordinates}. Choose another or a smaller task.");
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Bytes: every contestant's losses, what is kept, and one portion of instances. Seconds: evaluations of the task at a
    /// measured rate, a learned contestant counted as a two-layer LSTM of 20 units; and the bootstrap's additions.
    /// </remarks>
    public override CostPrediction PredictCost()
    {
        const double flopsPerSecond = 2e10, nanosecondsPerCoordinate = 150, secondsPerStep = 2e-5;
        var task = Task.PredictCost();
        var tuned = Contestants.Count(c => c.Optimizer is { LearningRate: null });
        var search = Evaluation.Tuning.PlannedRuns(Tuning) * 1.2; // a grid is extended by a few
        var learned = Contestants.Count(c => c.Optimizer is null);
        var evaluations = (double)Horizon * (tuned * search + (double)Contestants.Count * Instances);
        var seconds = evaluations * (task.FlopsPerEvaluation / flopsPerSecond + 2e-9 * task.Coordinates)
            + (double)Horizon * learned * Instances * task.Coordinates * nanosecondsPerCoordinate * 1e-9
            + (double)Horizon * (tuned * search / Tuning.Instances + Contestants.Count) * secondsPerStep
            + 2e-9 * BootstrapResamples * Instances * 2 * Contestants.Count;
        var runs = Math.Max(Instances, tuned == 0 ? 0 : Tuning.Instances);
        var bytes = 4L * (Horizon + 1) * Instances + 32L * Contestants.Count * (Horizon + Instances)
            + 8L * BootstrapResamples * 2 * Contestants.Count
            + 12L * KeptInstances * task.Coordinates * Contestants.Count
            + Contestants.Max(c => InnerRuns.PortionBytes(task.BytesPerInstance + BytesOf(c, task.Coordinates), runs));
        return new(bytes + CostPrediction.ProcessBytes, 1 + seconds,
            ["/instances", "/horizon", "/tuning/instances", "/contestants", "/task"]);
    }

    /// <summary>A contestant's state of one instance.</summary>
    static long BytesOf(ContestantSpec contestant, int coordinates) => contestant.Optimizer is { } rule
        ? (rule with { LearningRate = 1 }).Create(horizon: 1).BytesPerInstance(coordinates)
        : 400L * coordinates;

    /// <inheritdoc/>
    public override IEnumerable<RunEvent> Execute(RunInputs inputs, CancellationToken cancel)
    {
        using var contest = new Benchmark(this, inputs);
        foreach (var runEvent in contest.Run(cancel)) yield return runEvent;
    }
}

/// <summary>A hand-designed optimizer, or a learned one from a checkpoint or a run: exactly one of the three.</summary>
public sealed record ContestantSpec : IChecked
{
    /// <summary>Name in the report; by default the optimizer's type, or that in the checkpoint.</summary>
    [Length(1, 60)]
    public string? Name { get; init; }

    /// <summary>A hand-designed optimizer; its learning rate is tuned when it is left out.</summary>
    public OptimizerOptions? Optimizer { get; init; }

    /// <summary>Id of a checkpoint of a meta-training run.</summary>
    [Input(Artifacts.LearnedOptimizer, InputSource.Checkpoint)]
    public Guid? Checkpoint { get; init; }

    /// <summary>Id of a meta-training run, whose final checkpoint takes part: the evaluation waits for it.</summary>
    [Input(Artifacts.LearnedOptimizer, InputSource.Run)]
    public Guid? Run { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (new object?[] { Optimizer, Checkpoint, Run }.Count(given => given is not null) != 1)
            yield return new("",
                "give exactly one of \"optimizer\" (hand-designed), \"checkpoint\" (learned) and \"run\" (what it will have "
                + "learned).");
    }
}

/// <summary>
/// Search over learning rates on the <c>Tune</c> split: a quarter-decade grid, extended until the best rate is interior, then
/// finer around it.
/// </summary>
public sealed record TuningOptions : IChecked
{
    /// <summary>
    /// Instances, separate from those of training and of the report. Where losses have a heavy tail take many: on the
    /// 10-dimensional quadratics momentum at 0.0316 diverges on about one function in 3,000, so that 1,000 functions choose it
    /// more often than not and 20,000 never did.
    /// </summary>
    [Bounds(1, 100_000)]
    public int Instances { get; init; } = 1000;

    /// <summary>The task whose functions are minimised.</summary>
    public Criterion Criterion { get; init; } = Criterion.Final;

    /// <summary>Smallest rate of the first grid, as a power of ten.</summary>
    [Bounds(-10, 4)]
    public double FromExponent { get; init; } = -3;

    /// <summary>Largest rate of the first grid, as a power of ten.</summary>
    [Bounds(-10, 4)]
    public double ToExponent { get; init; } = 0;

    /// <summary>
    /// Rungs of successive halving: the grid is tried on a quarter of the instances for each rung beyond the first, and the best
    /// quarter of a rung's rates goes on to the next. 1 tries every rate on all instances.
    /// </summary>
    [Bounds(1, 4)]
    public int Rungs { get; init; } = 1;

    /// <summary>How often the distance between rates is halved around the best one, from a quarter of a decade.</summary>
    [Bounds(0, Evaluation.Tuning.MostRefinements)]
    public int Refinements { get; init; } = 1;

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (FromExponent > ToExponent)
            yield return new("/fromExponent", $"must not exceed toExponent {ToExponent}, got {FromExponent}.");
    }
}

using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Bias and variance of meta-gradient estimators at one phi and on the same instances (after Metz et al., 2019, arXiv:1810.10180,
/// and Vicol, Metz and Sohl-Dickstein, 2021, arXiv:2112.13835, section 5). The meta-loss is the mean over the instances of the
/// sum of f(theta_t) over the whole horizon; a truncated estimator's gradient is the sum over its unrolls. See
/// <see cref="Diagnosis"/> for the references.
/// </summary>
public sealed record DiagnosisSpec : OptimizeeSpec, IChecked
{
    /// <summary>A learned optimizer at its initial phi.</summary>
    public LearnedOptimizerOptions? Optimizer { get; init; }

    /// <summary>Id of a checkpoint of a meta-training run: its optimizer at its phi.</summary>
    [Input(Artifacts.LearnedOptimizer, InputSource.Checkpoint)]
    public Guid? Checkpoint { get; init; }

    /// <summary>Inner steps of the whole inner run.</summary>
    [Bounds(1, 10_000)]
    public int Horizon { get; init; } = 100;

    /// <summary>Inner steps of a truncated estimator's unroll; must divide the horizon.</summary>
    [Bounds(1, 1000)]
    public int Unroll { get; init; } = 10;

    /// <summary>Instances that every estimate averages over, always the same.</summary>
    [Bounds(1, 1024)]
    public int Instances { get; init; } = 4;

    /// <summary>sigma of the evolution strategies and of their reference.</summary>
    [Bounds(1e-6, 10)]
    public double Deviation { get; init; } = 0.01;

    /// <summary>Antithetic pairs of one estimate.</summary>
    [Bounds(1, 1024)]
    public int Pairs { get; init; } = 1;

    /// <summary>Estimates of each strategy.</summary>
    [Bounds(2, 1_000_000)]
    public int Estimates { get; init; } = 1000;

    /// <summary>Antithetic pairs of the strategies' reference, in whole blocks of 10.</summary>
    [Bounds(20, 10_000_000)]
    public int ReferencePairs { get; init; } = 100_000;

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (Optimizer is null == Checkpoint is null)
            yield return new("", "give exactly one of \"optimizer\" (at its initial phi) and \"checkpoint\" (learned).");
        if (Horizon % Unroll != 0) yield return new("/unroll", TrainingSpec.NoDivisor(Unroll, Horizon));
        if (Task.PredictCost().Coordinates is var coordinates && Optimizer is { } optimizer
            && coordinates > optimizer.MostCoordinates)
            yield return new("/task",
                $"The task has {coordinates} coordinates; the optimizer is made for at most {optimizer.MostCoordinates}.");
        if (!Task.HasSecondDerivatives)
            yield return new("/task",
                "The task's gradient cannot be differentiated again, as the reference needs; choose another task.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Bytes: the graph of the whole horizon with second derivatives. Seconds: multiplications of phi, and what a small step
    /// costs at least.
    /// </remarks>
    public override CostPrediction PredictCost()
    {
        const double flopsPerSecond = 2e10, secondsPerStep = 1e-5;
        var task = Task.PredictCost();
        var rule = (Optimizer ?? new CoordinatewiseLstm.Options()).Create();
        var phi = (long)rule.MetaParameterCount;
        var state = rule.State(Layout.Flat(1, task.Coordinates)).Sum(s => s.Elements);
        var perInstance = 64L * Horizon * (state + 16L * task.Coordinates) + Horizon * task.BytesPerInstance
            + 2L * Pairs * 4 * (state + task.Coordinates);
        var runs = 2.0 * ReferencePairs + 4.0 * Estimates * Pairs;
        var seconds = runs * Horizon * (secondsPerStep
            + Instances * (2.0 * phi * task.Coordinates + task.FlopsPerEvaluation) / flopsPerSecond);
        string[] reducible = ["/referencePairs", "/estimates", "/horizon", "/instances", "/task"];
        return new(Instances * perInstance + 24L * Pairs * phi + CostPrediction.ProcessBytes, 2 + seconds, reducible);
    }

    /// <inheritdoc/>
    public override IEnumerable<RunEvent> Execute(RunInputs inputs, CancellationToken cancel)
    {
        using var diagnosis = new Diagnosis(this, inputs);
        foreach (var runEvent in diagnosis.Run(cancel)) yield return runEvent;
    }
}

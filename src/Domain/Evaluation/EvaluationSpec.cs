using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Training;

namespace MetaOpt.Evaluation;

/// <summary>Measure optimizers side by side on instances nobody trained or tuned on.</summary>
public sealed record EvaluationSpec : RunSpec
{
    /// <summary>Inner steps of each inner run.</summary>
    [Bounds(1, 100_000)]
    public int Horizon { get; init; } = 100;

    /// <summary>Test instances; every contestant sees the same ones and the same mini-batches.</summary>
    [Bounds(2, 100_000)]
    public int Instances { get; init; } = 2000;

    /// <summary>Who takes part.</summary>
    [Length(1, 32)]
    public IReadOnlyList<ContestantSpec> Contestants { get; init; } = [];

    /// <summary>How learning rates that are left open are found.</summary>
    public TuningOptions Tuning { get; init; } = new();

    /// <summary>Resamples of the paired bootstrap.</summary>
    [Bounds(100, 100_000)]
    public int BootstrapResamples { get; init; } = 2000;

    /// <inheritdoc/>
    public override IEnumerable<(string Pointer, Guid Checkpoint)> RequiredCheckpoints =>
        Contestants.Select((c, i) => (c, i)).Where(x => x.c.Checkpoint is not null)
            .Select(x => ($"/contestants/{x.i}/checkpoint", x.c.Checkpoint!.Value));

    /// <inheritdoc/>
    public override CostPrediction PredictCost() => throw new NotSupportedException();

    /// <inheritdoc/>
    public override IEnumerable<RunEvent> Execute(RunInputs inputs, CancellationToken cancel) => throw new NotSupportedException();
}

/// <summary>A hand-designed optimizer, or a learned one from a checkpoint: exactly one of the two.</summary>
public sealed record ContestantSpec : IChecked
{
    /// <summary>Name in the report; by default the optimizer's type, or <c>learned</c>.</summary>
    [Length(1, 60)]
    public string? Name { get; init; }

    /// <summary>A hand-designed optimizer; its learning rate is tuned when it is left out.</summary>
    public OptimizerOptions? Optimizer { get; init; }

    /// <summary>Id of a checkpoint of a meta-training run.</summary>
    public Guid? Checkpoint { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (Optimizer is null == Checkpoint is null)
            yield return new("", "give exactly one of \"optimizer\" (hand-designed) and \"checkpoint\" (learned).");
    }
}

/// <summary>Search over learning rates on the <c>Tune</c> split: a quarter-decade grid, extended until the best rate is interior.</summary>
public sealed record TuningOptions
{
    /// <summary>Instances, separate from those of training and of the report.</summary>
    [Bounds(1, 100_000)]
    public int Instances { get; init; } = 1000;

    /// <summary>What is minimised.</summary>
    public Criterion Criterion { get; init; } = Criterion.Final;

    /// <summary>Smallest rate of the first grid, as a power of ten.</summary>
    [Bounds(-10, 4)]
    public double FromExponent { get; init; } = -3;

    /// <summary>Largest rate of the first grid, as a power of ten.</summary>
    [Bounds(-10, 4)]
    public double ToExponent { get; init; } = 0;
}

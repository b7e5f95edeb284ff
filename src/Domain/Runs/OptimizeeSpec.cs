using MetaOpt.Tasks;

namespace MetaOpt.Runs;

/// <summary>A specification of a run on a distribution of optimizees.</summary>
public abstract record OptimizeeSpec : RunSpec
{
    /// <summary>The distribution of optimizees.</summary>
    [Before(nameof(Kernels))]
    public required TaskOptions Task { get; init; }

    /// <inheritdoc/>
    public override string? RequiredData => Task.RequiredDataset;
}

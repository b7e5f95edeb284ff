using System.Text.Json.Serialization;
using MetaOpt.Runs;

namespace MetaOpt.Evaluation;

/// <summary>
/// The result of an evaluation. An interval is [low, high], empty where there is none; null stands for a number that is not
/// finite.
/// </summary>
public sealed record EvaluationResult : RunResult
{
    /// <inheritdoc/>
    public override string Kind => EvaluationKind.Name;

    /// <summary>Inner steps of an inner run.</summary>
    public int Horizon { get; init; }

    /// <summary>Test instances.</summary>
    public int Instances { get; init; }

    /// <summary>Seed of the test instances.</summary>
    public long Seed { get; init; }

    /// <summary>One for each contestant of the specification, in its order.</summary>
    public IReadOnlyList<ContestantResult?>? Contestants { get; init; }

    /// <summary>Every learned contestant against every hand-designed one, and against the learned ones after it.</summary>
    public IReadOnlyList<ComparisonResult>? Comparisons { get; init; }

    /// <summary>Notes without which the numbers cannot be compared with others; left out when there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Notes { get; init; }
}

/// <summary>The result of one optimizer in an evaluation.</summary>
public sealed record ContestantResult
{
    /// <summary>Name in the report, unique in it.</summary>
    public string? Name { get; init; }

    /// <summary>False for a hand-designed optimizer.</summary>
    public bool Learned { get; init; }

    /// <summary>Given or tuned; null for a learned optimizer.</summary>
    public double? LearningRate { get; init; }

    /// <summary>The search for the learning rate; null when there was none.</summary>
    public TuningResult? Tuning { get; init; }

    /// <summary>Mean loss at the horizon.</summary>
    public double? FinalMean { get; init; }

    /// <summary>Its 95 % interval.</summary>
    public IReadOnlyList<double?>? FinalMeanCi95 { get; init; }

    /// <summary>Median loss at the horizon.</summary>
    public double? FinalMedian { get; init; }

    /// <summary>Quantiles of the loss at the horizon.</summary>
    public IReadOnlyList<QuantileResult>? FinalQuantiles { get; init; }

    /// <summary>Mean loss over steps 1 .. horizon.</summary>
    public double? AverageLoss { get; init; }

    /// <summary>Its 95 % interval.</summary>
    public IReadOnlyList<double?>? AverageLossCi95 { get; init; }

    /// <summary>Instances that diverged.</summary>
    public int? Diverged { get; init; }

    /// <summary>Wall-clock time of one inner step of one instance.</summary>
    public double? SecondsPerStep { get; init; }

    /// <summary>When the mean over the instances first reached each target.</summary>
    public IReadOnlyList<TargetResult>? Targets { get; init; }
}

/// <summary>A search for a learning rate.</summary>
public sealed record TuningResult(string? Criterion, int Instances, int Rungs, int Refinements, long InnerRuns,
    IReadOnlyList<TriedRate>? Grid);

/// <summary>A learning rate that was tried, and its score.</summary>
public sealed record TriedRate(double LearningRate, double? Score, int Instances, int Diverged);

/// <summary>The <paramref name="Q"/> quantile.</summary>
public sealed record QuantileResult(double Q, double? Value);

/// <summary>
/// The first step whose mean loss is at most <paramref name="Loss"/>, and the time to it; null when there is none.
/// </summary>
public sealed record TargetResult(double Loss, int? Step, double? Seconds);

/// <summary>
/// Two contestants on the same instances: ratios of their mean losses, signed-rank tests, and the share of instances that
/// <paramref name="A"/> won.
/// </summary>
public sealed record ComparisonResult(
    string? A, string? B, double? FinalRatio, IReadOnlyList<double?>? FinalRatioCi95, double? FinalP, double? FinalPHolm,
    double? AverageRatio, IReadOnlyList<double?>? AverageRatioCi95, double? AverageP, double? AveragePHolm, double? WinRate);

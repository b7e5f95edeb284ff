using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>The kind of run that measures estimators of meta-gradients.</summary>
public static class DiagnosisKind
{
    internal const string Name = "meta-gradient-diagnosis";

    static readonly RunExample s_example = new("bias and variance of meta-gradients", "Estimators on logistic regression", """
        {"seed":1,
         "task":{"type":"logistic-regression"},"optimizer":{"type":"learnable-sgd"},"horizon":100,"unroll":5,"instances":2,
         "deviation":0.01,"pairs":1,"estimates":1000,"referencePairs":10000}
        """);

    /// <summary>The catalogue's entry.</summary>
    public static readonly RunKind Entry = new RunKind<DiagnosisSpec, DiagnosisResult>(
        Name, "Measure bias and variance of meta-gradient estimators at one phi.", s_example)
    {
        View = Name,
        Headline = result => result.Rows?.FirstOrDefault(row => row.Estimator == Diagnosis.TruncatedRow)?.RelativeBias is { } bias
            ? new("relative bias of truncated BPTT", bias) : null,
    };
}

/// <summary>The result of a diagnosis.</summary>
public sealed record DiagnosisResult : RunResult
{
    /// <inheritdoc/>
    public override string Kind => DiagnosisKind.Name;

    /// <summary>The rule's name in the catalogue.</summary>
    public string Optimizer { get; init; } = "";

    /// <summary>Coordinates of an optimizee.</summary>
    public int Coordinates { get; init; }

    /// <summary>Elements of phi.</summary>
    public int MetaParameters { get; init; }

    /// <summary>Inner steps of the whole inner run.</summary>
    public int Horizon { get; init; }

    /// <summary>Inner steps of a truncated estimator's unroll.</summary>
    public int Unroll { get; init; }

    /// <summary>sigma of the evolution strategies.</summary>
    public double Deviation { get; init; }

    /// <summary>Antithetic pairs of one estimate.</summary>
    public int Pairs { get; init; }

    /// <summary>Antithetic pairs of the strategies' reference.</summary>
    public long ReferencePairs { get; init; }

    /// <summary>A row for each estimator.</summary>
    public IReadOnlyList<EstimatorResult>? Rows { get; init; }
}

/// <summary>
/// One estimator against its reference. <paramref name="BiasNorm"/> = |mean - reference|; its standard error is that of both
/// means.
/// <paramref name="Variance"/> is the trace of one estimate's covariance (of the reference: of a block of pairs), 0 where nothing
/// is drawn. Null: not finite.
/// </summary>
public sealed record EstimatorResult(
    string? Estimator, string? Reference, int Estimates, double? Norm, double? ReferenceNorm, double? BiasNorm,
    double? BiasStandardError,
    double? RelativeBias, double? Variance, double? Cosine);

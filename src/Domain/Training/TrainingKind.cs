using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>The kind of run that learns an optimizer.</summary>
public static class TrainingKind
{
    internal const string Name = "meta-training";

    static readonly RunExample s_example = new("meta-training on quadratics", "LSTM on quadratics", """
        {"seed":1,
         "task":{"type":"quadratic","dimensions":10},
         "optimizer":{"type":"lstm","layers":[20,20],"preprocessing":"log-and-sign","outputScale":0.1},
         "training":{"horizon":100,"unroll":20,"metaBatch":32,"metaEpochs":40,"metaOptimizer":{"learningRate":0.003},
                     "validation":{"every":10,"instances":128}}}
        """);

    /// <summary>The catalogue's entry.</summary>
    public static readonly RunKind Entry = new RunKind<TrainingSpec, TrainingResult>(Name, "Learn an optimizer for a task.",
        s_example)
    {
        View = Name,
        Makes = [new("final", Artifacts.LearnedOptimizer)],
        Start = "start",
        Headline = result =>
            result.BestValidation is { } loss ? new("validation loss", loss)
            : result.MetaSteps is { } steps ? new("meta-steps", steps) : null,
    };
}

/// <summary>The result of a meta-training. Its phi is the checkpoint <c>final</c>.</summary>
public sealed record TrainingResult : RunResult
{
    /// <inheritdoc/>
    public override string Kind => TrainingKind.Name;

    /// <summary>Updates of phi.</summary>
    public long? MetaSteps { get; init; }

    /// <summary>Inner runs.</summary>
    public int MetaEpochs { get; init; }

    /// <summary>Inner steps of an inner run, in the curriculum's last stage that was reached.</summary>
    public int Horizon { get; init; }

    /// <summary>Validation stopped improving before all meta-epochs were done.</summary>
    public bool StoppedEarly { get; init; }

    /// <summary>Updates of phi before the one that is kept; null: no validation was better than the first.</summary>
    public long? BestMetaStep { get; init; }

    /// <summary>Validation loss of the phi that is kept; null without validation.</summary>
    public double? BestValidation { get; init; }

    /// <summary>The criterion of the validation loss: "final" or "average".</summary>
    public string Criterion { get; init; } = "";

    /// <summary>Meta-gradients that were not finite, or too large for Adam.</summary>
    public long SkippedMetaSteps { get; init; }

    /// <summary>How often training went back to the best phi.</summary>
    public long ReturnsToBest { get; init; }

    /// <summary>The estimator of the meta-gradients.</summary>
    public string Estimator { get; init; } = "";

    /// <summary>Coordinates of an optimizee.</summary>
    public int Coordinates { get; init; }

    /// <summary>Elements of phi.</summary>
    public int MetaParameters { get; init; }
}

using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Presets;

/// <summary>
/// The bias that truncation brings to a meta-gradient, and the cost of doing without (Vicol, Metz and Sohl-Dickstein, 2021,
/// section 5).
/// </summary>
public static class EstimatorsPreset
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "estimators", "Bias and variance of meta-gradient estimators on a trained LSTM, 100 steps in unrolls of 5",
        "Vicol et al. 2021, arXiv:2112.13835; Metz et al. 2019, arXiv:1810.10180", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        var task = new QuadraticTask.Options();
        PlannedTraining Train(string name, CoordinatewiseLstm.Options optimizer, IReadOnlyList<long> seeds) => new(name, new()
        {
            Task = task,
            Optimizer = optimizer,
            Training = new() { MetaEpochs = 60, MetaOptimizer = new() { LearningRate = 0.01, ClipNorm = 1 } },
        }, seeds);
        PlannedDiagnosis Examine(string name, string title, int estimates) => new(name, title, new()
        {
            Task = task,
            Horizon = quick ? 100 : 500,
            Unroll = 5,
            Estimates = estimates,
            ReferencePairs = quick ? 100_000 : 1_000_000,
        }, name);
        return new()
        {
            Minutes = quick ? 3 : 200,
            Notes = "full-bptt drops the path through the gradients of f, as the paper does; what that alone makes of the "
                + "gradient is its row. "
                + "With the logarithmic preprocessing the exact gradient explodes within 100 steps, as Metz et al. describe: "
                + "there, only the smoothed loss of the strategies has a gradient worth the name.",
            Trainings =
            [
                Train("lstm", new() { Layers = [4], Preprocessing = Preprocessing.None }, [1, 2, 3]),
                Train("lstm-preprocessed", new() { Layers = [4] }, [1]),
            ],
            Diagnoses =
            [
                Examine("lstm", "An LSTM that sees plain gradients", quick ? 20_000 : 200_000),
                Examine("lstm-preprocessed", "An LSTM that sees preprocessed gradients", quick ? 20_000 : 200_000),
            ],
            BiasClaims = [new("lstm", "pes", "truncated-bptt", 0.5)],
        };
    }
}

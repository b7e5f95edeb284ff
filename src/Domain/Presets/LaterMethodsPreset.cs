using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// Learned optimizers that came later and look at more than one coordinate, where the paper's four baselines are known.
/// </summary>
public static class LaterMethodsPreset
{
    const string Functions = "quadratics";

    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "later-methods", "The hierarchical RNN and the Adafactor MLP on 10-dimensional quadratics",
        "Wichrowska et al. 2017, arXiv:1703.04813; Metz et al. 2022, arXiv:2203.11860", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        TrainingSpec Train(LearnedOptimizerOptions optimizer, int epochs, double rate) => new()
        {
            Task = new QuadraticTask.Options(),
            Optimizer = optimizer,
            Training = new()
            {
                MetaEpochs = quick ? epochs : 10 * epochs,
                MetaOptimizer = new() { LearningRate = rate, ClipNorm = 1 },
                Validation = new() { Every = 25, Instances = quick ? 512 : 4000 },
            },
        };
        IReadOnlyList<long> seeds = quick ? [1, 2, 3] : [1, 2, 3, 4, 5];
        string[] learned = ["hierarchical-rnn", "adafactor-mlp"];
        return new()
        {
            Minutes = quick ? 2 : 40,
            Notes = "Both papers train on many tasks for long; here each learns one distribution for minutes, as the paper's "
                + "LSTM does. "
                + "Their steps are small by design: what they are compared with is the tuned baseline that their inputs are "
                + "made of.",
            Trainings =
            [
                new("hierarchical-rnn", Train(new HierarchicalRnn.Options(), 400, 3e-4), seeds),
                new("adafactor-mlp", Train(new AdafactorMlp.Options(), 300, 0.003), seeds),
            ],
            Evaluations =
            [
                new(Functions, "Loss on 10-dimensional quadratics", new()
                {
                    Task = new QuadraticTask.Options(),
                    Instances = 2000,
                    Tuning = new() { Instances = quick ? 4000 : 20_000, Rungs = quick ? 3 : 1 },
                    Contestants = Baselines.Contestants(Baselines.WithHeavyBall),
                }, learned),
            ],
            Claims =
            [
                new(Functions, ["hierarchical-rnn"], ["rmsprop"], 100, Seeds.Mean, 1.0),
                new(Functions, ["adafactor-mlp"], ["adam"], 100, Seeds.Mean, 1.0),
            ],
        };
    }
}

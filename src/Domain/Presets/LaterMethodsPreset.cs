using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>Learned optimizers with little to compute for each coordinate, or much to share among them, that came after the LSTM.</summary>
public static class LaterMethodsPreset
{
    const string Functions = "quadratics";

    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "later-methods", "The Adafactor-style MLP and the hierarchical RNN on 10-dimensional quadratics",
        "Metz et al. 2022, arXiv:2203.11860; Wichrowska et al. 2017, arXiv:1703.04813", Plan);

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
                Validation = new() { Every = 25, Instances = quick ? 2000 : 4000 },
            },
        };
        IReadOnlyList<long> seeds = [1, 2, 3];
        string[] learned = ["adafactor-mlp", "hierarchical-rnn"];
        return new()
        {
            Minutes = quick ? 5 : 60,
            Notes = "Both were made for networks of many sizes and much longer meta-training; here they show that they learn.",
            Trainings =
            [
                new("adafactor-mlp", Train(new AdafactorMlp.Options(), 600, 0.003), seeds),
                new("hierarchical-rnn", Train(new HierarchicalRnn.Options(), 400, 0.0003), seeds),
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
                new(Functions, ["adafactor-mlp"], Baselines.Paper, 100, Seeds.Mean, 1.0),
                new(Functions, ["hierarchical-rnn"], ["sgd", "rmsprop"], 100, Seeds.Mean, 1.0),
            ],
        };
    }
}

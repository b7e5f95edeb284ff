using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>Hyper-parameters learned by gradient descent instead of tuned on a grid: the simplest learned optimizers.</summary>
public static class LearnablePreset
{
    const string Functions = "quadratics";

    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "learnable", "SGD and Adam with learned hyper-parameters on 10-dimensional quadratics",
        "Metz et al. 2020, arXiv:2009.11243; Maclaurin et al. 2015, arXiv:1502.03492", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        TrainingSpec Train(LearnedOptimizerOptions optimizer) => new()
        {
            Task = new QuadraticTask.Options(),
            Optimizer = optimizer,
            Training = new()
            {
                MetaEpochs = quick ? 60 : 1000,
                MetaOptimizer = new() { LearningRate = 0.05, ClipNorm = 1 },
                // As many as tune a baseline: a rate that diverges on one function in thousands must not be kept.
                Validation = new() { Every = 10, Instances = quick ? 4000 : 20_000 },
            },
        };
        IReadOnlyList<long> seeds = [1, 2, 3];
        string[] learned = ["learnable-sgd", "learnable-adam"];
        return new()
        {
            Minutes = quick ? 1 : 15,
            Trainings =
            [
                new("learnable-sgd", Train(new LearnableSgd.Options { InitialLearningRate = 0.001 }), seeds),
                new("learnable-adam", Train(new LearnableAdam.Options { InitialLearningRate = 0.05 }), seeds),
            ],
            Evaluations =
            [
                new(Functions, "Loss on 10-dimensional quadratics", new()
                {
                    Task = new QuadraticTask.Options(),
                    Instances = 2000,
                    Tuning = new() { Instances = quick ? 4000 : 20_000, Rungs = quick ? 3 : 1, FromExponent = -2.5 },
                    Contestants = Baselines.Contestants(["sgd", "adam"]),
                }, learned),
            ],
            Claims =
            [
                new(Functions, ["learnable-sgd"], ["sgd"], 100, Seeds.Mean, 1.1),
                new(Functions, ["learnable-adam"], ["adam"], 100, Seeds.Mean, 1.1),
            ],
        };
    }
}

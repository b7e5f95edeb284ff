using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// The quadratics of the code that was published with the paper: entries uniform in [0, 1], and gradients divided by the 128
/// functions of a batch, so that their scale is another one.
/// </summary>
public static class PublishedQuadraticsPreset
{
    const string Functions = "uniform-quadratics";
    const double Batch = 128;

    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "published-quadratics", "The published code's quadratics, where the scale of the gradient decides",
        "github.com/google-deepmind/learning-to-learn, problems.py; Lv et al. 2017", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        var task = new QuadraticTask.Options { Distribution = QuadraticDistribution.Uniform, Scale = 1 / Batch };
        TrainingSpec Train(LearnedOptimizerOptions optimizer, double scaling = 0) => new()
        {
            Task = task,
            Optimizer = optimizer,
            Training = new()
            {
                MetaEpochs = quick ? 1000 : 2000,
                MetaOptimizer = new() { LearningRate = 0.003 },
                RandomScaling = scaling,
                Validation = new() { Every = 25, Instances = 512 },
            },
        };
        IReadOnlyList<long> seeds = [1, 2, 3];
        string[] learned = ["lstm-plain", "lstm", "rnnprop"];
        return new()
        {
            Minutes = quick ? 3 : 10,
            Notes = "lstm-plain is the published code's network: no preprocessing, no scale on the update. It sees gradients a "
                + "hundred times smaller.",
            Trainings =
            [
                new("lstm-plain", Train(new CoordinatewiseLstm.Options { Preprocessing = Preprocessing.None, OutputScale = 1 }),
                    seeds),
                new("lstm", Train(new CoordinatewiseLstm.Options()), seeds),
                new("rnnprop", Train(new RnnProp.Options()), seeds),
            ],
            Evaluations =
            [
                new(Functions, "Loss on the published code's quadratics", new()
                {
                    Task = task,
                    Instances = 2000,
                    Tuning = new()
                    {
                        Instances = quick ? 4000 : 20_000,
                        Rungs = quick ? 3 : 1,
                        FromExponent = -1,
                        ToExponent = 1
                    },
                    Contestants = Baselines.Contestants(Baselines.WithHeavyBall),
                }, learned),
            ],
            Claims = [new(Functions, learned, Baselines.WithHeavyBall, 100, Seeds.Median, 1.0)],
            Published = [new(Functions, "lstm-plain", 100, null, 0.083, 1 / Batch),
                new(Functions, "adam", 100, null, 0.87, 1 / Batch)],
        };
    }
}

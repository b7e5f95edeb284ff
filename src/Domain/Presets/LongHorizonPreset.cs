using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// A hundred times longer than it was trained for: where the paper's LSTM runs away, and what a curriculum over horizons and the
/// imitation of Adam change (Chen et al., 2020, figure 2).
/// </summary>
public static class LongHorizonPreset
{
    const string Long = "10000-steps";
    const int Horizon = 10_000;

    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "long-horizon", "10,000 steps on a small MNIST network: plain training, and curriculum with imitation",
        "Chen et al. 2020, arXiv:2010.09089, figures 2 and 5; Lv et al. 2017", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        var task = new MlpClassificationTask.Options { Pooling = quick ? 4 : 1 };
        IReadOnlyList<long> seeds = [1, 2, 3];
        TrainingSpec Plain(LearnedOptimizerOptions optimizer, double rate) => new()
        {
            Task = task,
            Optimizer = optimizer,
            Training = new()
            {
                MetaBatch = 4,
                MetaEpochs = quick ? 120 : 1000,
                MetaOptimizer = new() { LearningRate = rate, ClipNorm = 1 },
                Validation = new() { Every = 20, Instances = 8 },
            },
        };
        var harder = Plain(new RnnProp.Options(), 0.001);
        return new()
        {
            Minutes = quick ? 8 : 300,
            Notes = "The plain ones are trained for 100 steps. The paper's LSTM is the network of Chen et al.'s \"L2O-DM\"; "
                + "their best is RNNprop trained "
                + "as it is here, with a curriculum and with imitation of Adam (whose rate is about the tuned one) in 50, 30 and "
                + "10 % of the inner runs of its stages.",
            Trainings =
            [
                new("lstm", Plain(new CoordinatewiseLstm.Options(), 0.003), seeds),
                new("rnnprop", Plain(new RnnProp.Options(), 0.001), seeds),
                new("rnnprop-curriculum-imitation", harder with
                {
                    Training = harder.Training with
                    {
                        Horizon = 2000,
                        MetaBatch = quick ? 2 : 4,
                        MetaEpochs = quick ? 75 : 400,
                        Curriculum = new() { Horizons = quick ? [100, 400] : [100, 200, 500, 1000] },
                        Imitation = new()
                        {
                            Teacher = new Adam.Options { LearningRate = quick ? 0.025 : 0.01 },
                            Shares = [0.5, 0.3, 0.1]
                        },
                        Validation = new() { Every = 10, Instances = 6 },
                    },
                }, seeds),
            ],
            Evaluations =
            [
                new(Long, "MNIST, 10,000 steps", new()
                {
                    Task = task,
                    Horizon = Horizon,
                    Instances = 8,
                    Tuning = new() { Instances = 8, Rungs = 2, FromExponent = -3, ToExponent = -0.5 },
                    Contestants = Baselines.Contestants(["adam", "rmsprop", "momentum"]),
                }, ["lstm", "rnnprop", "rnnprop-curriculum-imitation"]),
            ],
            Claims = [new(Long, ["rnnprop-curriculum-imitation"], ["adam"], Horizon, Seeds.Mean, 1.0)],
        };
    }
}

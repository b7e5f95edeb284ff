using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// The MNIST networks of Andrychowicz et al., 2016, section 3.2: one optimizer, learned on 784-20-10 with sigmoids over 100 steps, on
/// that network (figure 4, right), for 200 steps, with 40 units, with two layers and with ReLU (figure 5).
/// </summary>
public static class MnistPreset
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "mnist", "An LSTM optimizer learned on a small MNIST network, and how far it generalises",
        "Andrychowicz et al. 2016, figures 4 (right) and 5", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        var network = new MlpClassificationTask.Options();
        PlannedEvaluation Measure(string name, string title, TaskOptions task, int horizon = 100) => new(name, title, new()
        {
            Task = task,
            Horizon = horizon,
            Instances = quick ? 32 : 100,
            Tuning = new() { Instances = quick ? 16 : 32, Rungs = quick ? 3 : 1, FromExponent = -2.5, ToExponent = 1 },
            Contestants = Baselines.Contestants(quick ? Baselines.WithHeavyBall : Baselines.Modern),
        }, ["lstm"]);
        return new()
        {
            Minutes = quick ? 20 : 600,
            Notes = "Losses are those of the mini-batches that the optimizer sees, as in the paper.",
            Trainings =
            [
                new("lstm", new()
                {
                    Task = network,
                    Optimizer = new CoordinatewiseLstm.Options(),
                    Training = new()
                    {
                        MetaBatch = 1,
                        MetaEpochs = quick ? 200 : 2000,
                        MetaOptimizer = new() { LearningRate = 0.01 },
                        Validation = new() { Every = 20, Instances = 8, Criterion = Criterion.Average },
                    },
                }, quick ? [1, 2, 3] : [1, 2, 3, 4, 5]),
            ],
            Evaluations =
            [
                Measure("base", "MNIST, 20 sigmoid units", network),
                Measure("200-steps", "MNIST, 20 sigmoid units, 200 steps", network, 200),
                Measure("40-units", "MNIST, 40 sigmoid units", network with { Hidden = [40] }),
                Measure("2-layers", "MNIST, two layers of 20 sigmoid units", network with { Hidden = [20, 20] }),
                Measure("relu", "MNIST, 20 ReLU units", network with { Activation = Activation.Relu }),
            ],
            Claims =
            [
                new("base", ["lstm"], Baselines.WithHeavyBall, null, Seeds.Mean, 0.80),
                new("base", ["lstm"], Baselines.WithHeavyBall, 20, Seeds.Mean, 0.75),
            ],
            Published =
            [
                .. Row("base", 20, 0.457, 1.49, 1.74, 1.94, 1.47),
                .. Row("base", 50, 0.309, 0.488, 0.500, 0.836, 0.47),
                .. Row("base", 98, 0.257, 0.36, 0.355, 0.472, 0.33),
                .. Row("200-steps", 198, 0.215, 0.304, 0.293, 0.338, 0.27),
                .. Row("2-layers", 98, 0.326, 0.702, 0.740, 1.85, 0.754),
                .. Row("40-units", 98, 0.190, 0.319, 0.31, 0.440, 0.302),
                .. Row("relu", 98, 2.60, 0.374, 0.405, 0.443, 0.362),
            ],
        };
    }

    static IEnumerable<Published> Row(string evaluation, int step, double lstm, double adam, double rmsprop, double sgd, double nag) =>
    [
        new(evaluation, "lstm", step, lstm, null), new(evaluation, "adam", step, adam, null), new(evaluation, "rmsprop", step, rmsprop, null),
        new(evaluation, "sgd", step, sgd, null), new(evaluation, "nag", step, nag, null),
    ];
}

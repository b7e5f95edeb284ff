using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// The MNIST networks of Andrychowicz et al., 2016, section 3.2: one optimizer, learned on 784-20-10 with sigmoids over 100
/// steps, on that network (figure 4, right), for 200 steps, with 40 units, with two layers and with ReLU (figure 5).
/// </summary>
public static class MnistPreset
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "mnist", "An LSTM optimizer learned on a small MNIST network, and how far it generalises",
        "Andrychowicz et al. 2016, figures 4 (right) and 5", Plan);

    /// <summary>Figure 6: the same optimizer on networks of other widths and depths.</summary>
    public static readonly Preset Architectures = new(
        "mnist-architectures", "The optimizer learned on one MNIST network, on wider and deeper ones",
        "Andrychowicz et al. 2016, figure 6", PlanArchitectures);

    static readonly MlpClassificationTask.Options s_network = new();

    static PlannedTraining Training(bool quick) => new(
        "lstm",
        new()
        {
            Task = s_network,
            Optimizer = new CoordinatewiseLstm.Options(),
            Training = new()
            {
                MetaBatch = 1,
                MetaEpochs = quick ? 200 : 2000,
                MetaOptimizer = new() { LearningRate = 0.01 },
                Validation = new() { Every = 20, Instances = 8, Criterion = Criterion.Average },
            },
        },
        quick ? [1, 2, 3] : [1, 2, 3, 4, 5]);

    static PlannedEvaluation Measure(bool quick, string name, string title, TaskOptions task, int instances, int horizon = 100) =>
        new(
        name,
        title,
        new()
        {
            Task = task,
            Horizon = horizon,
            Instances = quick ? instances : 100,
            Tuning = new() { Instances = quick ? 16 : 32, Rungs = quick ? 3 : 1, FromExponent = -2.5, ToExponent = 1 },
            Contestants = Baselines.Contestants(quick ? Baselines.WithHeavyBall : Baselines.Modern),
        },
        ["lstm"]);

    static PresetPlan PlanArchitectures(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        int[] units = quick ? [10, 20, 80] : [5, 10, 20, 40, 80, 160], layers = quick ? [1, 2] : [1, 2, 3];
        return new()
        {
            Minutes = quick ? 6 : 500,
            Notes = "The paper shows final losses without numbers. The training is that of the preset mnist.",
            Trainings = [Training(quick)],
            Evaluations =
            [
                .. from depth in layers
                   from width in units
                   select Measure(
                       quick, $"{depth}x{width}", $"MNIST, {depth} x {width} sigmoid units",
                       s_network with { Hidden = [.. Enumerable.Repeat(width, depth)] }, instances: 8),
            ],
            Claims = [.. units.Select(width =>
                new Claim($"1x{width}", ["lstm"], Baselines.WithHeavyBall, null, Seeds.Mean, 1.0))],
        };
    }

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        return new()
        {
            Minutes = quick ? 8 : 600,
            Notes = "Losses are those of the mini-batches that the optimizer sees, as in the paper.",
            Trainings = [Training(quick)],
            Evaluations =
            [
                Measure(quick, "base", "MNIST, 20 sigmoid units", s_network, 32),
                Measure(quick, "200-steps", "MNIST, 20 sigmoid units, 200 steps", s_network, 32, horizon: 200),
                Measure(quick, "40-units", "MNIST, 40 sigmoid units", s_network with { Hidden = [40] }, 32),
                Measure(quick, "2-layers", "MNIST, two layers of 20 sigmoid units", s_network with { Hidden = [20, 20] }, 32),
                Measure(quick, "relu", "MNIST, 20 ReLU units", s_network with { Activation = Activation.Relu }, 32),
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

    static IEnumerable<Published> Row(string evaluation, int step, double lstm, double adam, double rmsprop, double sgd,
        double nag) =>
    [
        new(evaluation, "lstm", step, lstm, null), new(evaluation, "adam", step, adam, null),
        new(evaluation, "rmsprop", step, rmsprop, null),
        new(evaluation, "sgd", step, sgd, null), new(evaluation, "nag", step, nag, null),
    ];
}

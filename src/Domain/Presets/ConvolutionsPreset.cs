using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// Convolutional networks (Andrychowicz et al., 2016, section 3.3 and figure 7): one LSTM for all coordinates, two LSTMs
/// (convolutions, the rest), and one that has never seen the classes it is measured on (LSTM-sub).
/// </summary>
public static class ConvolutionsPreset
{
    /// <summary>On CIFAR-10, as in the paper; its files must be here or be fetched.</summary>
    public static readonly Preset Cifar = new(
        "cifar-10", "Learned optimizers on convolutional networks for CIFAR-10", "Andrychowicz et al. 2016, figure 7",
        size => Plan("cifar-10", "CIFAR-10", size));

    /// <summary>On MNIST.</summary>
    public static readonly Preset Mnist = new(
        "mnist-convolutions", "Learned optimizers on convolutional networks for MNIST",
        "after Andrychowicz et al. 2016, figure 7",
        size => Plan("mnist", "MNIST", size));

    static readonly int[] s_seen = [0, 1, 2, 3, 4];
    static readonly int[] s_held = [5, 6, 7, 8, 9];

    static PresetPlan Plan(string dataset, string name, PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        var layer = new ConvClassificationTask.Layer { Filters = quick ? 8 : 16 };
        var network = new ConvClassificationTask.Options
        {
            Dataset = dataset,
            Pooling = quick ? 2 : 1,
            Batch = quick ? 32 : 128,
            Layers = [layer, layer, layer],
        };
        IReadOnlyList<long> seeds = [1, 2, 3];
        PlannedTraining Train(string optimizer, LearnedOptimizerOptions options, double rate,
            IReadOnlyList<int>? labels = null) => new(optimizer, new()
            {
                Task = network with { Labels = labels ?? [] },
                Optimizer = options,
                Training = new()
                {
                    MetaBatch = 1,
                    MetaEpochs = quick ? 120 : 1000,
                    MetaOptimizer = new() { LearningRate = rate },
                    Validation = new() { Every = 20, Instances = 4, Criterion = Criterion.Average },
                },
            }, seeds);
        PlannedEvaluation Measure(string evaluation, string title, IReadOnlyList<int> labels, IReadOnlyList<string> learned) =>
            new(evaluation, title, new()
            {
                Task = network with { Labels = labels },
                Horizon = quick ? 100 : 1000,
                Instances = quick ? 16 : 64,
                Tuning = new()
                {
                    Instances = 16,
                    Rungs = quick ? 3 : 1,
                    Criterion = Criterion.Average,
                    FromExponent = -3,
                    ToExponent = 0.5
                },
                Contestants = Baselines.Contestants(quick ? Baselines.WithHeavyBall : Baselines.Modern),
            }, learned);
        string[] all = ["lstm", "lstm-two", "rnnprop"];
        return new()
        {
            Minutes = !quick ? 1500 : dataset == "mnist" ? 10 : 11,
            Notes = "lstm-two has one network for the filters and one for the rest; lstm-sub was trained on the classes 0 to 4 "
                + "alone, the others on all ten. "
                + "Rates are tuned for the average." + (quick ? " Images are averaged to half their size." : ""),
            Trainings =
            [
                Train("lstm", new CoordinatewiseLstm.Options(), 0.01),
                Train("lstm-two", new Partitioned.Options { Network = new CoordinatewiseLstm.Options() }, 0.01),
                Train("lstm-sub", new CoordinatewiseLstm.Options(), 0.01, s_seen),
                Train("rnnprop", new RnnProp.Options(), 0.003),
            ],
            Evaluations =
            [
                Measure("all-classes", $"{name}, three convolutional layers", [], all),
                Measure("held-out-classes", $"{name}, the classes 5 to 9", s_held, [.. all, "lstm-sub"]),
            ],
            Claims =
            [
                new("all-classes", all, Baselines.WithHeavyBall, null, Seeds.Mean, 0.95),
                new("held-out-classes", [.. all, "lstm-sub"], Baselines.WithHeavyBall, null, Seeds.Mean, 0.95),
            ],
        };
    }
}

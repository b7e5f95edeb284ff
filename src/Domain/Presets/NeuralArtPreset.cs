using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// Neural art (Andrychowicz et al., 2016, section 3.4 and figures 8 and 9): one optimizer, learned on one style at a low
/// resolution, on pictures it has never seen, with another style, and at twice the resolution.
/// </summary>
public static class NeuralArtPreset
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "neural-art", "Neural art: unseen pictures, an unseen style, another resolution",
        "Andrychowicz et al. 2016, figures 8 and 9", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        var art = new NeuralArtTask.Options { Style = "licorice-l" };
        PlannedEvaluation Measure(string name, string title, NeuralArtTask.Options task, int instances) => new(name, title, new()
        {
            Task = task,
            Horizon = 128,
            Instances = instances,
            KeptInstances = 4,
            Tuning = new()
            {
                Instances = quick ? 6 : 20,
                Rungs = quick ? 3 : 1,
                Criterion = Criterion.Average,
                FromExponent = -2.5,
                ToExponent = 0
            },
            Contestants = Baselines.Contestants(quick ? Baselines.WithHeavyBall : Baselines.Modern),
        }, ["lstm"]);
        string[] places = ["seen-style", "unseen-style", "128x128"];
        return new()
        {
            Minutes = quick ? 8 : 200,
            Notes = "Trained at 32 x 32 pixels. The activations are those of a fixed random filter bank (the paper: VGG-19, "
                + "which the dataset images-vgg "
                + "uses where the operator has its weights). Pictures: the operator's, else those of Debian's gnome-backgrounds. "
                + "Rates are tuned for the "
                + "average. Each row of pictures: content, style, then what each optimizer made of it in 128 steps. At the "
                + "default weights the content prevails. "
                + "With a hundred times the style weight the style shows, but then the best picture there is has 98 % of the "
                + "tuned optimizers' average loss, "
                + "and nobody can be much better: that evaluation has no threshold.",
            Trainings =
            [
                new("lstm", new()
                {
                    Task = art with { Resolution = quick ? 32 : 64 },
                    Optimizer = new CoordinatewiseLstm.Options(),
                    Training = new()
                    {
                        Horizon = 128,
                        Unroll = 32,
                        MetaBatch = 1,
                        MetaEpochs = quick ? 300 : 2000,
                        MetaOptimizer = new() { LearningRate = 0.01 },
                        Validation = new() { Every = 50, Instances = 6, Criterion = Criterion.Average },
                    },
                }, [1, 2, 3]),
            ],
            Evaluations =
            [
                Measure(places[0], "Neural art, the style of the training", art, 20),
                Measure(places[1], "Neural art, an unseen style", art with { Style = "truchet-d" }, 20),
                Measure(places[2], "Neural art, 128 x 128 pixels", art with { Resolution = 128 }, quick ? 6 : 20),
                Measure("strong-style", "Neural art, a hundred times the style weight", art with { StyleWeight = 1e6 },
                    quick ? 6 : 20),
            ],
            Claims = [.. places.Select(place => new Claim(place, ["lstm"], Baselines.WithHeavyBall, null, Seeds.Mean, 0.95))],
        };
    }
}

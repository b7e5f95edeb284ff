using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>The 10-dimensional quadratics of Andrychowicz et al., 2016, section 3.1 and figure 4 (left).</summary>
public static class QuadraticsPreset
{
    const string Functions = "quadratics";

    /// <summary>The catalogue's entry.</summary>
    public static readonly Preset Entry = new(
        "quadratics", "LSTM, LSTM with global averaging cells, NTM-BFGS and RNNprop on 10-dimensional quadratics",
        "Andrychowicz et al. 2016, figure 4 (left); appendix D; Lv et al. 2017", Plan);

    static PresetPlan Plan(PresetSize size)
    {
        var quick = size == PresetSize.Quick;
        TrainingSpec Train(LearnedOptimizerOptions optimizer, int epochs = 1000, int validated = 512, double? clip = null) =>
            new()
            {
                Task = new QuadraticTask.Options(),
                Optimizer = optimizer,
                Training = new()
                {
                    MetaEpochs = quick ? epochs : 10 * epochs,
                    MetaOptimizer = new() { LearningRate = 0.003, ClipNorm = clip },
                    Validation = new() { Every = 25, Instances = quick ? validated : 4000 },
                },
            };
        IReadOnlyList<long> seeds = quick ? [1, 2, 3] : [1, 2, 3, 4, 5];
        string[] learned = ["lstm", "lstm-gac", "rnnprop"];
        return new()
        {
            Minutes = quick ? 6 : 100,
            Notes = "The learned optimizers see the preprocessed gradient (appendix A) and scale their update by 0.1; the paper "
                + "used neither here. "
                + "L-BFGS, which never saw these functions, is far ahead of everybody: without noise, curvature is all.",
            Trainings =
            [
                new("lstm", Train(new CoordinatewiseLstm.Options()), seeds),
                new("lstm-gac", Train(new LstmGac.Options()), seeds),
                new("rnnprop", Train(new RnnProp.Options()), seeds),
                // It may run away on a function in hundreds, which few instances would not show.
                new("ntm-bfgs", Train(new NtmBfgs.Options(), epochs: 300, validated: 2000, clip: 1), seeds),
            ],
            Evaluations =
            [
                new(Functions, "Loss on 10-dimensional quadratics", new()
                {
                    Task = new QuadraticTask.Options(),
                    Instances = quick ? 2000 : 10_000,
                    Tuning = new() { Instances = 20_000, Rungs = quick ? 3 : 1 },
                    Contestants =
                        Baselines.Contestants(quick ? [.. Baselines.WithHeavyBall, "l-bfgs", "bfgs"] : Baselines.WithQuasiNewton),
                }, [.. learned, "ntm-bfgs"]),
            ],
            Claims =
            [
                .. learned.Select(name => new Claim(Functions, [name], Baselines.Paper, 100, Seeds.Median, 0.75)),
                .. learned.Select(name => new Claim(Functions, [name], Baselines.Paper, 100, Seeds.Worst, 0.85)),
                .. learned.Select(name => new Claim(Functions, [name], Baselines.WithHeavyBall, 100, Seeds.Median, 0.80)),
                .. learned.Select(name => new Claim(Functions, [name], Baselines.WithHeavyBall, 100, Seeds.Worst, 0.90)),
                .. learned.Select(name => new Claim(Functions, [name], Baselines.WithHeavyBall, null, Seeds.Mean, 0.85)),
                new(Functions, ["ntm-bfgs"], Baselines.Paper, 100, Seeds.Mean, 1.0),
            ],
            Published =
            [
                .. Row("lstm", (20, 0.150), (50, 0.065), (100, 0.039)),
                .. Row("adam", (20, 2.1), (50, 0.166), (100, 0.0506)),
                .. Row("rmsprop", (20, 0.62), (50, 0.11), (100, 0.057)),
                .. Row("sgd", (20, 0.44), (50, 0.29), (100, 0.212)),
                .. Row("nag", (20, 0.20), (50, 0.110), (100, 0.080)),
            ],
        };
    }

    /// <summary>Read off the figure, whose loss is divided by the 10 dimensions.</summary>
    static IEnumerable<Published> Row(string contestant, params (int Step, double Loss)[] values) =>
        values.Select(v => new Published(Functions, contestant, v.Step, v.Loss, null, 10));
}

using System.Text.Json.Nodes;
using MetaOpt.Domain.Tests.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Specs;

/// <summary>
/// What a run is predicted to need: it rises with every field that costs, and the memory is what is measured, to a factor of two.
/// <c>./metaopt bench predictions</c> measures the time.
/// </summary>
public class CostPredictionTests
{
    const string Training =
        """
        {"task": {"type": "quadratic", "dimensions": 50}, "optimizer": {"type": "lstm", "layers": [8]},
         "training": {"horizon": 40, "unroll": 10, "metaBatch": 8, "metaEpochs": 100, "shortestHorizon": 0, "startOffset": 0,
                      "validation": {"every": 10, "instances": 20}}}
        """;
    const string Evaluation =
        """
        {"task": {"type": "quadratic", "dimensions": 50}, "horizon": 40, "instances": 100, "contestants": [{"optimizer": {"type": "sgd"}}],
         "tuning": {"instances": 50, "fromExponent": -2, "toExponent": -1, "rungs": 1, "refinements": 1}, "bootstrapResamples": 1000}
        """;
    const string Diagnosis =
        """
        {"task": {"type": "quadratic", "dimensions": 50}, "optimizer": {"type": "learnable-sgd"}, "horizon": 40, "unroll": 10,
         "instances": 4, "pairs": 1, "estimates": 100, "referencePairs": 1000}
        """;

    static CostPrediction Predict(string kind, JsonNode spec) =>
        Catalog.RunKinds.Read(kind, System.Text.Json.JsonDocument.Parse(spec.ToJsonString()).RootElement).PredictCost();

    /// <summary>The prediction of <paramref name="json"/> with a value at a place such as <c>training/unroll</c>.</summary>
    static CostPrediction Predict(string kind, string json, string place, string value)
    {
        var spec = JsonNode.Parse(json)!;
        var (at, names) = (spec, place.Split('/'));
        foreach (var name in names[..^1]) at = at[name]!;
        at[names[^1]] = JsonNode.Parse(value);
        return Predict(kind, spec);
    }

    /// <summary>Field, a value and what it should raise: b(ytes), s(econds) or both.</summary>
    [Theory]
    [InlineData("task/dimensions", "100", "bs")]
    [InlineData("optimizer/layers", "[16]", "bs")]
    [InlineData("training/horizon", "80", "s")]
    [InlineData("training/unroll", "20", "b")]
    [InlineData("training/metaBatch", "16", "bs")]
    [InlineData("training/metaEpochs", "200", "s")]
    [InlineData("training/startOffset", "40", "s")]
    [InlineData("training/secondDerivatives", "true", "bs")]
    [InlineData("training/lossWeights", "\"log\"", "b")]
    [InlineData("training/convexDimensions", "50", "bs")]
    [InlineData("training/randomScaling", "3", "bs")]
    [InlineData("training/imitation", "{}", "bs")]
    [InlineData("training/validation/every", "5", "s")]
    [InlineData("training/validation/instances", "40", "bs")]
    [InlineData("training/estimator", """{"type": "es", "pairs": 16}""", "s")]
    public void A_training_costs_more(string place, string value, string raised) =>
        Raises("meta-training", Training, place, value, raised);

    [Fact]
    public void A_training_costs_less_with_shorter_horizons_and_without_validation()
    {
        var plain = Predict("meta-training", JsonNode.Parse(Training)!);
        Assert.True(Predict("meta-training", Training, "training/shortestHorizon", "10").Seconds < plain.Seconds);
        var without = Predict("meta-training", Training, "training/validation/every", "0");
        Assert.True(without.Seconds < plain.Seconds && without.Bytes < plain.Bytes);
    }

    [Theory]
    [InlineData("es", "s")]
    [InlineData("pes", "bs")]
    public void Each_pair_of_perturbations_costs_two_runs(string estimator, string raised)
    {
        CostPrediction With(int pairs) =>
            Predict("meta-training", Training, "training/estimator", $$"""{"type": "{{estimator}}", "pairs": {{pairs}} }""");
        var (few, more, many) = (With(4), With(8), With(12));
        Assert.Equal(1, (many.Seconds - more.Seconds) / (more.Seconds - few.Seconds), 1e-9);
        Assert.True(more.Seconds > few.Seconds && more.Bytes > few.Bytes);
        // Truncated, the runs are made one after the other: more noise is held, and no more runs.
        Assert.Equal(raised == "bs", more.Bytes - few.Bytes > 4 * 8 * 8 * 50);
    }

    [Theory]
    [InlineData("task/dimensions", "100", "bs")]
    [InlineData("horizon", "80", "bs")]
    [InlineData("instances", "200", "bs")]
    [InlineData("keptInstances", "50", "b")]
    [InlineData("contestants", """[{"optimizer": {"type": "sgd"}}, {"optimizer": {"type": "adam"}}]""", "bs")]
    [InlineData("contestants", """[{"checkpoint": "0198c0de-0000-7000-8000-000000000001"}]""", "s")]
    [InlineData("tuning/instances", "200", "bs")]
    [InlineData("tuning/fromExponent", "-3", "s")]
    [InlineData("tuning/toExponent", "0", "s")]
    [InlineData("tuning/refinements", "3", "s")]
    [InlineData("bootstrapResamples", "100000", "bs")]
    public void An_evaluation_costs_more(string place, string value, string raised) =>
        Raises("evaluation", Evaluation, place, value, raised);

    [Fact]
    public void An_evaluation_costs_less_with_successive_halving_and_with_a_given_rate()
    {
        var plain = Predict("evaluation", JsonNode.Parse(Evaluation)!).Seconds;
        Assert.True(Predict("evaluation", Evaluation, "tuning/rungs", "3").Seconds < plain);
        Assert.True(
            Predict("evaluation", Evaluation, "contestants",
                """[{"optimizer": {"type": "sgd", "learningRate": 0.1}}]""").Seconds < plain);
    }

    [Theory]
    [InlineData("task/dimensions", "100", "bs")]
    [InlineData("optimizer", """{"type": "lstm"}""", "bs")]
    [InlineData("horizon", "80", "bs")]
    [InlineData("instances", "8", "bs")]
    [InlineData("pairs", "8", "bs")]
    [InlineData("estimates", "1000", "s")]
    [InlineData("referencePairs", "10000", "s")]
    public void A_diagnosis_costs_more(string place, string value, string raised) =>
        Raises("meta-gradient-diagnosis", Diagnosis, place, value, raised);

    static void Raises(string kind, string json, string place, string value, string raised)
    {
        var (plain, more) = (Predict(kind, JsonNode.Parse(json)!), Predict(kind, json, place, value));
        if (raised.Contains('b')) Assert.True(more.Bytes > plain.Bytes, $"{place}: {plain.Bytes} and {more.Bytes} bytes");
        if (raised.Contains('s')) Assert.True(more.Seconds > plain.Seconds, $"{place}: {plain.Seconds} and {more.Seconds} s");
    }

    static readonly Guid s_learned = Guid.Parse("0198c0de-0000-7000-8000-000000000001");

    static TrainingSpec Train(TaskOptions task, LearnedOptimizerOptions optimizer, int batch, int unroll,
        Func<TrainingOptions, TrainingOptions>? with = null)
    {
        var training = new TrainingOptions
        {
            Horizon = unroll,
            Unroll = unroll,
            MetaBatch = batch,
            MetaEpochs = 1,
            Validation = new() { Every = 0 }
        };
        return new() { Task = task, Optimizer = optimizer, Training = with is null ? training : with(training) };
    }

    static EvaluationSpec Evaluate(TaskOptions task, int instances, ContestantSpec contestant) => new()
    {
        Task = task,
        Horizon = 2,
        Instances = instances,
        BootstrapResamples = 100,
        Contestants = [contestant],
    };

    static readonly CoordinatewiseLstm.Options s_small = new() { Layers = [4] };
    static readonly LearnableSgd.Options s_rate = new();
    static TaskOptions Quadratic(int dimensions) => new QuadraticTask.Options { Dimensions = dimensions };

    static readonly Dictionary<string, RunSpec> s_measured = new()
    {
        ["back-propagation, many coordinates"] = Train(new RosenbrockTask.Options { Dimensions = 4000 }, s_small, 16, 20),
        ["back-propagation of the logarithm"] =
            Train(new RosenbrockTask.Options { Dimensions = 4000 }, s_rate, 16, 40,
                t => t with { LossWeights = LossWeights.Log }),
        ["back-propagation, matrices"] = Train(Quadratic(400), s_rate, 16, 2),
        ["a rule on the tape"] = Train(new RosenbrockTask.Options { Dimensions = 4000 }, new LstmGac.Options { Layers = [4] }, 16,
            4),
        ["second derivatives"] = Train(Quadratic(100), s_small, 8, 10, t => t with { SecondDerivatives = true }),
        ["a network's graph"] = Train(new MlpClassificationTask.Options { Hidden = [20], Batch = 64 }, s_rate, 16, 2),
        ["evolution strategies"] =
            Train(Quadratic(1000), s_small, 8, 2,
                t => t with { Estimator = new EvolutionStrategies.TruncatedOptions { Pairs = 2 } }),
        ["persistent evolution strategies"] = Train(
            new RosenbrockTask.Options { Dimensions = 4000 }, s_small, 16, 2,
            t => t with { Estimator = new EvolutionStrategies.PersistentOptions { Pairs = 8 } }),
        ["imitation"] = Train(
            new RosenbrockTask.Options { Dimensions = 4000 }, s_small, 16, 20,
            t => t with { Imitation = new() { Shares = [1] } }),
        ["validation"] = Train(new RosenbrockTask.Options { Dimensions = 4000 }, new CoordinatewiseLstm.Options(), 1, 2,
            t => t with { Validation = new() { Every = 1, Instances = 40 } }),
        ["an evaluation of matrices"] = Evaluate(Quadratic(400), 60,
            new() { Optimizer = new Sgd.Options { LearningRate = 0.001 } }),
        ["an evaluation of BFGS"] = Evaluate(Quadratic(300), 60, new() { Optimizer = new Bfgs.Options { LearningRate = 0.001 } }),
        ["an evaluation in portions"] = Evaluate(Quadratic(600), 150, new() { Checkpoint = s_learned }),
        ["a diagnosis"] = new DiagnosisSpec
        {
            Task = Quadratic(100),
            Optimizer = s_small,
            Horizon = 20,
            Unroll = 10,
            Instances = 8,
            Estimates = 2,
            ReferencePairs = 20,
        },
    };

    public static TheoryData<string> Measured => [.. s_measured.Keys];

    /// <summary>Without what every process has, and against what the arenas hold, which at these sizes is nearly all.</summary>
    [Theory, MemberData(nameof(Measured))]
    public void The_predicted_memory_is_what_is_measured_to_a_factor_of_two(string name)
    {
        var spec = s_measured[name];
        using var kernels = new CountedKernels();
        var checkpoint = LearnedOptimizerCheckpoint.Write(new() { Task = Quadratic(5), Optimizer = s_rate }, [-7]);
        var inputs = new RunInputs(kernels, _ => TinyDataset.Create(28, 10),
            new Dictionary<Guid, byte[]> { [s_learned] = checkpoint });
        _ = spec.Execute(inputs, default).Count();
        var ratio = (spec.PredictCost().Bytes - CostPrediction.ProcessBytes) / (double)kernels.PeakBytes;
        Assert.True(ratio is > 0.5 and < 2, $"{name}: predicted {ratio:F2} times the {kernels.PeakBytes >> 20} MiB measured");
    }
}

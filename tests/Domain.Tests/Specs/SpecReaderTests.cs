using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Specs;

/// <summary>The one door for specifications.</summary>
public class SpecReaderTests
{
    const string Training = """
        {"seed":1,"task":{"type":"quadratic","dimensions":10},
         "optimizer":{"type":"lstm","layers":[20,20],"preprocessing":"log-and-sign","outputScale":0.1},
         "training":{"horizon":100,"unroll":20,"metaBatch":32,"metaEpochs":400,"metaOptimizer":{"learningRate":0.003},"validation":{"every":25,"instances":256}}}
        """;

    const string Evaluation = """
        {"seed":1,"task":{"type":"mlp-classification","dataset":"mnist","hidden":[20],"activation":"sigmoid","batch":128},"horizon":100,"instances":2000,
         "contestants":[{"checkpoint":"0198c0de-0000-7000-8000-000000000000"},{"optimizer":{"type":"sgd"}},{"name":"A","optimizer":{"type":"adam","learningRate":0.1}}]}
        """;

    static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    static IReadOnlyList<SpecError> Errors(string kind, string json) =>
        Assert.Throws<SpecException>(() => Catalog.RunKinds.Read(kind, Element(json))).Errors;

    [Fact]
    public void A_training_specification_is_read()
    {
        var spec = Assert.IsType<TrainingSpec>(Catalog.RunKinds.Read("meta-training", Element(Training)));
        Assert.Equal(10, Assert.IsType<QuadraticTask.Options>(spec.Task).Dimensions);
        var lstm = Assert.IsType<CoordinatewiseLstm.Options>(spec.Optimizer);
        Assert.Equal([20, 20], lstm.Layers);
        Assert.Equal((Preprocessing.LogAndSign, 0.1, 10.0), (lstm.Preprocessing, lstm.OutputScale, lstm.PreprocessingExponent));
        Assert.Equal((1L, 0.003, 256), (spec.Seed, spec.Training.MetaOptimizer.LearningRate, spec.Training.Validation.Instances));
    }

    [Fact]
    public void An_evaluation_specification_is_read()
    {
        var spec = Assert.IsType<EvaluationSpec>(Catalog.RunKinds.Read("evaluation", Element(Evaluation)));
        Assert.Equal("mnist", spec.RequiredData);
        Assert.Equal(
            new("/contestants/0/checkpoint", Guid.Parse("0198c0de-0000-7000-8000-000000000000"), Artifacts.LearnedOptimizer,
                InputSource.Checkpoint), spec.FindInputs().Single());
        Assert.Null(spec.Contestants[1].Optimizer!.LearningRate);
        Assert.Equal(("A", 0.1), (spec.Contestants[2].Name, spec.Contestants[2].Optimizer!.LearningRate));
    }

    public static TheoryData<string, string, string, string> Wrong => new()
    {
        // replaced text, by what, pointer, part of the message
        { "\"seed\":1", "\"sead\":1", "/sead", "did you mean \"seed\"?" },
        { "\"horizon\":100", "\"horizonts\":100", "/training/horizonts", "known: horizon, unroll" },
        { "\"horizon\":100", "\"a/b~c\":100", "/training/a~1b~0c", "is not a field" },
        { "\"seed\":1", "\"seed\":1.5", "/seed", "whole number" },
        { "\"seed\":1", "\"seed\":-1", "/seed", "between 0 and 9007199254740991" },
        { "\"seed\":1", "\"seed\":9007199254740992", "/seed", "between 0" },
        { "\"seed\":1", "\"seed\":1,\"seed\":2", "/seed", "twice" },
        { "\"seed\":1", "\"seed\":\"1\"", "/seed", "got \"1\"" },
        { "\"seed\":1", "\"seed\":null", "/seed", "null" },
        { "\"seed\":1", "\"kernels\":\"gpu\"", "/kernels", "auto, simd, scalar" },
        { "\"horizon\":100", "\"horizon\":1e999", "/training/horizon", "number" },
        { "\"horizon\":100", "\"horizon\":1000000", "/training/horizon", "between 1 and 100000, got 1000000" },
        { "\"horizon\":100", "\"horizon\":30", "/training/unroll",
            "20 does not divide the horizon 30; the next smaller divisor is 15." },
        { "\"metaBatch\":32,\"metaEpochs\":400", "\"metaBatch\":4096,\"metaEpochs\":524288", "/training/metaEpochs",
            "at most 524287 here" },
        { "{\"type\":\"quadratic\",\"dimensions\":10}", "{\"type\":\"mlp-classification\",\"hidden\":[1024,1024]}",
            "/training/metaBatch", "at most 14 here" },
        { "\"dimensions\":10", "\"dimensions\":0", "/task/dimensions", "between 1 and" },
        { "\"dimensions\":10", "\"dimensions\":[10]", "/task/dimensions", "got [10]" },
        { "\"quadratic\"", "\"cubic\"", "/task/type", "quadratic, mlp-classification" },
        { "\"quadratic\"", "\"MetaOpt.Tasks.QuadraticTask\"", "/task/type", "must be a task" },
        { "\"type\":\"quadratic\",", "", "/task/type", "is required" },
        { "\"type\":\"quadratic\"", "\"type\":7", "/task/type", "got 7" },
        { "\"type\":\"quadratic\"", "\"type\":\"quadratic\",\"type\":\"quadratic\"", "/task/type", "twice" },
        { "{\"type\":\"quadratic\",\"dimensions\":10}", "null", "/task", "must not be null" },
        { "{\"type\":\"quadratic\",\"dimensions\":10}", "[]", "/task", "must be an object" },
        { "\"task\":{\"type\":\"quadratic\",\"dimensions\":10},", "", "/task", "is required" },
        { "[20,20]", "[20,65]", "/optimizer/layers/1", "between 1 and 64" },
        { "[20,20]", "[20,null]", "/optimizer/layers/1", "got null" },
        { "[20,20]", "[1,2,3,4]", "/optimizer/layers", "0 to 3 entries, has 4" },
        { "[20,20]", "20", "/optimizer/layers", "must be a list" },
        { "\"log-and-sign\"", "\"LogAndSign\"", "/optimizer/preprocessing", "none, log-and-sign" },
        { "\"log-and-sign\"", "1", "/optimizer/preprocessing", "got 1" },
        { "\"lstm\",\"layers\":[20,20],\"preprocessing\":\"log-and-sign\",\"outputScale\":0.1", "\"per-group\"",
            "/optimizer/groups/0", "no coordinates of the group convolution, only other" },
        { "\"lstm\",\"layers\":[20,20],\"preprocessing\":\"log-and-sign\",\"outputScale\":0.1",
            "\"per-group\",\"groups\":[\"other\"]", "/optimizer/groups/0", "leave it out" },
        { "\"lstm\",\"layers\":[20,20],\"preprocessing\":\"log-and-sign\",\"outputScale\":0.1",
            "\"per-group\",\"groups\":[\"convolution\",\"convolution\"]", "/optimizer/groups/1", "twice" },
        { "\"lstm\",\"layers\":[20,20],\"preprocessing\":\"log-and-sign\",\"outputScale\":0.1",
            "\"per-group\",\"groups\":[\"pooling\"]", "/optimizer/groups/0", "other, convolution" },
        { "\"lstm\",\"layers\":[20,20],\"preprocessing\":\"log-and-sign\",\"outputScale\":0.1",
            "\"per-group\",\"network\":{\"type\":\"per-group\"}", "/optimizer/network", "one network" },
        { "\"outputScale\":0.1", "\"outputScale\":1e-7", "/optimizer/outputScale", "between 1E-06 and 10, got 1e-7" },
        { "0.003", "1.0000001", "/training/metaOptimizer/learningRate", "between 1E-08 and 1" },
        { "0.003", "true", "/training/metaOptimizer/learningRate", "must be a number" },
        { "\"every\":25", "\"every\":25,\"\\ud800\":1", "/training/validation", "no valid text" },
        { "\"outputScale\":0.1", "\"outputScale\":0.1,\"\\ud800\":1", "/optimizer", "no valid text" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_mistake_is_named_at_its_place(string what, string with, string pointer, string part)
    {
        Assert.Contains(what, Training);
        var error = Assert.Single(Errors("meta-training", Training.Replace(what, with)));
        Assert.Equal(pointer, error.Pointer);
        Assert.Contains(part, error.Detail);
    }

    [Theory]
    [InlineData("\"optimizer\":{\"type\":\"sgd\"}", "", "/contestants/1", "exactly one")]
    [InlineData("\"optimizer\":{\"type\":\"sgd\"}",
        "\"optimizer\":{\"type\":\"sgd\"},\"checkpoint\":\"0198c0de-0000-7000-8000-000000000000\"", "/contestants/1",
        "exactly one")]
    [InlineData("0198c0de-0000-7000-8000-000000000000", "../../etc/passwd", "/contestants/0/checkpoint", "must be an id")]
    [InlineData("\"mnist\"", "\"minst\"", "/task/dataset", "known: mnist")]
    [InlineData("\"name\":\"A\"", "\"name\":\"\"", "/contestants/2/name", "1 to 60 characters")]
    [InlineData("\"name\":\"A\"", "\"name\":\"a\\u0007b\"", "/contestants/2/name", "control characters")]
    [InlineData("\"name\":\"A\"", "\"name\":\"\\ud800\"", "/contestants/2/name", "must be a text")]
    [InlineData("\"horizon\":100", "\"tuning\":{\"fromExponent\":1,\"toExponent\":0}", "/tuning/fromExponent", "must not exceed")]
    public void A_mistake_in_an_evaluation_is_named_at_its_place(string what, string with, string pointer, string part)
    {
        Assert.Contains(what, Evaluation);
        var error = Assert.Single(Errors("evaluation", Evaluation.Replace(what, with)));
        Assert.Equal(pointer, error.Pointer);
        Assert.Contains(part, error.Detail);
    }

    [Fact]
    public void The_convex_functions_coordinates_count_too()
    {
        var lstm = "\"lstm\",\"layers\":[20,20],\"preprocessing\":\"log-and-sign\",\"outputScale\":0.1";
        string With(int convex) =>
            Training.Replace(lstm, "\"ntm-bfgs\"").Replace("\"horizon\":100", $"\"horizon\":100,\"convexDimensions\":{convex}");
        Assert.NotNull(Catalog.RunKinds.Read("meta-training", Element(With(90))));
        var error = Assert.Single(Errors("meta-training", With(91)));
        Assert.Equal("/task", error.Pointer);
        Assert.Contains("101 coordinates with those of the convex function", error.Detail);
    }

    [Fact]
    public void All_mistakes_are_told_at_once()
    {
        var pointers = Errors("meta-training",
            """{"seed":-1,"task":{"type":"quadratic","x":1},"training":{"horizon":0,"unroll":"a"}}""").Select(e => e.Pointer);
        Assert.Equal(["/optimizer", "/seed", "/task/x", "/training/horizon", "/training/unroll"],
            pointers.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_flood_of_mistakes_is_cut_short()
    {
        var flood = "{" + string.Join(",", Enumerable.Range(0, 20_000).Select(i => $"\"unknown{i}\":1")) + "}";
        var errors = Errors("meta-training", flood);
        Assert.InRange(errors.Count, 50, 200);
        Assert.Contains("more", errors[^1].Detail);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"quadratic\"")]
    public void A_specification_is_an_object(string json) => Assert.Equal("", Assert.Single(Errors("evaluation", json)).Pointer);

    [Fact]
    public void A_missing_specification_is_refused() =>
        Assert.Throws<SpecException>(() => Catalog.RunKinds.Read("evaluation", default));

    [Fact]
    public void An_unknown_kind_is_refused_with_the_known_ones() =>
        Assert.Contains("meta-training, evaluation", Assert.Single(Errors("training", "{}")).Detail);

    [Fact]
    public void What_is_written_has_every_default_and_reads_back_the_same()
    {
        var spec = new TrainingSpec { Task = new QuadraticTask.Options(), Optimizer = new CoordinatewiseLstm.Options() };
        var written = SpecReader.Write(spec);
        Assert.Equal("quadratic", (string?)written["task"]!["type"]);
        Assert.Equal("gaussian", (string?)written["task"]!["distribution"]);
        // Checkpoints hold this text: the order of its fields is part of their bytes.
        Assert.Equal(["seed", "task", "kernels", "precision", "optimizer", "start", "training", "allowOtherKernels"],
            written.Select(field => field.Key));
        Assert.Equal("[20,20]", written["optimizer"]!["layers"]!.ToJsonString());
        Assert.Equal(0.003, (double)written["training"]!["metaOptimizer"]!["learningRate"]!);
        Assert.True(written["training"]!["metaOptimizer"]!.AsObject().ContainsKey("clipNorm"));
        Assert.Equal(written.ToJsonString(),
            SpecReader.Write(Catalog.RunKinds.Read("meta-training", Element(written.ToJsonString()))).ToJsonString());
    }

    [Fact]
    public void The_catalogue_describes_every_entry_and_field()
    {
        var catalogue = SpecReader.Describe(Catalog.RunKinds, p => $"about {p.Name}");
        Assert.Equal(["sgd", "momentum", "nag", "rmsprop", "adam", "adagrad", "adamw", "lion", "l-bfgs", "bfgs"],
            catalogue["optimizers"]!.AsArray().Select(e => (string?)e!["name"]));
        foreach (var list in new[] { "tasks", "optimizers", "learnedOptimizers", "estimators", "schedules" })
            foreach (var entry in catalogue[list]!.AsArray())
                Assert.False(string.IsNullOrEmpty((string?)entry!["summary"]) || string.IsNullOrEmpty((string?)entry["paper"]),
                    entry.ToJsonString());
        var dimensions = Field(catalogue["tasks"]![0]!, "dimensions");
        Assert.Equal(("integer", 10, 1.0, 4096.0, "about Dimensions"),
            ((string)dimensions["type"]!, (int)dimensions["default"]!, (double)dimensions["min"]!, (double)dimensions["max"]!,
                (string)dimensions["description"]!));
        var contestants = Field(catalogue["kinds"]!.AsArray().Single(k => (string?)k!["name"] == "evaluation")!, "contestants");
        Assert.True((bool)contestants["list"]! && (bool)contestants["required"]!);
        Assert.Equal("optimizer", (string?)Field(contestants, "optimizer")["type"]);
    }

    static JsonNode Field(JsonNode described, string name) =>
        described["fields"]!.AsArray().Single(f => (string?)f!["name"] == name)!;
}

using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Evaluation;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>Some classes of a dataset as a dataset of its own.</summary>
public sealed class LabelSubsetTests
{
    [Fact]
    public void The_chosen_classes_are_renumbered_in_their_order_and_the_others_left_out()
    {
        var all = TinyDataset.Create();
        var some = all.Only([2, 0]);
        Assert.Equal((2, 40, 20), (some.Classes, some.Train.Count, some.Test.Count));
        Assert.Equal(all.Train.Labels.Where(l => l != 1).Select(l => (byte)(l == 2 ? 0 : 1)), some.Train.Labels);
        Assert.Equal(all.Test.Pixels.Chunk(16).Where((_, i) => all.Test.Labels[i] != 1).SelectMany(p => p), some.Test.Pixels);
        Assert.Same(all, all.Only([]));
        Assert.Equal("/task/labels", Assert.Throws<SpecException>(() => all.Only([3, 4])).Errors.Single().Pointer);
    }

    [Theory, InlineData("mlp-classification"), InlineData("conv-classification")]
    public void The_network_has_an_output_for_each_chosen_class(string task)
    {
        var (all, some) = (Size("[]"), Size("[7,3]"));
        var inputs = task[0] == 'm' ? 20 : 32;
        Assert.Equal(8 * (inputs + 1), all - some);

        int Size(string labels)
        {
            var options = ((EvaluationSpec)Read(task, labels)).Task;
            var pixels = new byte[20 * 784];
            var part = new LabelledImages(pixels, [.. Enumerable.Range(0, 20).Select(i => (byte)(i % 10))]);
            var real = options.Create(_ => new Dataset("mnist", 28, 28, 10, part, part, "00"));
            Assert.Equal(options.PredictCost().Coordinates, real.Coordinates);
            return real.Coordinates;
        }
    }

    [Theory]
    [InlineData("[1,10]", "/task/labels/1", "between 0 and 9 for mnist, got 10")]
    [InlineData("[1,2,1]", "/task/labels/2", "twice")]
    [InlineData("[4]", "/task/labels", "alone")]
    [InlineData("[-1,2]", "/task/labels/0", "between 0 and 255")]
    [InlineData("3", "/task/labels", "list")]
    public void A_wrong_choice_is_named(string labels, string pointer, string part)
    {
        foreach (var task in new[] { "mlp-classification", "conv-classification" })
        {
            var error = Assert.Single(Assert.Throws<SpecException>(() => Read(task, labels)).Errors);
            Assert.Equal(pointer, error.Pointer);
            Assert.Contains(part, error.Detail);
        }
    }

    static RunSpec Read(string task, string labels) =>
        Catalog.RunKinds.Read("evaluation", JsonSerializer.SerializeToElement(JsonNode.Parse(
        $$"""{"contestants":[{"optimizer":{"type":"sgd"} }],"task":{"type":"{{task}}","labels":{{labels}} } }""")));

    /// <summary>LSTM-sub of the paper: nothing of the evaluation's classes was seen in training.</summary>
    [Fact]
    public void What_was_trained_on_some_classes_is_evaluated_on_others()
    {
        var checkpoint = Guid.NewGuid();
        var training = Json("meta-training", """
            {"task": {"type": "conv-classification", "labels": [0, 1], "layers": [{"filters": 2, "kernel": 2}], "hidden": [], "batch": 4},
             "optimizer": {"type": "per-group", "network": {"type": "lstm", "layers": [3]}},
             "training": {"horizon": 4, "unroll": 2, "metaBatch": 2, "metaEpochs": 2}}
            """);
        var bytes = Final(Run(training));
        foreach (var labels in new[] { "[2, 1]", "[0, 1, 2]" })
        {
            var evaluation = Json("evaluation", $$"""
                {"task": {"type": "conv-classification", "labels": {{labels}}, "layers": [{"filters": 2, "kernel": 2}], "hidden": [], "batch": 4},
                 "horizon": 4, "instances": 3, "bootstrapResamples": 100, "contestants": [{"checkpoint": "{{checkpoint}}"}]}
                """);
            var result = Run(evaluation, checkpoints: new Dictionary<Guid, byte[]> { [checkpoint] = bytes })
                .OfType<RunEvent.Result>().Single().Document.ToJson();
            Assert.True(double.IsFinite((double)result["contestants"]![0]!["averageLoss"]!));
        }

        static RunSpec Json(string kind, string spec) =>
            Catalog.RunKinds.Read(kind, JsonSerializer.SerializeToElement(JsonNode.Parse(spec)));
    }
}

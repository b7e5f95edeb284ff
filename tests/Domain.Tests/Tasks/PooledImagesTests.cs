using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Evaluation;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>Images made smaller by averaging.</summary>
public sealed class PooledImagesTests
{
    /// <summary>Two images of 2 x 5 pixels with two channels; the fifth column is left over.</summary>
    static readonly LabelledImages s_images = new(
        [
            1, 100, 2, 100, 8, 0, 9, 0, 77, 77,
            3, 100, 4, 102, 8, 0, 9, 1, 77, 77,
            255, 0, 255, 0, 0, 0, 0, 0, 77, 77,
            255, 0, 255, 0, 0, 0, 0, 3, 77, 77,
        ],
        [1, 0]);

    [Fact]
    public void Each_channel_is_averaged_over_squares_and_rounded()
    {
        var pooled = new Dataset("two", 2, 5, 2, s_images, s_images, "00") { Channels = 2 }.Pooled(2);
        Assert.Equal((1, 2, 2), (pooled.Rows, pooled.Columns, pooled.Channels));
        // Means 2.5, 100.5, 8.5, 0.25; 255, 0, 0, 0.75.
        Assert.Equal([3, 101, 9, 0, 255, 0, 0, 1], pooled.Train.Pixels);
        Assert.Equal(pooled.Train.Pixels, pooled.Test.Pixels);
        Assert.Equal([1, 0], pooled.Test.Labels);
    }

    [Theory, InlineData("mlp-classification"), InlineData("conv-classification")]
    public void A_network_has_the_inputs_that_are_left(string task)
    {
        var options = Read(task, 4);
        var part = new LabelledImages(new byte[20 * 784], [.. Enumerable.Range(0, 20).Select(i => (byte)(i % 10))]);
        var real = options.Create(_ => new Dataset("mnist", 28, 28, 10, part, part, "00"));
        Assert.Equal(options.PredictCost().Coordinates, real.Coordinates);
        // 49 inputs of each of 20 units; or 2 x 2 conv3's outputs instead of 4 x 4, 16 channels, 32 units.
        Assert.Equal(task[0] == 'm' ? (784 - 49) * 20 : (16 - 1) * 16 * 32,
            Read(task, 1).PredictCost().Coordinates - real.Coordinates);
    }

    [Fact]
    public void What_does_not_divide_the_image_is_refused()
    {
        var error = Assert.Single(Assert.Throws<SpecException>(() => Read("mlp-classification", 3)).Errors);
        Assert.Equal("/task/pooling", error.Pointer);
        Assert.Contains("1, 2, 4, 7", error.Detail);
    }

    static TaskOptions Read(string task, int pooling) =>
        ((EvaluationSpec)Catalog.RunKinds.Read("evaluation", JsonSerializer.SerializeToElement(JsonNode.Parse(
        $$"""{"contestants":[{"optimizer":{"type":"sgd"} }],"task":{"type":"{{task}}","pooling":{{pooling}} } }""")))).Task;
}

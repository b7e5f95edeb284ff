using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>Loss and gradient of the convolutional task, on images in three colours, against PyTorch (goldens/conv.py).</summary>
public sealed class ConvGoldenTests
{
    [Theory, InlineData("normalised", true), InlineData("biases", false)]
    public void Loss_and_gradient_agree_with_PyTorch(string name, bool normalised)
    {
        var options = new ConvClassificationTask.Options
        {
            Layers =
            [
                new() { Filters = 4, Kernel = 3 }, new() { Filters = 3, Kernel = 2, Pooling = 3 },
                new() { Filters = 2, Kernel = 1, Pooling = 1 },
            ],
            Hidden = [4],
            BatchNormalisation = normalised,
            Batch = 5,
        };
        var task = new ConvClassificationTask(options, GoldenTask.DatasetWhoseMiniBatchIs(5, 8, 7, 3, 3));
        GoldenTask.Agrees(task, GoldenTask.Read("conv.json", name));
    }

    [Fact]
    public void The_defaults_are_the_network_of_the_paper_and_start_near_it()
    {
        var none = new LabelledImages([], []);
        var colours = new Dataset("colours", 32, 32, 10, none, none, "00") { Channels = 3 };
        ITask task = new ConvClassificationTask(new(), colours);
        Assert.Equal(
            ["conv0/weights [75, 16]", "conv0/gamma [16]", "conv0/beta [16]", "conv1/weights [400, 16]", "conv1/gamma [16]",
                "conv1/beta [16]", "conv2/weights [400, 16]", "conv2/gamma [16]", "conv2/beta [16]", "full0/weights [256, 32]",
                "full0/gamma [32]", "full0/beta [32]", "output/weights [32, 10]", "output/biases [10]"],
            task.Parameters.Select(p => $"{p.Name} {p.Shape}"));
        using var kernels = new MetaOpt.Compute.ScalarKernels<double>();
        using var arena = kernels.NewArena();
        using var instances = task.Allocate(kernels, 2);
        var theta = arena.Take(new(2, task.Coordinates));
        instances.Draw(1, MetaOpt.Compute.Split.Train, 0);
        instances.InitialTheta(theta);
        var values = theta.Span[task.Coordinates..].ToArray(); // of the second instance
        foreach (var parameter in task.Parameters)
        {
            var mean = values[..parameter.Shape.Count].Average();
            Assert.InRange(mean, parameter.Name.EndsWith("gamma") ? 0.98 : -0.02, parameter.Name.EndsWith("gamma") ? 1.02 : 0.02);
            values = values[parameter.Shape.Count..];
        }
    }

    [Fact]
    public void The_predicted_coordinates_are_those_of_the_task()
    {
        var layer = new ConvClassificationTask.Layer { Filters = 7, Kernel = 4, Pooling = 3 };
        var options = new ConvClassificationTask.Options { Layers = [layer, new()], Hidden = [9, 8] };
        ITask task = new ConvClassificationTask(options, GoldenTask.DatasetWhoseMiniBatchIs(1, 28, 28, 1, 10));
        Assert.Equal(task.Coordinates, options.PredictCost().Coordinates);
    }
}

using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>
/// A network that somebody brought is an optimizee like our own; what libtorch makes of a file is tested with libtorch.
/// </summary>
public sealed class TorchScriptTaskTests
{
    static readonly Dataset s_data = TinyDataset.Create() with { Network = new LinearNetwork(16, 3) };
    static readonly TorchScriptTask.Options s_options = new()
    {
        Network = "linear",
        Coordinates = 51,
        Batch = 9,
        Start = NetworkStart.Zero,
        InitialDeviation = 0.5
    };

    [Fact]
    public void A_linear_network_has_loss_and_gradient_of_the_same_network_of_ours()
    {
        var brought = Evaluate(new TorchScriptTask(s_options, s_data));
        var ours = Evaluate(new MlpClassificationTask(new() { Hidden = [], Batch = 9, InitialDeviation = 0.5 }, s_data));
        Assert.Equal(ours.Losses, brought.Losses, (a, b) => Math.Abs(a - b) < 1e-13);
        Assert.Equal(ours.Gradient, brought.Gradient, (a, b) => Math.Abs(a - b) < 1e-13);
        Assert.Contains(ours.Gradient, g => Math.Abs(g) > 1e-2);
    }

    [Fact]
    public void Theta_begins_around_the_files_values_or_around_zero()
    {
        var noise = Start(s_options);
        var start = Start(s_options with { Start = NetworkStart.File });
        var values = s_data.Network!.Values.Span;
        for (var i = 0; i < start.Length; i++) Assert.Equal(noise[i] + values[i % 51], start[i], 1e-12);
        Assert.Contains(noise, n => n > 0.5);

        static double[] Start(TorchScriptTask.Options options)
        {
            using var kernels = new ScalarKernels<double>();
            using var arena = kernels.NewArena();
            using var instances = new TorchScriptTask(options, s_data).Allocate(kernels, 2);
            var theta = arena.Zeros(new Shape(2, 51));
            instances.Draw(1, Split.Train, 0);
            instances.InitialTheta(theta);
            return theta.ToArray();
        }
    }

    [Fact]
    public void What_a_network_draws_itself_depends_on_instance_step_and_split_alone()
    {
        var network = new LinearNetwork(16, 3);
        var task = new TorchScriptTask(s_options, s_data with { Network = network });
        var whole = Seeds(3, 0, 4);
        Assert.Equal(whole[1..], Seeds(2, 1, 4));
        Assert.Empty(whole.Intersect(Seeds(3, 0, 5)));
        Assert.Equal(3, whole.Distinct().Count());

        long[] Seeds(int count, int first, int step)
        {
            Evaluate(task, count, first, step);
            return network.Seeds;
        }
    }

    [Theory]
    [InlineData("\"coordinates\": 50", null)]
    [InlineData("\"network\": \"../secret\"", "/task/network")]
    [InlineData("\"network\": \"Lenet\"", "/task/network")]
    [InlineData("\"network\": \"lenet\\n\"", "/task/network")]
    [InlineData("\"dataset\": \"images\"", "/task/dataset")]
    public void A_wrong_name_is_refused_with_its_field(string field, string? pointer)
    {
        var spec = JsonDocument.Parse(
            $$$"""{"task": {"type": "torchscript", {{{field}}}}, "optimizer": {"type": "lstm"}}""").RootElement;
        if (pointer is null) Assert.NotNull(Catalog.RunKinds.Read("meta-training", spec));
        else Assert.Equal(pointer,
            Assert.Single(Assert.Throws<SpecException>(() => Catalog.RunKinds.Read("meta-training", spec)).Errors).Pointer);
    }

    [Fact]
    public void Another_number_of_parameters_than_promised_is_refused()
    {
        var wrong = Assert.Throws<SpecException>(() => (s_options with { Coordinates = 50 }).Create(_ => s_data));
        Assert.Contains("/task/coordinates", wrong.Message);
        Assert.Contains("51 parameters", wrong.Message);
    }

    [Fact]
    public void Second_derivatives_are_refused_where_there_are_none()
    {
        var training =
            JsonDocument.Parse(
                """{"task": {"type": "torchscript"}, "optimizer": {"type": "lstm"}, "training": {"secondDerivatives": true}}""").RootElement;
        Assert.Equal("/training/secondDerivatives",
            Assert.Single(Assert.Throws<SpecException>(() => Catalog.RunKinds.Read("meta-training", training)).Errors).Pointer);
        var diagnosis = JsonDocument.Parse("""{"task": {"type": "torchscript"}, "optimizer": {"type": "lstm"}}""").RootElement;
        Assert.Equal("/task",
            Assert.Single(
                Assert.Throws<SpecException>(() => Catalog.RunKinds.Read("meta-gradient-diagnosis", diagnosis)).Errors).Pointer);
    }

    static (double[] Losses, double[] Gradient) Evaluate(ITask task, int count = 2, int first = 0, int step = 3)
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = tape.Kernels.NewArena();
        using var instances = task.Allocate(tape.Kernels, count);
        var theta = arena.Zeros(new Shape(count, task.Coordinates));
        instances.Draw(5, Split.Train, first);
        instances.InitialTheta(theta);
        var (losses, gradient) = instances.LossAndGradient(tape, theta, step);
        return (losses.ToArray(), gradient.ToArray());
    }
}

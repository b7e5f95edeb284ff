using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Evaluation;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>The three losses of neural-art against values that plain loops, or no computation at all, give.</summary>
public sealed class NeuralArtTests
{
    const int Size = 8;
    static readonly Dataset s_data = TinyDataset.Pictures(Size);

    static NeuralArtTask.Options Only(double content = 0, double style = 0, double smoothness = 0) => new()
    {
        Resolution = Size,
        Style = "stripes",
        ContentWeight = content,
        StyleWeight = style,
        SmoothnessWeight = smoothness,
        Filters = 5,
        Scales = 2,
    };

    static double Loss(NeuralArtTask.Options options, double[] theta, Dataset? data = null, Split split = Split.Test,
        int instance = 0)
    {
        using var kernels = new ScalarKernels<double>();
        using var instances = new NeuralArtTask(options, data ?? s_data).Allocate(kernels, 1);
        instances.Draw(1, split, instance);
        using var tape = new Tape<double>(kernels);
        return instances.Loss(tape, tape.Constant(theta, new Shape(1, theta.Length)), 0).Span[0];
    }

    static double[] Theta(ReadOnlySpan<byte> picture) => [.. picture.ToArray().Select(p => p / 255.0 - 0.5)];

    static double[] Noise(int count)
    {
        var noise = new double[count];
        new RandomStream(9, Split.Train, Purpose.Instance).FillNormal(noise.AsSpan(), 0.3);
        return noise;
    }

    static double[] Content(int instance) =>
        Theta(s_data.Test.Pixels.AsSpan(instance * s_data.ImageElements, s_data.ImageElements));

    [Fact]
    public void A_slope_is_as_rough_as_its_steps_squared()
    {
        double[] slope = [.. Enumerable.Range(0, Size * Size * 3).Select(i => 0.1 * (i / (3 * Size)) + 0.2 * (i / 3 % Size))];
        Assert.Equal(2 * Size * (Size - 1) * 3 * (0.01 + 0.04), Loss(Only(smoothness: 2), slope), 1e-9);
    }

    [Fact]
    public void The_content_itself_and_the_style_itself_cost_nothing()
    {
        Assert.Equal(0, Loss(Only(content: 1), Content(2), instance: 2), 1e-20);
        Assert.Equal(0, Loss(Only(style: 1), Theta(s_data.Styles["stripes"])), 1e-20);
        Assert.True(Loss(Only(content: 1), Content(1), instance: 2) > 1);
        Assert.True(Loss(Only(style: 1), Theta(s_data.Styles["waves"])) > 1e-6);
    }

    [Fact]
    public void Content_and_style_are_what_plain_loops_say()
    {
        var (theta, bank) = (Noise(s_data.ImageElements), ArtLayer.Bank(5, 2, 3));
        var (mine, content, style) = (Activations(theta, bank), Activations(Content(1), bank),
            Activations(Theta(s_data.Styles["stripes"]), bank));
        var error = mine[1].Zip(content[1], (a, b) => (a - b) * (a - b)).Sum() / 2;
        Assert.Equal(1, Loss(Only(content: 3), theta, instance: 1) / (3 * error), 1e-12);

        double distance = 0;
        for (var l = 0; l < 2; l++)
        {
            var (places, size) = (mine[l].Length / 5, 5);
            for (var i = 0; i < size; i++)
                for (var j = 0; j < size; j++)
                {
                    double difference = 0;
                    for (var m = 0; m < places; m++)
                        difference += mine[l][m * size + i] * mine[l][m * size + j]
                            - style[l][m * size + i] * style[l][m * size + j];
                    distance += difference * difference / (4.0 * size * size * places * places) / 2;
                }
        }
        Assert.Equal(1, Loss(Only(style: 7), theta) / (7 * distance), 1e-12);
    }

    /// <summary>[places, filters] of each scale of a bank of 3 x 3 filters.</summary>
    static double[][] Activations(double[] image, ArtLayer[] bank)
    {
        var (result, size) = (new List<double[]>(), Size);
        foreach (var layer in bank)
        {
            if (layer.Halved)
            {
                var (before, half) = (image, size / 2);
                image = [.. Enumerable.Range(0, half * half * 3).Select(i => new[] { (0, 0), (0, 1), (1, 0), (1, 1) }
                    .Average(d =>
                        before[((2 * (i / 3 / half) + d.Item1) * 2 * half + 2 * (i / 3 % half) + d.Item2) * 3 + i % 3]))];
                size = half;
            }
            var output = new double[size * size * layer.Outputs];
            for (var i = 0; i < output.Length; i++)
            {
                var (row, column, filter) = (i / layer.Outputs / size, i / layer.Outputs % size, i % layer.Outputs);
                for (var k = 0; k < 27; k++)
                {
                    var (y, x) = (row + k / 9 - 1, column + k / 3 % 3 - 1);
                    if (y >= 0 && x >= 0 && y < size && x < size)
                        output[i] += image[(y * size + x) * 3 + k % 3] * layer.Filters[k * layer.Outputs + filter];
                }
                output[i] = Math.Max(0, output[i]);
            }
            result.Add(output);
        }
        return [.. result];
    }

    [Fact]
    public void A_picture_is_scaled_down_by_the_mean_of_its_blocks()
    {
        var data = TinyDataset.Pictures(2 * Size);
        var picture = Theta(data.Test.Pixels.AsSpan(0, data.ImageElements));
        double[] small = [.. Enumerable.Range(0, Size * Size * 3).Select(i => new[] { 0, 1, 2 * Size, 2 * Size + 1 }
            .Average(d => picture[(2 * (i / 3 / Size) * 2 * Size + 2 * (i / 3 % Size) + d) * 3 + i % 3]))];
        Assert.Equal(0, Loss(Only(content: 1), small, data), 1e-20);
    }

    [Fact]
    public void Test_instances_show_the_test_pictures_in_order_and_others_never_see_them()
    {
        for (var i = 0; i < 7; i++) Assert.Equal(0, Loss(Only(content: 1), Content(i % 3), instance: i), 1e-20);
        for (var i = 0; i < 20; i++)
            for (var picture = 0; picture < 3; picture++)
                foreach (var split in new[] { Split.Train, Split.Validate, Split.Tune })
                    Assert.True(Loss(Only(content: 1), Content(picture), split: split, instance: i) > 1e-3);
    }

    [Fact]
    public void An_unknown_style_and_a_size_that_does_not_fit_are_named()
    {
        var style = Assert.Throws<SpecException>(
            () => new NeuralArtTask(new NeuralArtTask.Options { Resolution = Size, Style = "dots" }, s_data));
        Assert.Equal("/task/style", style.Errors[0].Pointer);
        Assert.Contains("stripes, waves", style.Message);
        Assert.Equal("stripes", new NeuralArtTask(new NeuralArtTask.Options { Resolution = Size }, s_data).StyleName);
        Assert.Equal("/task/resolution",
            Assert.Throws<SpecException>(
                () => new NeuralArtTask(new NeuralArtTask.Options { Resolution = 16 }, s_data)).Errors[0].Pointer);
        Assert.Equal("/task/dataset",
            Assert.Throws<SpecException>(
                () => new NeuralArtTask(Only() with { Dataset = ArtDataset.ImagesVgg }, s_data)).Errors[0].Pointer);
    }

    [Fact]
    public void A_run_says_which_features_compare_the_pictures()
    {
        var spec = new EvaluationSpec
        {
            Task = Only(1),
            Horizon = 2,
            Instances = 2,
            Contestants = [new() { Optimizer = new Sgd.Options { LearningRate = 0.01 } }]
        };
        using var kernels = new ScalarKernels<float>();
        var facts = spec.Execute(new RunInputs(kernels, _ => s_data, new Dictionary<Guid, byte[]>()), default)
            .OfType<RunEvent.Metadata>().First().Facts;
        Assert.Equal(("random-filter-bank", "stripes"), ((string?)facts["features"], (string?)facts["style"]));
    }

    [Theory]
    [InlineData(new[] { 0, 2, 5, 7, 10, 12, 14, 17, 19 })] // VGG-16
    [InlineData(new[] { 0, 2, 5, 7, 10, 12, 14, 16, 19, 21 })] // VGG-19
    public void Vgg_is_recognised_by_the_numbers_of_its_layers(int[] places)
    {
        var layers = ArtLayer.Vgg(Vgg(places));
        Assert.Equal(places.Length, layers.Length);
        Assert.Equal([2, 4, places.Length - 2], Enumerable.Range(0, layers.Length).Where(i => layers[i].Halved));
        Assert.Equal([0, 2, 4, places.Length - 2], Enumerable.Range(0, layers.Length).Where(i => layers[i].Style));
        Assert.Equal([places.Length - 1], Enumerable.Range(0, layers.Length).Where(i => layers[i].Content));
        Assert.Contains("features.", Assert.Throws<FormatException>(() => ArtLayer.Vgg(Vgg(places[..^1]))).Message);
    }

    [Fact]
    public void Vggs_first_layer_sees_normalised_pixels_and_its_filters_the_right_way_round()
    {
        var weights = Vgg([0, 2, 5, 7, 10, 12, 14, 17, 19]);
        var (filters, biases) = (weights["features.0.weight"], weights["features.0.bias"]);
        var first = ArtLayer.Vgg(weights)[0];
        var pixels = Noise(27); // a patch [3, 3, 3], as theta
        for (var o = 0; o < 4; o++)
        {
            double expected = biases[o], got = first.Biases![o];
            for (var k = 0; k < 27; k++)
            {
                var channel = k % 3;
                var normalised = (pixels[k] + 0.5 - new[] { 0.485, 0.456, 0.406 }[channel])
                    / new[] { 0.229, 0.224, 0.225 }[channel];
                expected += filters[(o * 3 + channel) * 9 + k / 3] * normalised;
                got += first.Filters[k * 4 + o] * pixels[k];
            }
            Assert.Equal(expected, got, 1e-5);
        }
    }

    [Fact]
    public void Vggs_losses_are_zero_for_the_content_and_the_style()
    {
        var data = s_data with { Features = Vgg([0, 2, 5, 7, 10, 12, 14, 17, 19]) };
        var options = Only(content: 1) with { Dataset = ArtDataset.ImagesVgg };
        Assert.Equal(0, Loss(options, Content(0), data), 1e-20);
        Assert.True(Loss(options, Content(1), data) > 1e-3);
        Assert.Equal(0, Loss(options with { ContentWeight = 0, StyleWeight = 1 }, Theta(data.Styles["stripes"]), data), 1e-20);
    }

    /// <summary>A network of VGG's form with four channels everywhere.</summary>
    static SafeTensors Vgg(int[] places)
    {
        var file = new SafeTensors();
        foreach (var place in places)
        {
            var (filters, biases) = (new float[4 * (place == 0 ? 3 : 4) * 9], new float[4]);
            new RandomStream(3, Split.Train, Purpose.Instance, (uint)place).FillNormal(filters.AsSpan(), 0.4);
            new RandomStream(3, Split.Train, Purpose.Instance, (uint)place, 1).FillNormal(biases.AsSpan(), 0.4);
            file.Add($"features.{place}.weight", filters, 4, filters.Length / 36, 3, 3);
            file.Add($"features.{place}.bias", biases, 4);
        }
        return file;
    }
}

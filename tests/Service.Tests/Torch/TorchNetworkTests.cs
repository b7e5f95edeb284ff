using System.IO.Compression;
using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Workers.Data;
using MetaOpt.Workers.Execution;
using MetaOpt.Workers.Torch;
using TorchSharp;
using Xunit;

namespace MetaOpt.Service.Tests.Torch;

/// <summary>TorchScript modules as optimizees; <c>networks/make.py</c> wrote them.</summary>
public sealed class TorchNetworkTests
{
    static readonly string s_folder = Path.Combine(Checkout.Folder, "tests/Service.Tests/Torch/networks");

    public static TheoryData<string> Sets => ["simd", "torch"];

    static IKernels<float> Kernels(string set) =>
        set == "simd" ? new SimdKernels(2) : new TorchKernels(torch.cuda.is_available() ? torch.CUDA : torch.CPU, 2);

    static TorchNetwork Network(string name) => new(File.ReadAllBytes(Path.Combine(s_folder, name + ".pt")));

    /// <summary>
    /// 60 images of so many channels with 4 x 4 pixels in three classes; the label's channel, or where there is one its pixels,
    /// are bright.
    /// </summary>
    static Dataset Images(int channels = 1)
    {
        var stream = new RandomStream(3, Split.Train, Purpose.Instance);
        var labels = Enumerable.Range(0, 60).Select(i => (byte)(i % 3)).ToArray();
        var pixels = Enumerable.Range(0, 60 * 16 * channels)
            .Select(p =>
                (byte)((stream.Bits((uint)p) & 127) + (p % (16 * channels) % 3 == labels[p / (16 * channels)] ? 128 : 0)))
            .ToArray();
        var images = new LabelledImages(pixels, labels);
        return new("images", 4, 4, 3, images, images, "00") { Channels = channels };
    }

    static TorchScriptTask Task(string network, int coordinates, Dataset? images = null) => new(
        new() { Network = network, Coordinates = coordinates, Batch = 12, InitialDeviation = 0.3 },
        (images ?? Images()) with { Network = Network(network) });

    [Theory, MemberData(nameof(Sets))]
    public void A_module_has_loss_and_gradient_of_the_same_network_of_ours(string set)
    {
        using var kernels = Kernels(set);
        using var simd = new SimdKernels(1);
        var brought = Task("mlp", 103);
        Assert.Equal(["w0", "b0", "w1", "b1"], brought.Parameters.Select(p => p.Name));
        var theta = Theta(brought, simd);
        var ours = Evaluate(new MlpClassificationTask(new() { Hidden = [5], Activation = Activation.Tanh, Batch = 12 }, Images()),
            simd, theta);
        var found = Evaluate(brought, kernels, theta);
        Assert.Equal(ours.Losses, found.Losses, (a, b) => Math.Abs(a - b) < 1e-5);
        Assert.Equal(ours.Gradient, found.Gradient, (a, b) => Math.Abs(a - b) < 1e-5);
        Assert.Contains(found.Gradient, g => Math.Abs(g) > 1e-2);
    }

    [Theory, MemberData(nameof(Sets))]
    public void Images_come_channel_by_channel_and_a_parameter_without_influence_has_no_slope(string set)
    {
        using var kernels = Kernels(set);
        // Image after image, all pixels of channel c are c: the logits are c theta_c / 255.
        var data = Images(3);
        var pixels = Enumerable.Range(0, data.Train.Pixels.Length).Select(i => (byte)(i % 3 * 100)).ToArray();
        data = data with { Train = new(pixels, new byte[60]) };
        var (losses, gradient) = Evaluate(Task("channels", 5, data), kernels, [0.5f, 1, 2, 7, 7, 0.5f, 1, 2, 7, 7]);
        double[] logits = [0, 100 / 255.0, 400 / 255.0];
        var sum = logits.Sum(Math.Exp);
        Assert.Equal(Math.Log(sum), losses[1], 1e-5);
        for (var c = 0; c < 3; c++)
            Assert.Equal((Math.Exp(logits[c]) / sum - (c == 0 ? 1 : 0)) * c * 100 / 255, gradient[c], 1e-5);
        Assert.Equal([0, 0], gradient[3..5]);
    }

    [Theory, MemberData(nameof(Sets))]
    public void What_a_module_draws_is_the_same_at_the_same_step_whichever_batch_it_comes_in(string set)
    {
        using var kernels = Kernels(set);
        var task = Task("noisy", 51);
        var theta = Theta(task, kernels);
        var first = Evaluate(task, kernels, theta);
        Evaluate(task, kernels, theta, step: 4);
        Assert.Equal(first.Losses, Evaluate(task, kernels, theta).Losses);
        Assert.Equal(first.Losses[1..], Evaluate(task, kernels, theta[51..], first: 1).Losses);
        Assert.NotEqual(first.Losses, Evaluate(Task("noisy", 51), kernels, theta, step: 4).Losses);
    }

    [Theory, MemberData(nameof(Sets))]
    public void An_optimizer_learns_on_a_module_and_resumes_with_the_same_bits(string set)
    {
        using var kernels = Kernels(set);
        var spec = Catalog.RunKinds.Read("meta-training", JsonDocument.Parse("""
            {"seed": 1, "task": {"type": "torchscript", "network": "mlp", "coordinates": 103, "batch": 8, "start": "zero", "initialDeviation": 0.3}, "optimizer": {"type": "learnable-sgd", "initialLearningRate": 0.01},
             "training": {"horizon": 20, "unroll": 10, "metaBatch": 4, "metaEpochs": 40, "metaOptimizer": {"learningRate": 0.1},
                          "validation": {"every": 10, "instances": 8} } }
            """).RootElement);
        var whole = new List<RunEvent>();
        byte[] point = [];
        foreach (var runEvent in spec.Execute(Inputs(kernels), default))
        {
            whole.Add(runEvent);
            if (runEvent is RunEvent.ResumePoint { Step: 40 } found) point = found.Bytes();
        }
        var ends = whole.OfType<RunEvent.Point>().Where(p => p.Series == "validation/final").Select(p => p.Value).ToList();
        Assert.True(ends[^1] < 0.8 * ends[0], string.Join(" ", ends));
        Assert.Contains(whole.OfType<RunEvent.Metadata>(), m => (string?)m.Facts["network"] == Network("mlp").Sha256);
        Assert.NotEmpty(point);
        var rest = spec.Execute(Inputs(kernels, point), default).OfType<RunEvent.Checkpoint>().Single().Bytes;
        Assert.Equal(whole.OfType<RunEvent.Checkpoint>().Single().Bytes, rest);

        RunInputs Inputs(IKernels<float> kernels, byte[]? resume = null) => new(
            kernels, name => name == "mnist/mlp"
                ? Images() with { Network = Network("mlp") }
                : throw new InvalidOperationException(name),
            new Dictionary<Guid, byte[]>(), resume);
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_what_it_is()
    {
        using var kernels = Kernels("torch");
        Assert.Contains("no TorchScript module", Assert.Throws<SpecException>(() => new TorchNetwork([1, 2, 3])).Message);
        var ten = Images() with { Classes = 10 };
        Assert.Contains("it must make logits [12, 10]",
            Assert.Throws<SpecException>(() => Evaluate(Task("mlp", 103, ten), kernels, new float[206])).Message);
        var colour = Assert.Throws<SpecException>(() => Evaluate(Task("mlp", 103, Images(3)), kernels, new float[206]));
        Assert.Contains("takes no images [12, 3, 4, 4]: RuntimeError: mat1 and mat2 shapes", colour.Message);
    }

    [Fact]
    public async Task The_folder_of_networks_is_described_and_a_file_that_is_no_module_says_so()
    {
        var data = TestFolders.New("networks");
        var folder = Directory.CreateDirectory(Path.Combine(data, "networks")).FullName;
        File.Copy(Path.Combine(s_folder, "mlp.pt"), Path.Combine(folder, "mlp.pt"));
        File.WriteAllText(Path.Combine(folder, "broken.pt"), "no module");
        File.WriteAllBytes(Path.Combine(folder, "unparsed.pt"), WithCode("mlp", code => code.Replace("return", "return (((")));
        var described = await new NetworkFolder(folder, bytes => new TorchNetwork(bytes))
            .DescribeAsync((name, cancel) => Examination.StartAsync(data, name, cancel), default);
        Assert.Equal(["broken", "mlp", "unparsed"], described.Select(n => (string)n!["name"]!));
        Assert.Matches("no TorchScript module: .{20,}", (string)described[0]!["error"]!);
        Assert.DoesNotContain("frame #", (string)described[0]!["error"]!);
        Assert.Equal(103, (long)described[1]!["coordinates"]!);
        Assert.NotEmpty((string)described[2]!["error"]!);
    }

    /// <summary>A module whose code was edited.</summary>
    static byte[] WithCode(string name, Func<string, string> edit)
    {
        using var file = new MemoryStream();
        file.Write(File.ReadAllBytes(Path.Combine(s_folder, name + ".pt")));
        using (var archive = new ZipArchive(file, ZipArchiveMode.Update, leaveOpen: true))
        {
            var entry = archive.Entries.First(e => e.Name == "__torch__.py");
            string code;
            using (var reader = new StreamReader(entry.Open())) code = reader.ReadToEnd();
            var path = entry.FullName;
            entry.Delete();
            using var writer = new StreamWriter(archive.CreateEntry(path, CompressionLevel.NoCompression).Open());
            writer.Write(edit(code));
        }
        return file.ToArray();
    }

    static float[] Theta(ITask task, IKernels<float> kernels)
    {
        using var arena = kernels.NewArena();
        using var instances = task.Allocate(kernels, 2);
        var theta = arena.Zeros(new Shape(2, task.Coordinates));
        instances.Draw(5, Split.Train, 0);
        instances.InitialTheta(theta);
        return theta.ToArray();
    }

    static (float[] Losses, float[] Gradient) Evaluate(ITask task, IKernels<float> kernels, float[] values, int step = 3,
        int first = 0)
    {
        using var tape = new Tape<float>(kernels);
        using var arena = kernels.NewArena();
        var count = values.Length / task.Coordinates;
        using var instances = task.Allocate(kernels, count);
        var theta = arena.Copy(values, new Shape(count, task.Coordinates));
        instances.Draw(5, Split.Train, first);
        var (losses, gradient) = instances.LossAndGradient(tape, theta, step);
        return (losses.ToArray(), gradient.ToArray());
    }
}

using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using MetaOpt.Workers.Torch;
using TorchSharp;
using Xunit;

namespace MetaOpt.Service.Tests.Torch;

/// <summary>libtorch counts its tensors for the whole process, so nobody else may make any.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public static class Alone
{
    public const string Name = "libtorch alone";
}

/// <summary>A run learns with libtorch as it does without, leaves nothing behind, and does not wait where it need not.</summary>
[Collection(Alone.Name)]
public sealed class TorchTrainingTests
{
    static readonly Func<string, Dataset> s_none = _ => throw new InvalidOperationException();

    /// <summary>On a GPU where there is one.</summary>
    static TorchKernels Kernels => new(torch.cuda.is_available() ? torch.CUDA : torch.CPU, 2);

    static RunSpec Spec(int seed, int epochs = 40) => Catalog.RunKinds.Read("meta-training", JsonDocument.Parse($$$"""
        {"seed": {{{seed}}}, "task": {"type": "quadratic", "dimensions": 5}, "optimizer": {"type": "lstm"},
         "training": {"horizon": 20, "unroll": 10, "metaBatch": 16, "metaEpochs": {{{epochs}}}, "metaOptimizer": {"learningRate": 0.01},
                      "validation": {"every": 10, "instances": 64} } }
        """).RootElement);

    static List<RunEvent> Execute(RunSpec spec, IKernels<float> kernels, byte[]? resume = null) =>
        [.. spec.Execute(new RunInputs(kernels, s_none, new Dictionary<Guid, byte[]>(), resume), default)];

    static double[] Series(List<RunEvent> events, string name) =>
        [.. events.OfType<RunEvent.Point>().Where(p => p.Series == name).Select(p => p.Value)];

    [Fact]
    public void The_first_twenty_meta_steps_are_those_of_simd_and_the_end_lies_within_the_seeds()
    {
        using var simd = new SimdKernels(2);
        using var kernels = Kernels;
        var mine = Execute(Spec(1), kernels);
        var others = Enumerable.Range(1, 6).Select(seed => Execute(Spec(seed), simd)).ToList();
        var (got, want) = (Series(mine, "meta-loss"), Series(others[0], "meta-loss"));
        Assert.Equal(want.Length, got.Length);
        for (var step = 0; step < 20; step++) Assert.InRange(Math.Abs(got[step] - want[step]) / want[step], 0, 1e-2);
        var ends = others.Select(e => Series(e, "validation/final")[^1]).ToList();
        Assert.InRange(Series(mine, "validation/final")[^1], ends.Min(), ends.Max());
    }

    [Fact]
    public void A_resumed_training_gives_the_same_bits_and_another_kernel_set_may_not_resume_it()
    {
        using var kernels = Kernels;
        using var simd = new SimdKernels(1);
        var whole = Execute(Spec(2, 6), kernels);
        byte[] point = [];
        foreach (var runEvent in Spec(2, 6).Execute(new RunInputs(kernels, s_none, new Dictionary<Guid, byte[]>()), default))
        {
            if (runEvent is not RunEvent.ResumePoint { Step: 6 } found) continue;
            point = found.Bytes();
            break;
        }
        Assert.NotEmpty(point);
        Assert.Equal(Checkpoint(whole), Checkpoint(Execute(Spec(2, 6), kernels, point)));
        Assert.Throws<SpecException>(() => Execute(Spec(2, 6), simd, point));

        static string Checkpoint(List<RunEvent> events) =>
            Convert.ToHexString(events.OfType<RunEvent.Checkpoint>().Single().Bytes);
    }

    [Fact]
    public void An_unroll_waits_for_the_device_once_and_leaves_nothing_there()
    {
        using var kernels = Kernels;
        var rule = new CoordinatewiseLstm.Options { Layers = [8] }.Create();
        using var training = new DecoupledBptt<float>(kernels, new QuadraticTask.Options { Dimensions = 5 }.Create(s_none), rule,
            8, 10, LossWeights.Uniform);
        var phi = new float[rule.MetaParameters.Sum(p => p.Shape.Count)];
        rule.Initialise(1, phi);
        var gradient = new double[phi.Length];
        training.Begin(1, Split.Train, 0);
        training.Unroll(phi, 0, gradient);
        var (downloads, tensors) = (kernels.Downloads, torch.Tensor.TotalCount);
        training.Unroll(phi, 10, gradient);
        // The losses; the meta-gradient comes by a way of its own, after them.
        Assert.Equal(1, kernels.Downloads - downloads);
        Assert.Equal(tensors, torch.Tensor.TotalCount);
        Assert.Contains(gradient, g => g != 0);
    }

    [Fact]
    public void Bfloat16_rounds_the_optimizees_products_and_nothing_else()
    {
        using var kernels = Kernels;
        using var rounded = Kernels;
        Assert.True(rounded.UseBfloat16Products());
        Assert.Equal(kernels.Identity + "/bfloat16", rounded.Identity);
        var (exact, products) = (Compute(kernels), Compute(rounded));
        Assert.Equal(exact.Elementwise, products.Elementwise);
        var error = exact.Product.Zip(products.Product, (a, b) => Math.Abs(a - b) / Math.Max(1, Math.Abs(a))).Max();
        Assert.InRange(error, 1e-4, 3e-2); // 8 bits of mantissa, 16 terms

        var (full, half) = (Execute(Spec(3, 6), kernels), Execute(Spec(3, 6), rounded));
        var (want, got) = (Series(full, "meta-loss"), Series(half, "meta-loss"));
        Assert.NotEqual(want, got);
        for (var step = 0; step < want.Length; step++) Assert.InRange(got[step], 0.9 * want[step], 1.1 * want[step]);

        static (float[] Product, float[] Elementwise) Compute(TorchKernels kernels)
        {
            using var arena = kernels.NewArena();
            var values = new float[256];
            new RandomStream(1, Split.Train, Purpose.Instance).FillNormal(values.AsSpan(), 1);
            var (x, z) = (arena.Copy(values, new Shape(16, 16)), arena.Zeros(new Shape(16, 16)));
            kernels.MatMul(x, false, x, true, z);
            var product = z.ToArray();
            kernels.Zip(ZipOp.Multiply, x, x, z);
            return (product, z.ToArray());
        }
    }

    [Fact]
    public void Random_numbers_are_the_hosts()
    {
        using var kernels = Kernels;
        using var simd = new SimdKernels(1);
        Assert.Equal(Start(simd), Start(kernels));

        static float[] Start(IKernels<float> kernels)
        {
            using var arena = kernels.NewArena();
            using var instances = new QuadraticTask.Options().Create(s_none).Allocate(kernels, 3);
            var theta = arena.Zeros(new Shape(3, 10));
            instances.Draw(7, Split.Train, 5);
            instances.InitialTheta(theta);
            return theta.ToArray();
        }
    }

    [Fact]
    public void What_computed_is_named()
    {
        using var kernels = Kernels;
        Assert.StartsWith("torch-", kernels.Name);
        Assert.Contains("TorchSharp", kernels.Facts["libraries"]);
        Assert.NotEmpty(kernels.Facts["device"]);
        Assert.Contains(kernels.Name, KernelSets.Names);
    }
}

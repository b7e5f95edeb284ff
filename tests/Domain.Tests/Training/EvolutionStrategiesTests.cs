using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Evolution strategies against the exact gradient, which only second derivatives give.</summary>
public class EvolutionStrategiesTests
{
    const int Horizon = 8;
    static readonly CoordinatewiseLstm.Options Linear = new()
    {
        Layers = [],
        Preprocessing = Preprocessing.None,
        OutputScale = 1
    };
    static readonly float[] s_phi = [-0.02f, 0.01f];
    static readonly ITask s_task = new QuadraticTask.Options { Dimensions = 3, InitialDeviation = 1 }
        .Create(_ => throw new InvalidOperationException());

    static TrainingOptions Training(int unroll) => new() { Horizon = Horizon, Unroll = unroll, MetaBatch = 4 };

    /// <summary>The sum of the unrolls' gradients at one phi over a whole horizon.</summary>
    static double[] Sum(EstimatorOptions options, int unroll)
    {
        using var kernels = KernelSets.Create("auto", 1);
        using var estimator = options.Create(kernels, s_task, Linear.Create(), Training(unroll));
        var (gradient, total) = (new double[s_phi.Length], new double[s_phi.Length]);
        estimator.Begin(1, Split.Train, 0);
        for (var step = 0; step < Horizon; step += unroll)
        {
            estimator.Unroll(s_phi, step, gradient);
            for (var i = 0; i < total.Length; i++) total[i] += gradient[i];
        }
        return total;
    }

    static double[] Exact()
    {
        using var kernels = new ScalarKernels<float>();
        using var tape = new TapeBptt<float>(kernels, s_task, Linear.Create(), 4, Horizon, LossWeights.Uniform, true);
        var gradient = new double[s_phi.Length];
        tape.Begin(1, Split.Train, 0);
        tape.Unroll(s_phi, 0, gradient);
        return gradient;
    }

    static double Error(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum() / b.Sum(y => y * y));

    [Fact]
    public void Over_the_whole_horizon_it_estimates_the_exact_gradient() =>
        Assert.InRange(Error(Sum(new EvolutionStrategies.TruncatedOptions { Deviation = 1e-3, Pairs = 1000 }, Horizon), Exact()),
            0, 0.15);

    /// <summary>The noise must not be made of the numbers that the task's instances are made of.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(0, 5)]
    public void Hardened_tasks_and_noise_draw_from_different_streams(double scaling, int convex)
    {
        var training = Training(1) with { RandomScaling = scaling, ConvexDimensions = convex };
        using var kernels = KernelSets.Create("auto", 1);
        using var estimator = new EvolutionStrategies.PersistentOptions { Pairs = 3 }
            .Create(kernels, s_task, Linear.Create(), training);
        estimator.Begin(1, Split.Train, 8);
        var perturbation = new float[3 * s_phi.Length];
        foreach (var step in new[] { 0, 1 }) // of RandomScaling, of ConvexMixture
        {
            var before = Noise();
            estimator.Unroll(s_phi, step, new double[s_phi.Length]);
            new RandomStream(1, Split.Train, Purpose.Perturbation, 8, (uint)step).FillNormal<float>(perturbation, 1);
            var same = Noise().Zip(before, (sum, earlier) => sum - earlier).Zip(perturbation, (x, y) => Math.Abs(x - y))
                .Max() < 1e-5;
            Assert.Equal(scaling == 0 && convex == 0, same);
        }

        float[] Noise() => SafeTensors.Read(Snapshot.Write(kernels.Identity, estimator.Keep))["noise"];
    }

    /// <summary>Truncated to two steps the plain form misses what an update does later; the persistent one does not.</summary>
    [Fact]
    public void Persistent_it_is_unbiased_over_unrolls_and_truncated_it_is_not()
    {
        var exact = Exact();
        Assert.InRange(Error(Sum(new EvolutionStrategies.PersistentOptions { Deviation = 1e-3, Pairs = 1000 }, 2), exact), 0,
            0.2);
        Assert.InRange(Error(Sum(new EvolutionStrategies.TruncatedOptions { Deviation = 1e-3, Pairs = 1000 }, 2), exact), 0.3,
            10);
    }
}

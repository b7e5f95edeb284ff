using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>
/// Every weighting of the meta-loss and its gradient against plain loops: f_b(x) = c_b x^2 from x_0 = 1, with the linear rule g_t
/// = w grad_t + b, so that x, dx/dw and dx/db are three numbers.
/// </summary>
public class MetaLossTests
{
    const int Steps = 4;
    const double Floor = 1e-12;
    static readonly CoordinatewiseLstm.Options s_linear = new()
    {
        Layers = [],
        Preprocessing = Preprocessing.None,
        OutputScale = 1
    };
    static readonly double[] s_factors = [1, 3, 1e-11, 1e-13]; // the last one's loss is below the floor of the logarithm

    /// <summary>w_1 .. w_4, written down.</summary>
    static double[] Weights(LossWeights kind) => kind switch
    {
        LossWeights.Last => [0, 0, 0, 1],
        LossWeights.Linear => [0.25, 0.5, 0.75, 1],
        _ => [1, 1, 1, 1],
    };

    /// <summary>One instance: where it is, and how that depends on phi.</summary>
    struct Instance
    {
        public double X, ByW, ByB;
    }

    sealed record Unrolled(double Meta, double MeanLoss, double[] Gradient);

    /// <summary>One unroll; <paramref name="second"/>: the gradients depend on phi as well.</summary>
    static Unrolled Unroll(Instance[] instances, double w, double b, LossWeights kind, bool second)
    {
        var (meta, mean, weights, gradient) = (0.0, 0.0, Weights(kind), new double[2]);
        for (var i = 0; i < instances.Length; i++)
        {
            ref var at = ref instances[i];
            var c = s_factors[i];
            (at.ByW, at.ByB) = (0, 0); // truncated: what came before the unroll is given
            for (var t = 0; t < Steps; t++)
            {
                var (slope, through) = (2 * c * at.X, second ? 2 * c * w : 0);
                (at.ByW, at.ByB) = (at.ByW + slope + through * at.ByW, at.ByB + 1 + through * at.ByB);
                at.X += w * slope + b;
                var f = c * at.X * at.X;
                var (value, byLoss) = kind != LossWeights.Log
                    ? (f, 1.0)
                    : f < Floor ? (Math.Log(Floor), 0) : (Math.Log(f), 1 / f);
                meta += weights[t] * value / instances.Length;
                mean += f / instances.Length / Steps;
                gradient[0] += weights[t] * byLoss * 2 * c * at.X * at.ByW / instances.Length;
                gradient[1] += weights[t] * byLoss * 2 * c * at.X * at.ByB / instances.Length;
            }
        }
        return new(meta, mean, gradient);
    }

    static Instance[] Start => [.. s_factors.Select(_ => new Instance { X = 1 })];

    public static TheoryData<LossWeights, double, double> Cases
    {
        get
        {
            var data = new TheoryData<LossWeights, double, double>();
            foreach (var kind in Enum.GetValues<LossWeights>()) data.Add(kind, -0.07, 0.02);
            // x_1 = b where c = 1: the loss of that instance is below the floor, and just above it.
            data.Add(LossWeights.Log, -0.5, 3e-7);
            data.Add(LossWeights.Log, -0.5, 3e-6);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Back_propagation_gives_the_loops_gradient_and_mean_loss(LossWeights kind, double w, double b)
    {
        using var kernels = new ScalarKernels<double>();
        foreach (var second in new[] { false, true })
        {
            using IGradientEstimator<double> tape = new TapeBptt<double>(kernels, new Squares(s_factors), s_linear.Create(),
                s_factors.Length, Steps, kind, second);
            using IGradientEstimator<double> loops = new DecoupledBptt<double>(kernels, new Squares(s_factors), s_linear.Create(),
                s_factors.Length, Steps, kind);
            foreach (var estimator in second ? [tape] : new[] { tape, loops })
            {
                var (instances, gradient) = (Start, new double[2]);
                estimator.Begin(1, Split.Train, 0);
                for (var unroll = 0; unroll < 2; unroll++)
                {
                    var mean = estimator.Unroll([w, b], unroll * Steps, gradient);
                    var expected = Unroll(instances, w, b, kind, second);
                    Assert.Equal(1, mean / expected.MeanLoss, 1e-12);
                    for (var i = 0; i < 2; i++) Assert.Equal(1, gradient[i] / expected.Gradient[i], 1e-9);
                }
            }
        }
    }

    /// <summary>
    /// The mean over pairs of n (L(phi + sigma n) - L(phi - sigma n)) / (2 sigma), with the noise of its address; persistent, of
    /// runs that go on for the whole horizon, with the sum of their noise.
    /// </summary>
    [Theory, MemberData(nameof(Cases))]
    public void Strategies_give_the_loops_differences(LossWeights kind, double w, double b)
    {
        const int pairs = 3;
        const double sigma = 0.03125;
        var training = new TrainingOptions { MetaBatch = s_factors.Length, Unroll = Steps, LossWeights = kind };
        using var kernels = KernelSets.Create("scalar", 1);
        foreach (var persistent in new[] { false, true })
        {
            EvolutionStrategies.Options options = persistent
                ? new EvolutionStrategies.PersistentOptions { Deviation = sigma, Pairs = pairs }
                : new EvolutionStrategies.TruncatedOptions { Deviation = sigma, Pairs = pairs };
            using var estimator = options.Create(kernels, new Squares(s_factors), s_linear.Create(), training);
            var (own, runs, sums) = (Start, Enumerable.Range(0, 2 * pairs).Select(_ => Start).ToArray(), new double[2 * pairs]);
            estimator.Begin(7, Split.Train, 6);
            for (var step = 0; step < 2 * Steps; step += Steps)
            {
                var (noise, gradient, expected, mean) = (new float[2 * pairs], new double[2], new double[2], 0.0);
                new RandomStream(7, Split.Train, Purpose.Perturbation, 6, (uint)step).FillNormal<float>(noise, 1);
                for (var pair = 0; pair < pairs; pair++)
                {
                    var losses = new double[2];
                    foreach (var side in new[] { 0, 1 })
                    {
                        var (run, size) = (persistent ? runs[2 * pair + side] : [.. own], side == 0 ? sigma : -sigma);
                        var unrolled = Unroll(run, (float)((float)w + size * noise[2 * pair]),
                            (float)((float)b + size * noise[2 * pair + 1]), kind, false);
                        losses[side] = unrolled.Meta;
                        mean += unrolled.MeanLoss / (2 * pairs);
                    }
                    for (var i = 0; i < 2; i++)
                    {
                        sums[2 * pair + i] = persistent ? sums[2 * pair + i] + noise[2 * pair + i] : noise[2 * pair + i];
                        expected[i] += sums[2 * pair + i] * (losses[0] - losses[1]) / (2 * sigma * pairs);
                    }
                }
                if (!persistent) mean = Unroll(own, (float)w, (float)b, kind, false).MeanLoss;
                Assert.Equal(1, estimator.Unroll([(float)w, (float)b], step, gradient) / mean, 1e-4);
                for (var i = 0; i < 2; i++) Assert.Equal(1, gradient[i] / expected[i], 2e-3);
            }
        }
    }

    /// <summary>f_b(x) = c_b x^2, x_0 = 1.</summary>
    sealed class Squares(double[] factors) : ITask
    {
        public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("x", new Shape(1))];

        public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count)
            where T : unmanaged, IBinaryFloatingPointIeee754<T> => new Instances<T>(factors);

        sealed class Instances<T>(double[] factors) : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            public int Count => factors.Length;

            public void Draw(ulong seed, Split split, int first) { }

            public void InitialTheta(Tensor<T> theta) => theta.Span.Fill(T.One);

            public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step) => tape.Multiply(
                tape.Reshape(tape.Square(theta), new Shape(Count)),
                tape.Constant(factors.Select(T.CreateTruncating).ToArray(), new Shape(Count)));

            public void Dispose() { }
        }
    }
}

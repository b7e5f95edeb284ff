using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Learning to make a teacher's updates.</summary>
public class ImitationTests
{
    static readonly TrainingSpec s_small = new()
    {
        Seed = 7,
        Task = new QuadraticTask.Options { Dimensions = 4 },
        Optimizer = new CoordinatewiseLstm.Options { Layers = [10] },
        Training = new TrainingOptions
        {
            Horizon = 20,
            Unroll = 10,
            MetaBatch = 16,
            MetaEpochs = 300,
            MetaOptimizer = new() { LearningRate = 0.01 },
            Imitation = new() { Shares = [1] },
            Validation = new() { Every = 0 },
        },
    };

    static List<double> Series(TrainingSpec spec, string name) =>
        [.. Run(spec).OfType<RunEvent.Point>().Where(p => p.Series == name).Select(p => p.Value)];

    /// <summary>
    /// At first the updates are zero, so the first loss is the mean square of Adam's own; every meta-epoch has fresh functions.
    /// </summary>
    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    public void Imitation_alone_brings_the_updates_near_adams(long seed)
    {
        var losses = Series(s_small with { Seed = seed }, "imitation-loss");
        Assert.Equal(600, losses.Count);
        var ratio = losses[^20..].Average() / losses[0];
        // Measured: 0.0044, 0.0061, 0.0062.
        Assert.True(ratio < 0.02, $"{ratio}");
    }

    [Theory]
    [InlineData("lstm")]
    [InlineData("rnnprop")]
    public void The_gradient_is_that_of_finite_differences(string name)
    {
        const int steps = 5;
        Assert.True(Catalog.LearnedOptimizers.TryFind(name, out var entry));
        var rule = ((LearnedOptimizerOptions)Activator.CreateInstance(entry.Options)!).Create();
        var task = s_small.Task.Create(_ => throw new InvalidOperationException());
        var phi = new float[rule.MetaParameterCount];
        rule.Initialise(5, phi);
        for (var i = 0; i < phi.Length; i++) phi[i] += (float)(0.05 * Math.Sin(i + 1));
        using var kernels = new ScalarKernels<float>();
        using var imitation = new Imitation(kernels, task, rule, new Adam.Options { LearningRate = 0.05 }.Create(), 3, steps);
        var (gradient, unused) = (new double[phi.Length], new double[phi.Length]);
        Loss(phi, gradient);
        AssertSlope(0, phi.Length);
        foreach (var (tensor, from) in rule.MetaParameters.Select(
            (t, i) => (t, rule.MetaParameters.Take(i).Sum(p => p.Shape.Count))))
            AssertSlope(from, tensor.Shape.Count);

        // Along a part of the gradient the slope is that part's length: float32 shows it better than a single element's.
        void AssertSlope(int from, int count)
        {
            const double width = 0.01;
            var length = Math.Sqrt(gradient.Skip(from).Take(count).Sum(g => g * g));
            var whole = Math.Sqrt(gradient.Sum(g => g * g));
            // Measured: at most 3.2e-5.
            Assert.Equal(length, (At(width) - At(-width)) / (2 * width), 3e-4 * whole);

            double At(double distance)
            {
                var point = (float[])phi.Clone();
                for (var i = from; i < from + count; i++) point[i] += (float)(distance * gradient[i] / length);
                return Loss(point, unused);
            }
        }

        double Loss(float[] point, double[] result)
        {
            imitation.Begin(5, Split.Train, 0);
            return steps * imitation.Unroll(point, 0, result);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    [InlineData(9)]
    [InlineData(14)]
    public void A_cancelled_run_goes_on_bit_for_bit(int steps)
    {
        var spec = s_small with
        {
            Training = s_small.Training with
            {
                MetaEpochs = 6,
                Unroll = 5,
                StartOffset = 3,
                RandomScaling = 1,
                Imitation = new() { Shares = [0.5] }
            },
        };
        var (events, point) = Cancel(spec, steps);
        Assert.Equal(Final(Run(spec)), Final(Run(spec, point)));
        Assert.True(steps < 14
            || events.OfType<RunEvent.Point>().Select(p => p.Series).ToHashSet().SetEquals(["imitation-loss", "meta-loss"]));
    }

    [Theory]
    [InlineData("""{"teacher":{"type":"adam"}}""", "/training/imitation/teacher/learningRate")]
    [InlineData("""{"teacher":{"type":"bfgs","learningRate":0.1}}""", "/training/imitation/teacher")]
    public void What_contradicts_it_is_refused(string imitation, string pointer)
    {
        using var json = JsonDocument.Parse(
            $$"""{"task":{"type":"quadratic","dimensions":4096},"optimizer":{"type":"lstm"},"training":{"imitation":{{imitation}} } }""");
        Assert.Equal(pointer,
            Assert.Single(
                Assert.Throws<SpecException>(() => Catalog.RunKinds.Read("meta-training", json.RootElement)).Errors).Pointer);
    }
}

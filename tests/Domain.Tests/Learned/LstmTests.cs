using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>The fused LSTM against the tape, finite differences and itself.</summary>
public class LstmTests
{
    public static TheoryData<int[], Preprocessing, bool, int> Shapes => new()
    {
        { [20, 20], Preprocessing.LogAndSign, true, 37 },
        { [20, 20], Preprocessing.None, true, 64 },
        { [5], Preprocessing.LogAndSign, true, 1 },
        { [1, 3, 2], Preprocessing.None, true, 33 },
        { [7, 4], Preprocessing.LogAndSign, false, 100 },
        { [20, 20], Preprocessing.LogAndSign, false, 33 },
        { [3, 1, 5], Preprocessing.None, false, 15 },
        { [64, 1, 33], Preprocessing.LogAndSign, true, 17 },
        { [], Preprocessing.None, true, 10 },
        { [], Preprocessing.LogAndSign, true, 31 },
    };

    static ILearnedOptimizer Rule(int[] layers, Preprocessing preprocessing, bool forgetGates = true) =>
        new CoordinatewiseLstm.Options
        {
            Layers = layers,
            Preprocessing = preprocessing,
            ForgetGates = forgetGates,
            ZeroOutput = false
        }.Create();

    static float[] Phi(ILearnedOptimizer rule, ulong seed)
    {
        var phi = new float[rule.MetaParameterCount];
        rule.Initialise(seed, phi);
        var noise = new float[phi.Length];
        new RandomStream(seed, Split.Test, Purpose.Perturbation).FillNormal<float>(noise, 0.1);
        for (var i = 0; i < phi.Length; i++) phi[i] += noise[i];
        return phi;
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Fused_meta_gradient_in_double_agrees_with_central_differences(int[] layers, Preprocessing preprocessing,
        bool forgetGates, int coordinates)
    {
        var replay = Replay.Random(Rule(layers, preprocessing, forgetGates), coordinates, 6, 1);
        var phi = Phi(replay.Rule, 2);
        using var kernels = new ScalarKernels<double>();
        var gradient = replay.Gradient(kernels, phi);
        // Every parameter of a small network, a spread of a large one's.
        Assert.InRange(replay.ErrorOfDifferences(gradient, phi, i => phi.Length <= 500 || i % 37 == 0 || i >= phi.Length - 25), 0,
            1e-6);
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Fused_meta_gradient_is_the_tapes(int[] layers, Preprocessing preprocessing, bool forgetGates, int coordinates)
    {
        var replay = Replay.Random(Rule(layers, preprocessing, forgetGates), coordinates, 20, 3);
        var phi = Phi(replay.Rule, 4);
        using var kernels = new ScalarKernels<double>();
        Assert.InRange(replay.WorstRelativeError(replay.Gradient(kernels, phi), replay.TapeGradient(phi)), 0, 1e-11);
    }

    /// <summary>Any sizes from 1 to 64, up to three layers, any number of coordinates and steps.</summary>
    [Fact]
    public void Fused_and_tape_agree_on_random_networks_in_every_kernel_set()
    {
        using var kernels = new ScalarKernels<double>();
        foreach (var seed in Enumerable.Range(1, 20))
        {
            var random = new Random(seed);
            var layers = Enumerable.Range(0, random.Next(1, 4))
                .Select(_ => random.Next(4) == 0 ? random.Next(1, 65) : random.Next(1, 12)).ToArray();
            var preprocessing = random.Next(2) == 0 ? Preprocessing.None : Preprocessing.LogAndSign;
            var replay = Replay.Random(Rule(layers, preprocessing, random.Next(2) == 0), random.Next(1, 80), random.Next(1, 8),
                (ulong)seed);
            var phi = Phi(replay.Rule, (ulong)seed);
            var what = $"[{string.Join(", ", layers)}], {preprocessing}, {replay.Coordinates} coordinates, {replay.Steps} steps";
            var tape = replay.TapeGradient(phi);
            var error = replay.WorstRelativeError(replay.Gradient(kernels, phi), tape);
            Assert.True(error < 1e-11, $"{what}: the fused one is off by {error:E1} in double.");
            foreach (var name in KernelSets.Every)
            {
                using var floats = KernelSets.Create(name, 2);
                error = replay.WorstRelativeError(replay.Gradient(floats, phi), tape);
                Assert.True(error < 1e-4, $"{what}: {name} is off by {error:E1}.");
            }
        }
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Every_kernel_set_in_float_agrees_with_double(int[] layers, Preprocessing preprocessing, bool forgetGates,
        int coordinates)
    {
        var replay = Replay.Random(Rule(layers, preprocessing, forgetGates), coordinates, 20, 5);
        var phi = Phi(replay.Rule, 6);
        using var reference = new ScalarKernels<double>();
        var expected = replay.Gradient(reference, phi);
        foreach (var name in KernelSets.Every)
        {
            using var kernels = KernelSets.Create(name, 2);
            Assert.InRange(replay.WorstRelativeError(replay.Gradient(kernels, phi), expected), 0, 1e-4);
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var replay = Replay.Random(Rule([20, 20], Preprocessing.LogAndSign), 1000, 20, 7);
        var phi = Phi(replay.Rule, 8);
        var results = new[] { 1, 2, 3, 7 }.Select(threads =>
        {
            using var kernels = KernelSets.Create("simd", threads);
            return replay.Gradient(kernels, phi);
        }).ToList();
        Assert.All(results, r => Assert.Equal(results[0], r));
    }

    /// <summary>Andrychowicz et al., appendix A, p = 10, through a linear rule that passes one feature on.</summary>
    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(-0.5, -0.0693147, -1)]
    [InlineData(1e-3, -0.6907755, 1)]
    [InlineData(4.5399929762484854e-5, -1, 1)]
    [InlineData(1e-5, -1, 0.2202647)]
    [InlineData(0, -1, 0)]
    [InlineData(50, 0.3912023, 1)]
    public void Preprocessing_follows_the_papers_table(double gradient, double size, double sign)
    {
        var rule = new CoordinatewiseLstm.Options { Layers = [], OutputScale = 1 }.Create();
        Assert.Equal(size, Update(rule, gradient, [1, 0, 0]), 5e-7);
        Assert.Equal(sign, Update(rule, gradient, [0, 1, 0]), 5e-6);

        static double Update(ILearnedOptimizer rule, double gradient, double[] phi)
        {
            using var kernels = new ScalarKernels<double>();
            using var arena = new Arena<double>();
            using var state = rule.Start(kernels, Layout.Flat(1, 1));
            state.SetParameters(phi);
            var theta = arena.Zeros(new Shape(1));
            state.Step(theta, arena.Copy([gradient], new Shape(1)));
            return theta.Span[0];
        }
    }

    [Fact]
    public void A_zero_output_layer_gives_zero_updates()
    {
        var rule = new CoordinatewiseLstm.Options { ZeroOutput = true }.Create();
        var phi = new float[rule.MetaParameterCount];
        rule.Initialise(1, phi);
        using var kernels = KernelSets.Create("auto", 1);
        using var arena = new Arena<float>();
        using var state = rule.Start(kernels, Layout.Flat(1, 3));
        state.SetParameters(phi);
        var theta = arena.Zeros(new Shape(3));
        state.Step(theta, arena.Copy([1e-8f, -3, 1e5f], new Shape(3)));
        Assert.All(theta.Span.ToArray(), x => Assert.Equal(0, x));
    }

    [Fact]
    public void Permuting_the_coordinates_permutes_the_updates()
    {
        var rule = Rule([20, 20], Preprocessing.LogAndSign);
        var phi = Phi(rule, 9);
        var gradient = new float[50];
        new RandomStream(1, Split.Test, Purpose.Instance).FillNormal<float>(gradient, 1);
        var forward = Run(gradient);
        var backward = Run([.. gradient.Reverse()]);
        Assert.Equal(forward, backward.Reverse());

        float[] Run(float[] values)
        {
            using var kernels = KernelSets.Create("auto", 1);
            using var arena = new Arena<float>();
            using var state = rule.Start(kernels, Layout.Flat(1, values.Length));
            state.SetParameters(phi);
            var theta = arena.Zeros(new Shape(values.Length));
            for (var step = 0; step < 3; step++) state.Step(theta, arena.Copy(values, new Shape(values.Length)));
            return theta.Span.ToArray();
        }
    }
}

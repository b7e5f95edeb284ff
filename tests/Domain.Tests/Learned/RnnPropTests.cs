using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>RNNprop against its definition (Lv, Jiang and Li, 2017, section 4.2), written again as plain loops.</summary>
public class RnnPropTests
{
    static readonly RnnProp.Options s_options = new() { Features = 3, Layers = [4, 2], ZeroOutput = false };
    static readonly ILearnedOptimizer s_rule = s_options.Create();

    [Fact]
    public void It_is_the_papers_formula()
    {
        var phi = RuleRun.Phi(s_rule, 1, 0.3);
        double[] gradients = [0.5, -2, 1e-3, 0, 7];
        var (m, v, theta) = (0.0, 0.0, 0.0);
        double[][] cells = [new double[4], new double[2]], hidden = [new double[4], new double[2]];
        var expected = new List<double>();
        for (var t = 1; t <= gradients.Length; t++)
        {
            var g = gradients[t - 1];
            (m, v) = (0.95 * m + 0.05 * g, 0.95 * v + 0.05 * g * g);
            var unbias = 1 - Math.Pow(0.95, t);
            var root = Math.Sqrt(v / unbias);
            var x = Dense("input", [m / unbias / root, g / root]).Select(a => a > 0 ? a : Math.Exp(a) - 1).ToArray();
            for (var l = 0; l < 2; l++)
            {
                var n = cells[l].Length;
                var gates = Dense($"lstm.{l}", [.. x, .. hidden[l]]);
                for (var i = 0; i < n; i++)
                {
                    cells[l][i] = Sigmoid(gates[n + i]) * cells[l][i] + Sigmoid(gates[i]) * Math.Tanh(gates[2 * n + i]);
                    hidden[l][i] = Sigmoid(gates[3 * n + i]) * Math.Tanh(cells[l][i]);
                }
                x = [.. hidden[l]];
            }
            theta -= 0.1 * Math.Tanh(Dense("output", x)[0]);
            expected.Add(theta);
        }
        var actual = RuleRun.Thetas(s_rule, phi, Layout.Flat(1, 1), [0], [.. gradients.Select(g => new[] { g })]);
        RuleRun.AssertClose([.. expected], [.. actual.Select(a => a[0])], 1e-7);

        double[] Dense(string name, double[] x)
        {
            var bias = RuleRun.Part(s_rule, phi, name + ".bias").ToArray();
            var weight = RuleRun.Part(s_rule, phi, name + ".weight").ToArray();
            return [.. bias.Select((b, row) => b + x.Select((value, column) => value * weight[row * x.Length + column]).Sum())];
        }

        static double Sigmoid(double a) => 1 / (1 + Math.Exp(-a));
    }

    [Fact]
    public void The_scale_of_a_coordinates_gradients_does_not_matter_and_updates_are_bounded()
    {
        var phi = RuleRun.Phi(s_rule, 2, 3);
        var gradients = Enumerable.Range(0, 6).Select(step => RuleRun.Normal(5, 2, (uint)step)).ToArray();
        double[] scales = [1e-3, 1, 20, 1e4, 1e6];
        var scaled = gradients.Select(row => row.Zip(scales, (g, s) => g * s).ToArray()).ToArray();
        var plain = RuleRun.Thetas(s_rule, phi, Layout.Flat(1, 5), new double[5], gradients);
        var other = RuleRun.Thetas(s_rule, phi, Layout.Flat(1, 5), new double[5], scaled);
        RuleRun.AssertClose(plain[^1], other[^1], 1e-3);
        Assert.All(plain[0], x => Assert.InRange(Math.Abs(x), 1e-4, 0.1));
    }

    [Fact]
    public void Gradients_of_zero_are_features_of_zero()
    {
        var phi = RuleRun.Phi(s_rule, 3);
        RuleRun.Part(s_rule, phi, "input.bias").Clear();
        for (var l = 0; l < 2; l++) RuleRun.Part(s_rule, phi, $"lstm.{l}.bias").Clear();
        RuleRun.Part(s_rule, phi, "output.bias").Clear();
        Assert.All(RuleRun.Thetas(s_rule, phi, Layout.Flat(1, 2), [1, 2], [0, 0], [0, 0])[^1].Zip([1.0, 2.0]),
            x => Assert.Equal(x.Second, x.First));
    }

    public static TheoryData<int, int[], int> Shapes => new()
    {
        { 20, [20, 20], 37 },
        { 5, [3], 1 },
        { 1, [1, 3, 2], 33 },
        { 7, [9, 4], 100 },
    };

    static ILearnedOptimizer Rule(int features, int[] layers) =>
        new RnnProp.Options { Features = features, Layers = layers, ZeroOutput = false }.Create();

    static float[] Phi(ILearnedOptimizer rule, ulong seed) => [.. RuleRun.Phi(rule, seed).Select(x => (float)x)];

    [Theory, MemberData(nameof(Shapes))]
    public void Fused_meta_gradient_in_double_agrees_with_central_differences(int features, int[] layers, int coordinates)
    {
        var replay = Replay.Random(Rule(features, layers), coordinates, 6, 1);
        var phi = Phi(replay.Rule, 2);
        using var kernels = new ScalarKernels<double>();
        var gradient = replay.Gradient(kernels, phi);
        // Every parameter of a small network; of a large one the input layer, the output and a spread of the rest.
        Assert.InRange(
            replay.ErrorOfDifferences(gradient, phi,
                i => phi.Length <= 500 || i % 37 == 0 || i < 3 * features || i >= phi.Length - 25), 0, 1e-6);
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Fused_meta_gradient_is_the_tapes_in_every_kernel_set(int features, int[] layers, int coordinates)
    {
        var replay = Replay.Random(Rule(features, layers), coordinates, 20, 3);
        var phi = Phi(replay.Rule, 4);
        var tape = replay.TapeGradient(phi);
        using var kernels = new ScalarKernels<double>();
        Assert.InRange(replay.WorstRelativeError(replay.Gradient(kernels, phi), tape), 0, 1e-10);
        foreach (var name in KernelSets.Every)
        {
            using var floats = KernelSets.Create(name, 2);
            Assert.InRange(replay.WorstRelativeError(replay.Gradient(floats, phi), tape), 0, 1e-4);
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var replay = Replay.Random(Rule(20, [20, 20]), 1000, 20, 7);
        var phi = Phi(replay.Rule, 8);
        var results = new[] { 1, 2, 7 }.Select(threads =>
        {
            using var kernels = KernelSets.Create("simd", threads);
            return replay.Gradient(kernels, phi);
        }).ToList();
        Assert.All(results, r => Assert.Equal(results[0], r));
    }
}

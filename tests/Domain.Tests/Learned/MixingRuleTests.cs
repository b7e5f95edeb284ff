using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>Rules that mix an instance's coordinates: LSTM+GAC, NTM-BFGS, the hierarchical RNN.</summary>
public class MixingRuleTests
{
    static readonly LstmGac.Options s_gac = new() { Layers = [6, 4], AveragedUnits = 2, ZeroOutput = false };

    static double[][] Gradients(int count, int steps = 4) =>
        [.. Enumerable.Range(0, steps).Select(step => RuleRun.Normal(count, 3, (uint)step))];

    public static TheoryData<string> Names => ["lstm-gac", "ntm-bfgs"];

    static ILearnedOptimizer Rule(string name) =>
        name == "lstm-gac" ? s_gac.Create() : new NtmBfgs.Options { Layers = [6, 4], AveragedUnits = 2 }.Create();

    [Theory, MemberData(nameof(Names))]
    public void Permuting_the_coordinates_permutes_the_updates(string name)
    {
        var rule = Rule(name);
        var phi = RuleRun.Phi(rule, 4);
        var gradients = Gradients(7);
        var forward = RuleRun.Thetas(rule, phi, Layout.Flat(1, 7), new double[7], gradients);
        var backward = RuleRun.Thetas(rule, phi, Layout.Flat(1, 7), new double[7],
            [.. gradients.Select(g => g.Reverse().ToArray())]);
        RuleRun.AssertClose(forward[^1], [.. backward[^1].Reverse()], 1e-12);
    }

    [Theory, MemberData(nameof(Names))]
    public void Each_coordinate_feels_the_others_of_its_instance(string name)
    {
        var rule = Rule(name);
        var phi = RuleRun.Phi(rule, 5);
        var gradients = Gradients(6);
        var layout = Layout.Flat(2, 3);
        var before = RuleRun.Thetas(rule, phi, layout, new double[6], gradients);
        gradients[0][2] = -gradients[0][2];
        var after = RuleRun.Thetas(rule, phi, layout, new double[6], gradients);
        Assert.NotEqual(before[^1][0], after[^1][0], 1e-6);
        Assert.Equal(before[^1][3..], after[^1][3..]);
    }

    [Fact]
    public void Without_averaged_units_LSTM_GAC_is_the_LSTM()
    {
        var rule = (s_gac with { AveragedUnits = 0 }).Create();
        var lstm = new CoordinatewiseLstm.Options { Layers = [6, 4], ZeroOutput = false }.Create();
        var phi = RuleRun.Phi(rule, 6);
        var layout = Layout.Flat(2, 5);
        RuleRun.AssertClose(
            RuleRun.Thetas(lstm, phi, layout, new double[10], Gradients(10))[^1],
            RuleRun.Thetas(rule, phi, layout, new double[10], Gradients(10))[^1], 1e-12);
        Assert.NotEqual(
            RuleRun.Thetas(s_gac.Create(), phi, layout, new double[10], Gradients(10))[^1][0],
            RuleRun.Thetas(rule, phi, layout, new double[10], Gradients(10))[^1][0], 1e-6);
    }

    /// <summary>One unit that is averaged: the first update is the mean over the coordinates, for all of them.</summary>
    [Fact]
    public void An_averaged_unit_gives_all_coordinates_their_mean()
    {
        var rule = new LstmGac.Options { Layers = [1], AveragedUnits = 1, ZeroOutput = false, OutputScale = 1 }.Create();
        var alone = (new LstmGac.Options { Layers = [1], AveragedUnits = 0, ZeroOutput = false, OutputScale = 1 }).Create();
        var phi = RuleRun.Phi(rule, 7);
        var gradient = Gradients(4)[0];
        var single = RuleRun.Thetas(alone, phi, Layout.Flat(1, 4), new double[4], gradient)[0];
        RuleRun.AssertClose([.. Enumerable.Repeat(single.Average(), 4)],
            RuleRun.Thetas(rule, phi, Layout.Flat(1, 4), new double[4], gradient)[0], 1e-12);
    }

    /// <summary>
    /// H + (1 + y'Hy / s'y) s s' / s'y - (H y s' + s y' H) / s'y (Nocedal and Wright, 2006, equation 6.17) as three writes, for
    /// two instances; the result maps y to s.
    /// </summary>
    [Fact]
    public void Heads_set_by_hand_make_a_BFGS_update()
    {
        const int n = 4;
        using var kernels = new ScalarKernels<double>();
        using var tape = new Tape<double>(kernels);
        var memory = tape.Zeros(new Shape(2, n, n));
        for (var b = 0; b < 2; b++)
            for (var i = 0; i < n; i++)
                memory.Span[b * n * n + i * n + i] = 1 + b;
        var s = tape.Constant(RuleRun.Normal(2 * n, 8, 0), new Shape(2, n, 1));
        var y = tape.Constant([.. s.Span.ToArray().Zip(RuleRun.Normal(2 * n, 8, 1), (a, c) => 2 * a + 0.1 * c)], s.Shape);
        for (var update = 0; update < 2; update++)
        {
            var before = memory.Span.ToArray();
            var hy = NtmBfgs.Read(tape, memory, y);
            var (first, second, third) = (tape.Zeros(s.Shape), tape.Zeros(s.Shape), tape.Zeros(s.Shape));
            for (var b = 0; b < 2; b++)
            {
                var (sy, yhy) = (0.0, 0.0);
                for (var i = b * n; i < (b + 1) * n; i++) (sy, yhy) = (sy + s.Span[i] * y.Span[i], yhy + y.Span[i] * hy.Span[i]);
                for (var i = b * n; i < (b + 1) * n; i++)
                    (first.Span[i], second.Span[i], third.Span[i]) = ((1 + yhy / sy) / sy * s.Span[i], -hy.Span[i] / sy,
                        -s.Span[i] / sy);
            }
            memory = NtmBfgs.Write(tape, NtmBfgs.Write(tape, NtmBfgs.Write(tape, memory, first, s), second, s), third, hy);
            RuleRun.AssertClose(s.Span.ToArray(), NtmBfgs.Read(tape, memory, y).Span.ToArray(), 1e-10);
            for (var b = 0; b < 2; b++)
                RuleRun.AssertClose(Bfgs(b, before), memory.Span.Slice(b * n * n, n * n).ToArray(), 1e-10);
            s = tape.Constant(RuleRun.Normal(2 * n, 9, 0), s.Shape);
            y = tape.Constant([.. s.Span.ToArray().Select((a, i) => (1.5 + i % 3) * a)], s.Shape);
        }

        // (I - s y' / s'y) H (I - y s' / s'y) + s s' / s'y, the same in another form.
        double[] Bfgs(int b, double[] all)
        {
            double S(int i) => s.Span[b * n + i];
            double Y(int i) => y.Span[b * n + i];
            var sy = Enumerable.Range(0, n).Sum(i => S(i) * Y(i));
            double Left(int i, int j) => (i == j ? 1 : 0) - S(i) * Y(j) / sy;
            var result = new double[n * n];
            for (var i = 0; i < n; i++)
                for (var j = 0; j < n; j++)
                {
                    result[i * n + j] = S(i) * S(j) / sy;
                    for (var k = 0; k < n; k++)
                        for (var l = 0; l < n; l++)
                            result[i * n + j] += Left(i, k) * all[b * n * n + k * n + l] * Left(j, l);
                }
            return result;
        }
    }

    [Fact]
    public void NTM_BFGS_refuses_more_than_a_hundred_coordinates()
    {
        var error = Assert.Throws<SpecException>(() => new NtmBfgs.Options().Create().State(Layout.Flat(1, 101)));
        Assert.Contains("at most 100", error.Message);
        Assert.Equal(100, new NtmBfgs.Options().MostCoordinates);
    }

    /// <summary>With the rate's output off, each tensor's update has the initial step size as its root mean square.</summary>
    [Fact]
    public void The_hierarchical_rules_update_has_the_learned_size_at_any_gradients_scale()
    {
        var rule = new HierarchicalRnn.Options { InitialLearningRate = 0.02 }.Create();
        var phi = RuleRun.Phi(rule, 9, 0);
        RuleRun.Part(rule, phi, "output.weight")[10..].Clear();
        Layout layout = new(2, [new("w", new Shape(3, 4)), new("b", new Shape(3))]);
        var gradients = Gradients(layout.Count);
        var thetas = RuleRun.Thetas(rule, phi, layout, new double[30], gradients);
        foreach (var (from, count) in new[] { (0, 12), (12, 3), (15, 12), (27, 3) })
            Assert.Equal(0.02, Math.Sqrt(thetas[0].AsSpan(from, count).ToArray().Average(x => x * x)), 1e-8);
        var scaled = RuleRun.Thetas(rule, phi, layout, new double[30],
            [.. gradients.Select(row => row.Select(g => 1000 * g).ToArray())]);
        RuleRun.AssertClose(thetas[^1], scaled[^1], 1e-7);
    }
}

using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// Every feature against plain loops: a network set by hand passes one feature on, relu(x) - relu(-x) = x, so the update is the
/// feature itself, divided by its root mean square.
/// </summary>
public class AdafactorMlpTests
{
    static readonly double[] s_decays = [0.9, 0.99, 0.999];
    static readonly ILearnedOptimizer s_rule = new AdafactorMlp.Options { Hidden = [2] }.Create();

    static double[] Passing(int feature)
    {
        var phi = RuleRun.Phi(s_rule, 1, 0);
        var first = RuleRun.Part(s_rule, phi, "layer.0.weight");
        first.Clear();
        (first[feature], first[39 + feature]) = (1, -1);
        var last = RuleRun.Part(s_rule, phi, "layer.1.weight");
        last.Clear();
        (last[0], last[1]) = (1, -1);
        return phi;
    }

    /// <summary>Those of one matrix after its gradients, by feature.</summary>
    static List<double[]> Features(int rows, int columns, double[] theta, double[][] gradients)
    {
        var n = rows * columns;
        double[][] m = [new double[n], new double[n], new double[n]], r = [new double[rows], new double[rows], new double[rows]];
        double[][] c = [new double[columns], new double[columns], new double[columns]];
        var rms = new double[n];
        foreach (var g in gradients)
        {
            for (var s = 0; s < 3; s++)
            {
                var d = s_decays[s];
                for (var i = 0; i < n; i++) m[s][i] = d * m[s][i] + (1 - d) * g[i];
                for (var i = 0; i < rows; i++)
                    r[s][i] = d * r[s][i] + (1 - d) * Enumerable.Range(0, columns).Average(j => Math.Pow(g[i * columns + j], 2));
                for (var j = 0; j < columns; j++)
                    c[s][j] = d * c[s][j] + (1 - d) * Enumerable.Range(0, rows).Average(i => Math.Pow(g[i * columns + j], 2));
            }
            for (var i = 0; i < n; i++) rms[i] = 0.999 * rms[i] + 0.001 * g[i] * g[i];
        }
        double Row(int s, int i) => r[s][i / columns];
        double Column(int s, int i) => columns == 1 ? Row(s, i) : c[s][i % columns];
        double Factor(int s, int i) => columns == 1
            ? 1 / Math.Sqrt(Row(s, i) + 1e-9)
            : 1 / Math.Sqrt(Row(s, i) / (r[s].Average() + 1e-9) + 1e-9) / Math.Sqrt(Column(s, i) + 1e-9);
        List<double[]> features = [gradients[^1], theta, .. m, rms];
        for (var s = 0; s < 3; s++) Add(s, (s, i) => m[s][i] / Math.Sqrt(rms[i] + 1e-6));
        Add(0, (_, i) => 1 / Math.Sqrt(rms[i] + 1e-6));
        for (var s = 0; s < 3; s++) Add(s, (s, i) => gradients[^1][i] * Factor(s, i));
        for (var s = 0; s < 3; s++) Add(s, Row);
        for (var s = 0; s < 3; s++) Add(s, Column);
        for (var s = 0; s < 3; s++) Add(s, (s, i) => 1 / Math.Sqrt(Row(s, i) + 1e-8));
        for (var s = 0; s < 3; s++) Add(s, (s, i) => 1 / Math.Sqrt(Column(s, i) + 1e-8));
        for (var s = 0; s < 3; s++) Add(s, (s, i) => m[s][i] * Factor(s, i));
        return features;

        void Add(int s, Func<int, int, double> value) => features.Add([.. Enumerable.Range(0, n).Select(i => value(s, i))]);
    }

    [Fact]
    public void Every_feature_is_the_sources()
    {
        Layout layout = new(2, [new("b", new Shape(5)), new("w", new Shape(3, 4))]);
        var gradients = Enumerable.Range(0, 3).Select(step => RuleRun.Normal(layout.Count, 2, (uint)step)).ToArray();
        var start = RuleRun.Normal(layout.Count, 3, 0);
        for (var feature = 0; feature < 28; feature++)
        {
            var thetas = RuleRun.Thetas(s_rule, Passing(feature), layout, start, gradients);
            foreach (var (from, rows, columns) in new[] { (0, 5, 1), (5, 3, 4), (17, 5, 1), (22, 3, 4) })
            {
                double[] Piece(double[] all) => all[from..(from + rows * columns)];
                var expected = Features(rows, columns, Piece(thetas[1]), [.. gradients.Select(Piece)])[feature];
                var size = Math.Sqrt(expected.Average(x => x * x) + 1e-5);
                var update = Piece(thetas[2]).Zip(Piece(thetas[1]), (after, before) => after - before).ToArray();
                RuleRun.AssertClose([.. expected.Select(x => -0.001 * x / size)], update, 1e-8);
            }
        }
    }

    /// <summary>tanh(t / scale - 1) at t = 0, 1, 2.</summary>
    [Fact]
    public void The_step_is_embedded_at_eleven_time_scales()
    {
        var gradients = Enumerable.Repeat(new double[3], 3).ToArray();
        foreach (var (i, scale) in new double[] { 1, 3, 10, 30, 100, 300, 1000, 3000, 1e4, 3e4, 1e5 }.Index())
        {
            var thetas = RuleRun.Thetas(s_rule, Passing(28 + i), Layout.Flat(1, 3), new double[3], gradients);
            var expected = 0.0;
            for (var t = 0; t < 3; t++) Assert.Equal(expected -= 0.001 * Math.Tanh(t / scale - 1), thetas[t][0], 1e-12);
        }
    }
}

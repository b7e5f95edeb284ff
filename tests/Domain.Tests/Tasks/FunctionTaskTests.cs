using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>
/// The tasks that are formulas: values worked out by hand, plain loops over the documented draws, and the distributions.
/// </summary>
public sealed class FunctionTaskTests
{
    const ulong Seed = 3;

    /// <summary>f of instances 0 .. count - 1 at the same theta.</summary>
    static double[] Losses(TaskOptions options, double[] theta, int count = 1)
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        using var instances = options.Create(_ => throw new InvalidOperationException()).Allocate(tape.Kernels, count);
        instances.Draw(Seed, Split.Tune, 0);
        var rows = Enumerable.Repeat(theta, count).SelectMany(x => x).ToArray();
        return instances.Loss(tape, arena.Copy(rows, new Shape(count, theta.Length)), 0).Span.ToArray();
    }

    static double[] Draw(int count, uint part, Action<RandomStream, double[]> fill)
    {
        var values = new double[count];
        fill(new RandomStream(Seed, Split.Tune, Purpose.Instance, 0, part), values);
        return values;
    }

    static double[] Normal(int count, uint part, double deviation = 1) =>
        Draw(count, part, (s, v) => s.FillNormal<double>(v, deviation));

    static double[] Uniform(int count, uint part) => Draw(count, part, (s, v) => s.FillUniform<double>(v, 0, 1));

    static double[] Times(double[] matrix, double[] x) =>
        [.. Enumerable.Range(0, matrix.Length / x.Length)
            .Select(i => Enumerable.Range(0, x.Length).Sum(j => matrix[i * x.Length + j] * x[j]))];

    static double SquaredDistance(double[] x, double[] y) => x.Zip(y, (a, b) => (a - b) * (a - b)).Sum();

    public static TheoryData<double[], double> Rosenbrock => new()
    {
        { [-1.2, 1], 24.2 },
        { [1, 1], 0 },
        { [0, 0], 1 },
        { [-1, 4, 10, 100], 100 * 9 + 4 + 100 * 36 + 9 + 0 + 81 }, // 4 - 1 = 3, 10 - 16 = -6, 100 - 100 = 0
    };

    [Theory, MemberData(nameof(Rosenbrock))]
    public void Rosenbrock_has_its_known_values(double[] theta, double expected) =>
        Assert.Equal(expected, Losses(new RosenbrockTask.Options { Dimensions = theta.Length, OffsetDeviation = 0 }, theta)[0],
            1e-9);

    public static TheoryData<double[], double> Ackley => new()
    {
        { [0, 0], 0 },
        { [1, 1], 3.6253849384403627 }, // 20 - 20 e^-0.2
        { [2.5, 2.5], 10.219789193034934 }, // 20 - 20 e^-0.5 + e - 1/e
        { [26.5, -26.5, 26.5], 22.250570509149398 }, // 20 - 20 e^-5.3 + e - 1/e
    };

    [Theory, MemberData(nameof(Ackley))]
    public void Ackley_has_its_known_values(double[] theta, double expected) =>
        Assert.Equal(expected, Losses(new AckleyTask.Options { Dimensions = theta.Length, OffsetDeviation = 0 }, theta)[0],
            1e-12);

    [Fact]
    public void Ackley_has_a_slope_of_zero_and_not_of_nothing_at_its_minimum()
    {
        using var kernels = KernelSets.Create("auto", 1);
        using var tape = new Tape<float>(kernels);
        using var arena = kernels.NewArena();
        using var instances = new AckleyTask(new() { OffsetDeviation = 0 }).Allocate(kernels, 1);
        instances.Draw(Seed, Split.Tune, 0);
        var (_, gradient) = instances.LossAndGradient(tape, arena.Zeros(new Shape(1, 2)), 0);
        Assert.Equal([0f, 0f], gradient.Span.ToArray());
    }

    [Fact]
    public void Offsets_move_the_minimum_of_each_instance()
    {
        var offset = Normal(4, 0, 0.7);
        Assert.Equal(0,
            Losses(new RosenbrockTask.Options { Dimensions = 4, OffsetDeviation = 0.7 }, [.. offset.Select(o => o + 1)])[0],
            1e-12);
        Assert.Equal(0, Losses(new AckleyTask.Options { Dimensions = 4, OffsetDeviation = 0.7 }, offset)[0], 1e-12);
        var others = Losses(new RosenbrockTask.Options { Dimensions = 4, OffsetDeviation = 0.7 }, [.. offset.Select(o => o + 1)],
            3);
        Assert.All(others[1..], loss => Assert.InRange(loss, 0.01, 1e6));
    }

    [Theory]
    [InlineData(QuadraticDistribution.Uniform)]
    [InlineData(QuadraticDistribution.Gaussian)]
    public void Lasso_is_half_the_squares_and_the_penalty(QuadraticDistribution distribution)
    {
        Func<int, uint, double[]> draw = distribution == QuadraticDistribution.Uniform
            ? Uniform
            : (count, part) => Normal(count, part);
        double[] theta = [0.5, -2, 0];
        var expected = 0.5 * SquaredDistance(Times(draw(6, 0), theta), draw(2, 1)) + 0.3 * 2.5;
        var options = new LassoTask.Options { Dimensions = 3, Rows = 2, Penalty = 0.3, Distribution = distribution };
        Assert.Equal(expected, Losses(options, theta)[0], 1e-12);
    }

    [Fact]
    public void Rastrigin_is_a_bowl_with_waves()
    {
        double[] theta = [0.5, 0.25, -1];
        var (bowl, c) = (0.5 * SquaredDistance(Times(Normal(9, 0), theta), Normal(3, 1)), Normal(3, 2));
        // cos 2 pi theta is -1, 0 and 1
        Assert.Equal(bowl - 4 * (c[2] - c[0]) + 12, Losses(new RastriginTask.Options { Dimensions = 3, Alpha = 4 }, theta)[0],
            1e-12);
    }

    [Fact]
    public void Logistic_regression_is_the_mean_over_the_points_of_two_clouds()
    {
        const int examples = 5; // two of the first cloud
        double[] theta = [0.7, -1.1, 0.4];
        var normal = Normal(2 * examples, 0);
        var expected = 0.1 / 2 * (0.49 + 1.21);
        for (var n = 0; n < examples; n++)
        {
            var (cloud, sign) = n < 2 ? (0u, -1) : (1u, 1);
            var spread = Times(Normal(4, 2 + 2 * cloud, 1 / Math.Sqrt(2)), normal[(2 * n)..(2 * n + 2)]);
            var x = Normal(2, 1 + 2 * cloud).Zip(spread, (m, s) => m + s).ToArray();
            expected += Math.Log(1 + Math.Exp(-sign * (theta[0] * x[0] + theta[1] * x[1] + theta[2]))) / examples;
        }
        var options = new LogisticRegressionTask.Options { Dimensions = 2, Examples = examples, Penalty = 0.1 };
        Assert.Equal(expected, Losses(options, theta)[0], 1e-12);
        Assert.Equal(Math.Log(2), Losses(options, [0, 0, 0])[0], 1e-12);
    }

    [Fact]
    public void Logistic_regression_is_finite_far_from_the_clouds()
    {
        var losses = Losses(new LogisticRegressionTask.Options { Dimensions = 2, Penalty = 0 }, [0, 0, 5000], 3);
        Assert.All(losses, loss => Assert.Equal(2500, loss, 1e-9)); // half of the examples are on the wrong side by 5000
    }

    /// <summary>
    /// The mean of f at a fixed theta over 4,000 instances is known, and so is its deviation: four of these are allowed.
    /// </summary>
    [Theory]
    [InlineData("lasso, uniform", 10 / 6.0, 0.48)] // half of ten squares of U(0, 1): variance 10/4 x 4/45
    [InlineData("lasso, gaussian", 5, 2.24)] // half of a chi-squared number of ten
    [InlineData("rastrigin", 105, 31.7)] // 1/2 |b|^2 - 10 sum c + 100: variance 5 + 1000
    [InlineData("rosenbrock", 1.25, 1.06)] // without the valley (1 + o)^2, o from N(0, 0.5^2): variance 4 x 0.25 + 2 x 0.0625
    public void Instances_come_from_the_stated_distribution(string name, double mean, double deviation)
    {
        TaskOptions options = name switch
        {
            "lasso, uniform" => new LassoTask.Options(),
            "lasso, gaussian" => new LassoTask.Options { Distribution = QuadraticDistribution.Gaussian },
            "rastrigin" => new RastriginTask.Options(),
            _ => new RosenbrockTask.Options { Dimensions = 2, Steepness = 0, OffsetDeviation = 0.5 },
        };
        var losses = Losses(options, new double[name == "rosenbrock" ? 2 : 10], 4000);
        Assert.InRange(losses.Average(), mean - 4 * deviation / Math.Sqrt(4000), mean + 4 * deviation / Math.Sqrt(4000));
        var spread = Math.Sqrt(losses.Average(x => (x - mean) * (x - mean)));
        Assert.InRange(spread / deviation, 0.9, 1.1);
    }
}

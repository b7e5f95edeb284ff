using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Optimizers;

/// <summary>
/// What every hand-designed optimizer of the catalogue keeps; a new one must only be given its plain form here.
/// </summary>
public class OptimizerContractTests
{
    const double Rate = 0.05;

    /// <summary>
    /// The formulas of Torch7's <c>optim</c> and PyTorch in plain doubles: (options, theta, gradients) -> theta after each.
    /// </summary>
    static readonly Dictionary<string, Func<double, IReadOnlyList<double>, IEnumerable<double>>> s_plain = new()
    {
        ["sgd"] = static (theta, gradients) => gradients.Select(g => theta -= Rate * g),
        ["momentum"] = static (theta, gradients) =>
        {
            var v = 0.0;
            return gradients.Select(g => theta += v = 0.9 * v - Rate * g);
        },
        ["nag"] = static (theta, gradients) =>
        {
            var v = 0.0;
            return gradients.Select(g => { v = 0.9 * v + g; return theta -= Rate * (g + 0.9 * v); });
        },
        ["rmsprop"] = static (theta, gradients) =>
        {
            var m = 0.0;
            return gradients.Select(g => { m = 0.99 * m + 0.01 * g * g; return theta -= Rate * g / (Math.Sqrt(m) + 1e-8); });
        },
        ["adam"] = static (theta, gradients) =>
        {
            var (m, v, t) = (0.0, 0.0, 0);
            return gradients.Select(g =>
            {
                (m, v, t) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1);
                return theta -= Rate * m / (1 - Math.Pow(0.9, t)) / (Math.Sqrt(v / (1 - Math.Pow(0.999, t))) + 1e-8);
            });
        },
        ["adagrad"] = static (theta, gradients) =>
        {
            var s = 0.0;
            return gradients.Select(g => { s += g * g; return theta -= Rate * g / (Math.Sqrt(s) + 1e-10); });
        },
        ["adamw"] = static (theta, gradients) =>
        {
            var (m, v, t) = (0.0, 0.0, 0);
            return gradients.Select(g =>
            {
                theta -= Rate * 0.01 * theta;
                (m, v, t) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1);
                return theta -= Rate * m / (1 - Math.Pow(0.9, t)) / (Math.Sqrt(v / (1 - Math.Pow(0.999, t))) + 1e-8);
            });
        },
        ["lion"] = static (theta, gradients) =>
        {
            var m = 0.0;
            return gradients.Select(g =>
            {
                theta -= Rate * Math.Sign(0.9 * m + 0.1 * g);
                m = 0.99 * m + 0.01 * g;
                return theta;
            });
        },
    };

    public static TheoryData<string> Names => [.. Catalog.Optimizers.Entries.Select(e => e.Name)];

    /// <summary>Those that treat every coordinate by itself; <see cref="QuasiNewtonTests"/> has the others' formulas.</summary>
    public static TheoryData<string> Elementwise =>
        [.. Catalog.Optimizers.Entries.Select(e => e.Name).Except(["l-bfgs", "bfgs"])];

    static IOptimizer Create(string name, double rate = Rate)
    {
        Assert.True(Catalog.Optimizers.TryFind(name, out var entry));
        return ((OptimizerOptions)Activator.CreateInstance(entry.Options)! with { LearningRate = rate }).Create();
    }

    static float[] Normal(int count, uint address)
    {
        var values = new float[count];
        new RandomStream(5, Split.Test, Purpose.Instance, address).FillNormal<float>(values, 1);
        return values;
    }

    /// <summary>Steps with gradients that are a function of the step and the element alone; theta after the last.</summary>
    static float[] Walk(IKernels<float> kernels, IOptimizerState state, int rows, int columns, float[] theta, int from, int to)
    {
        using var arena = kernels.NewArena();
        var shape = new Shape(rows, columns);
        var at = arena.Copy(theta, shape);
        for (var step = from; step < to; step++) state.Step(at, arena.Copy(Normal(rows * columns, (uint)step), shape));
        return at.ToArray();
    }

    [Theory]
    [MemberData(nameof(Elementwise))]
    public void Twenty_steps_follow_the_plain_formula(string name)
    {
        foreach (var set in KernelSets.Every)
            foreach (var (rows, columns) in new[] { (1, 1), (1, 7), (3, 11), (2, 8), (1, 33), (5, 4099) })
            {
                using var kernels = KernelSets.Create(set, 2);
                using var state = Create(name).StartOn(kernels, Layout.Flat(rows, columns));
                var start = Normal(rows * columns, 99);
                var theta = Walk(kernels, state, rows, columns, start, 0, 20);
                var gradients = Enumerable.Range(0, 20).Select(step => Normal(rows * columns, (uint)step)).ToArray();
                for (var i = 0; i < theta.Length; i += theta.Length > 100 ? 61 : 1)
                {
                    var expected = s_plain[name](start[i], [.. gradients.Select(g => (double)g[i])])
                        .ToArray()[^1]; // Last() would not do the steps before
                    Assert.True(Math.Abs(expected - theta[i]) < 2e-5,
                        $"{set} [{rows}, {columns}] element {i}: {theta[i]}, plain {expected}");
                }
            }
    }

    /// <summary>Five steps of one coordinate, worked out by hand from the formula in s_plain, written down.</summary>
    [Theory]
    [InlineData("sgd", 0.95, 1.05, 1.025, 1.025, 0.875)]
    [InlineData("momentum", 0.95, 1.005, 1.0295, 1.05155, 0.921395)]
    [InlineData("nag", 0.905, 1.0545, 1.05155, 1.071395, 0.8042555)]
    [InlineData("adagrad", 0.95, 0.99472136, 0.983810465, 0.983810465,
        0.944074494)] // less 0.05 times 1, -2 / sqrt 5, 0.5 / sqrt 5.25, 0 and 3 / sqrt 14.25
    [InlineData("lion", 0.95, 1.0, 0.95, 1.0, 0.95)] // the fourth by its momentum alone: -0.004999
    public void Five_steps_are_those_of_Torch(string name, params double[] expected)
    {
        using var kernels = KernelSets.Create("scalar", 1);
        using var state = Create(name).Start(kernels, 1, 1);
        using var arena = kernels.NewArena();
        var theta = arena.Copy([1f], new Shape(1, 1));
        float[] gradients = [1, -2, 0.5f, 0, 3];
        for (var step = 0; step < 5; step++)
        {
            state.Step(theta, arena.Copy([gradients[step]], new Shape(1, 1)));
            Assert.Equal(expected[step], theta.Span[0], 1e-6);
        }
    }

    /// <summary>
    /// Adaptive rules forget the gradient's size: Adam's first step is the rate itself, RMSprop's ten times that.
    /// </summary>
    [Theory]
    [InlineData("adam", 1)]
    [InlineData("rmsprop", 10)]
    public void The_first_step_does_not_depend_on_the_size_of_the_gradient(string name, double factor)
    {
        foreach (var size in new[] { 1e-3f, 1f, 1e4f })
        {
            using var kernels = KernelSets.Create("auto", 1);
            using var state = Create(name).Start(kernels, 1, 1);
            using var arena = kernels.NewArena();
            var theta = arena.Zeros(new Shape(1, 1));
            state.Step(theta, arena.Copy([size], new Shape(1, 1)));
            Assert.Equal(-factor * Rate, theta.Span[0], 1e-4 * factor * Rate);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Kernel_sets_and_threads_give_the_same_bits(string name)
    {
        var results = new List<float[]>();
        foreach (var (set, threads) in new[] { ("scalar", 1), ("simd", 1), ("simd", 3) })
        {
            using var kernels = KernelSets.Create(set, threads);
            var columns = name == "bfgs" ? 211 : 9001;
            using var state = Create(name).Start(kernels, 3, columns);
            results.Add(Walk(kernels, state, 3, columns, Normal(3 * columns, 99), 0, 5));
        }
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_zero_gradient_moves_nothing(string name)
    {
        using var kernels = KernelSets.Create("auto", 1);
        using var state = Create(name).Start(kernels, 2, 5);
        using var arena = kernels.NewArena();
        var theta = arena.Copy(Normal(10, 1), new Shape(2, 5));
        for (var step = 0; step < 3; step++) state.Step(theta, arena.Zeros(new Shape(2, 5)));
        var shrink = name == "adamw" ? 1 - (float)Rate * 0.01f : 1;
        Assert.Equal(Normal(10, 1).Select(x => x * shrink * shrink * shrink), theta.Span.ToArray());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_small_quadratic_is_solved(string name)
    {
        using var kernels = KernelSets.Create("auto", 1);
        using var state = Create(name, name switch { "adagrad" => 0.5, "lion" => 0.002, _ => 0.01 }).Start(kernels, 1, 3);
        using var arena = kernels.NewArena();
        var theta = arena.Copy([1f, -2f, 0.5f], new Shape(1, 3));
        var gradient = arena.Zeros(new Shape(1, 3));
        for (var step = 0; step < 2000; step++)
        {
            for (var i = 0; i < 3; i++) gradient.Span[i] = 2 * (i + 1) * theta.Span[i];
            state.Step(theta, gradient);
        }
        Assert.All(theta.Span.ToArray(), x => Assert.InRange(x, -0.02f, 0.02f));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_saved_state_goes_on_bit_for_bit(string name)
    {
        using var kernels = KernelSets.Create("auto", 2);
        using var whole = Create(name).Start(kernels, 2, 37);
        var middle = Walk(kernels, whole, 2, 37, Normal(74, 99), 0, 6);
        var saved = Snapshot.Write(kernels.Identity, whole.Keep);
        using var second = Create(name).Start(kernels, 2, 37);
        Walk(kernels, second, 2, 37, Normal(74, 98), 40, 43); // something to be overwritten
        second.Keep(Snapshot.Read(saved));
        Assert.Equal(Walk(kernels, whole, 2, 37, middle, 6, 12), Walk(kernels, second, 2, 37, middle, 6, 12));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reset_state_starts_over(string name)
    {
        using var kernels = KernelSets.Create("auto", 2);
        using var state = Create(name).Start(kernels, 2, 37);
        var first = Walk(kernels, state, 2, 37, Normal(74, 99), 0, 6);
        state.Reset();
        Assert.Equal(first, Walk(kernels, state, 2, 37, Normal(74, 99), 0, 6));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rows_of_a_batch_do_not_touch_each_other(string name)
    {
        using var kernels = KernelSets.Create("auto", 2);
        using var arena = kernels.NewArena();
        var alone = Run(1, broken: false);
        Assert.Equal(alone, Run(3, broken: true));

        float[] Run(int rows, bool broken)
        {
            using var state = Create(name).Start(kernels, rows, 13);
            var theta = arena.Zeros(new Shape(rows, 13));
            Normal(13, 99).CopyTo(theta.Span);
            for (var step = 0; step < 5; step++)
            {
                var gradient = arena.Zeros(new Shape(rows, 13));
                if (broken) gradient.Span.Fill(float.NaN);
                Normal(13, (uint)step).CopyTo(gradient.Span);
                state.Step(theta, gradient);
            }
            return theta.Span[..13].ToArray();
        }
    }

    [Fact]
    public void An_open_learning_rate_makes_no_optimizer() =>
        Assert.Throws<InvalidOperationException>(() => new Sgd.Options().Create());

    [Theory]
    [MemberData(nameof(Names))]
    public void A_step_allocates_nothing(string name)
    {
        using var kernels = KernelSets.Create("auto", 1);
        using var state = Create(name).Start(kernels, 4, 100);
        using var arena = kernels.NewArena();
        var (theta, gradient) = (arena.Copy(Normal(400, 1), new Shape(4, 100)), arena.Zeros(new Shape(4, 100)));
        // What a step allocates, every batch of steps does; what the runtime does once (it compiles again), only one.
        Assert.Contains(0, Enumerable.Range(0, 5).Select(_ => AllocatedByHundred()));

        long AllocatedByHundred()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var step = 0; step < 100; step++)
            {
                for (var i = 0; i < 400; i++) gradient.Span[i] = theta.Span[i] * (1 + i % 7);
                state.Step(theta, gradient);
            }
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }
}

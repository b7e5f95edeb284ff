using MetaOpt.Compute;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>What training does to tasks so that the learned optimizer generalises: Lv, Jiang and Li, 2017, section 4.</summary>
public class HardeningTests
{
    static readonly QuadraticTask s_plain = new(new QuadraticTask.Options { Dimensions = 50, InitialDeviation = 1 });

    static (float[] Theta, float Loss, float[] Gradient) Start(ITask task)
    {
        using var kernels = new ScalarKernels<float>();
        using var instances = task.Allocate(kernels, 1);
        using var tape = new Tape<float>(kernels);
        using var arena = new Arena<float>();
        var theta = arena.Zeros(new Shape(1, task.Coordinates));
        instances.Draw(3, Split.Train, 0);
        instances.InitialTheta(theta);
        var (loss, gradient) = instances.LossAndGradient(tape, theta, 0);
        return (theta.Span.ToArray(), loss.Span[0], gradient.Span.ToArray());
    }

    [Fact]
    public void Scaling_changes_the_coordinates_and_not_the_function()
    {
        var (plain, scaled) = (Start(s_plain), Start(new RandomScaling(s_plain, 3)));
        Assert.Equal(plain.Loss, scaled.Loss, plain.Loss * 1e-4);
        var factors = plain.Theta.Zip(scaled.Theta, (x, y) => (double)x / y).ToList();
        Assert.All(factors, c => Assert.InRange(c, Math.Exp(-3.001), Math.Exp(3.001)));
        Assert.True(factors.Max() / factors.Min() > 50);
        for (var i = 0; i < factors.Count; i++)
            Assert.Equal(factors[i] * plain.Gradient[i], scaled.Gradient[i], 1e-2 + 1e-3 * Math.Abs(scaled.Gradient[i]));
    }

    [Fact]
    public void The_convex_function_stands_beside_the_task()
    {
        var (plain, mixed) = (Start(s_plain), Start(new ConvexMixture(s_plain, 20)));
        Assert.Equal(plain.Theta, mixed.Theta[..50]);
        Assert.All(mixed.Theta[50..], x => Assert.Equal(0, x));
        Assert.Equal(plain.Gradient, mixed.Gradient[..50]);
        // At x = 0 the sum is that of the squared targets, whose mean is 1/3, and the gradient -2 a / 20.
        var targets = mixed.Gradient[50..].Select(g => -10.0 * g).ToList();
        Assert.All(targets, a => Assert.InRange(a, -1, 1));
        Assert.Equal(targets.Sum(a => a * a) / 20, mixed.Loss - plain.Loss, 1e-3 * plain.Loss);
    }
}

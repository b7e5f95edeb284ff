using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;

namespace MetaOpt.Domain.Tests.Learned;

public class LearnableAdamTests
{
    [Fact]
    public void With_phi_at_its_start_it_is_Adam()
    {
        var rule = new LearnableAdam.Options { InitialLearningRate = 0.02 }.Create();
        var phi = new float[4];
        rule.Initialise(1, phi);
        using var kernels = KernelSets.Create("scalar", 1);
        using var arena = new Arena<float>();
        using var adam = new Adam.Options { LearningRate = 0.02 }.Create().Start(kernels, 1, 5);
        using var learned = new FrozenOptimizer(rule, phi).Start(kernels, 1, 5);
        var (a, b) = (arena.Zeros(new Shape(1, 5)), arena.Zeros(new Shape(1, 5)));
        for (uint step = 0; step < 20; step++)
        {
            var gradient = arena.Copy(
                [.. RuleRun.Normal(5, 1, step).Select((g, i) => (float)(g * (i == 4 ? 0 : Math.Pow(10, -i))))], new Shape(1, 5));
            adam.Step(a, gradient);
            learned.Step(b, gradient);
            for (var i = 0; i < 5; i++) Assert.Equal(a.Span[i], b.Span[i], 2e-6f);
        }
        Assert.Equal(0, b.Span[4]);
        Assert.True(Math.Abs(b.Span[3]) > 0.01);
    }
}

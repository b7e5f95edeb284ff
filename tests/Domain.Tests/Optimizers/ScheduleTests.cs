using MetaOpt.Compute;
using MetaOpt.Optimizers;

namespace MetaOpt.Domain.Tests.Optimizers;

/// <summary>Learning-rate schedules: their factors worked out by hand, and that every optimizer follows them.</summary>
public class ScheduleTests
{
    static double[] Factors(ScheduleOptions schedule, int horizon, int steps) =>
        [.. Enumerable.Range(1, steps).Select(step => new StepSizes(1, schedule, horizon).At(step))];

    [Fact]
    public void A_constant_stays() => Assert.Equal([1, 1, 1], Factors(new ConstantSchedule.Options(), 2, 3));

    [Fact]
    public void A_cosine_falls_from_all_to_its_final_share()
    {
        double[] expected = [1, 0.5 + 0.5 * Math.Sqrt(0.5), 0.5, 0.5 - 0.5 * Math.Sqrt(0.5), 0, 0];
        var (plain, floored) = (Factors(new CosineSchedule.Options(), 4, 6),
            Factors(new CosineSchedule.Options { Final = 0.2 }, 4, 6));
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], plain[i], 1e-15);
            Assert.Equal(0.2 + 0.8 * expected[i], floored[i], 1e-15);
        }
    }

    [Fact]
    public void Steps_come_at_their_shares_of_the_horizon()
    {
        Assert.Equal([1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25], Factors(new StepSchedule.Options { Decay = 0.5 }, 8, 9));
        Assert.Equal([0.5, 0.5, 0.5, 0.25], Factors(new StepSchedule.Options { Decay = 0.5, Milestones = [1, 0] }, 3, 4));
    }

    public static TheoryData<string> Names => [.. Catalog.Optimizers.Entries.Select(e => e.Name)];

    /// <summary>
    /// Two milestones at once where half of the steps are done: from there on all steps are a hundredth of what they were.
    /// </summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Every_optimizer_follows_its_schedule(string name)
    {
        var constant = Distances(new ConstantSchedule.Options());
        var stepped = Distances(new StepSchedule.Options { Milestones = [0.5, 0.5] });
        Assert.Equal(constant[..3], stepped[..3]);
        Assert.Equal(constant[3] * 0.01, stepped[3], constant[3] * 1e-3);
        Assert.InRange(constant[3], 1e-4, 1);

        double[] Distances(ScheduleOptions schedule)
        {
            Assert.True(Catalog.Optimizers.TryFind(name, out var entry));
            var options = (OptimizerOptions)Activator.CreateInstance(entry.Options)! with
            {
                LearningRate = 0.05,
                Schedule = schedule
            };
            using var kernels = KernelSets.Create("auto", 1);
            using var state = options.Create(6).Start(kernels, 1, 3);
            using var arena = kernels.NewArena();
            var (theta, gradient) = (arena.Copy([0.3f, 0.2f, -0.1f], new Shape(1, 3)), arena.Zeros(new Shape(1, 3)));
            return [.. Enumerable.Range(0, 4).Select(_ =>
            {
                var before = theta.Span[0];
                for (var i = 0; i < 3; i++) gradient.Span[i] = (i + 1) * theta.Span[i];
                state.Step(theta, gradient);
                return (double)Math.Abs(theta.Span[0] - before);
            })];
        }
    }

    [Fact]
    public void A_schedule_without_a_horizon_is_refused() => Assert.Throws<InvalidOperationException>(
        () => new Sgd.Options { LearningRate = 1, Schedule = new CosineSchedule.Options() }.Create());
}

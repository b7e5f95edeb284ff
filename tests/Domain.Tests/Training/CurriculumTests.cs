using System.Text.Json;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Horizons that grow, and horizons that are drawn.</summary>
public class CurriculumTests
{
    static readonly TrainingSpec Small = new()
    {
        Seed = 7,
        Task = new QuadraticTask.Options { Dimensions = 4 },
        Optimizer = new CoordinatewiseLstm.Options { Layers = [6, 5] },
        Training = new TrainingOptions
        {
            Horizon = 20,
            Unroll = 5,
            MetaBatch = 4,
            MetaEpochs = 80,
            MetaOptimizer = new() { LearningRate = 0.02 },
            Curriculum = new() { Horizons = [5, 10], Validations = 5 },
            Validation = new() { Every = 2, Instances = 16 },
        },
    };

    static List<RunEvent.Point> Points(IEnumerable<RunEvent> events, string series) =>
        [.. events.OfType<RunEvent.Point>().Where(p => p.Series == series)];

    /// <summary>Plays the rule again from what the run reports.</summary>
    [Fact]
    public void A_stage_is_validated_at_the_next_horizon_and_ends_without_an_improvement()
    {
        var (events, points) = RunWithPoints(Small);
        var (horizons, scores) = (Points(events, "validation/horizon"), Points(events, "validation/final"));
        int[] trained = [5, 10, 20];
        var (stage, validations, best, step) = (0, 0, double.PositiveInfinity, 0L);
        for (var i = 0; i < scores.Count; i++)
        {
            Assert.Equal(trained[Math.Min(stage + 1, 2)], horizons[i].Value);
            Assert.Equal(2 * trained[stage] / 5, scores[i].Step - step);
            step = scores[i].Step;
            validations++;
            if (scores[i].Value < best) best = scores[i].Value;
            else if (validations >= 5 && i + 1 < scores.Count)
            {
                var file = SafeTensors.Read(points.First(p => p.Step == step).Bytes);
                Assert.Equal(file["validation.best-phi"], file["phi"]);
                var first = FirstToBeat(step);
                // The second and the third stage are both validated at 20: the same phi has the same score.
                if (stage == 0) Assert.NotEqual(best, first);
                else Assert.Equal(best, first);
                (stage, validations, best) = (stage + 1, 0, first);
            }
        }
        Assert.Equal(2, stage);
        Assert.Equal(20, (int)events.OfType<RunEvent.Result>().Single().Document.ToJson()["horizon"]!);

        // A stage's first score is of the phi that the last one ended with, at the new horizon: only resume points know it.
        double FirstToBeat(long step) =>
            SafeTensors.Read(points.First(p => p.Step > step).Bytes).Doubles("validation.best-score")[0];
    }

    [Fact]
    public void Every_resume_point_leads_to_the_same_end()
    {
        foreach (var spec in new[] { Small,
            Small with { Training = Small.Training with { ShortestHorizon = 5, MetaEpochs = 12 } } })
        {
            var (events, points) = RunWithPoints(spec);
            foreach (var (step, bytes) in points)
            {
                var rest = Run(spec, bytes);
                Assert.Equal(Final(events), Final(rest));
                Assert.Equal(events.OfType<RunEvent.Point>().Where(p => p.Step > step),
                    rest.OfType<RunEvent.Point>().Where(p => p.Step > step));
            }
        }
    }

    [Fact]
    public void Without_any_improvement_the_training_ends()
    {
        var events =
            Run(Small with { Training = Small.Training with { MetaOptimizer = new() { LearningRate = 1 }, MetaEpochs = 100 } });
        Assert.True((bool)events.OfType<RunEvent.Result>().Single().Document.ToJson()["stoppedEarly"]!);
        Assert.True((int)events.OfType<RunEvent.Result>().Single().Document.ToJson()["horizon"]! < 20);
    }

    [Fact]
    public void Drawn_horizons_are_log_uniform_in_whole_unrolls()
    {
        var drawn = Enumerable.Range(0, 4000).Select(e => new MetaEpochDraw(3, e).Unrolls(10, 1000, 10)).ToList();
        Assert.All(drawn, u => Assert.InRange(u, 1, 100));
        // Half of them end before the geometric mean, 100 steps; of 4,000 the share is off by less than 0.03 in 1 of 7,000 seeds.
        Assert.InRange(drawn.Count(u => u <= 10) / 4000.0, 0.47, 0.53);
        Assert.Equal(drawn, Enumerable.Range(0, 4000).Select(e => new MetaEpochDraw(3, e).Unrolls(10, 1000, 10)));
        Assert.Equal(100, new MetaEpochDraw(3, 0).Unrolls(0, 1000, 10));

        var steps = Run(Small with { Training = Small.Training with { Curriculum = null, ShortestHorizon = 5, MetaEpochs = 40 } })
            .OfType<RunEvent.ResumePoint>();
        Assert.InRange(steps.Max(p => p.Step), 41, 159);
    }

    [Theory]
    [InlineData("[5,7]", 2, 0, "/training/curriculum/horizons/1")]
    [InlineData("[10,5]", 2, 0, "/training/curriculum/horizons/0")]
    [InlineData("[10,20]", 2, 0, "/training/curriculum/horizons/1")]
    [InlineData("[5]", 0, 0, "/training/curriculum")]
    [InlineData("[5]", 2, 3, "/training/curriculum")]
    public void What_contradicts_it_is_refused(string horizons, int every, int patience, string pointer)
    {
        using var json = JsonDocument.Parse(
            $$"""
            {"task":{"type":"quadratic"},"optimizer":{"type":"lstm"},"training":{"horizon":20,"unroll":5,
             "curriculum":{"horizons":{{horizons}} },"validation":{"every":{{every}},"patience":{{patience}} } } }
            """);
        Assert.Equal(pointer,
            Assert.Single(
                Assert.Throws<SpecException>(() => Catalog.RunKinds.Read("meta-training", json.RootElement)).Errors).Pointer);
    }
}

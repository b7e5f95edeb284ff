using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Meta-training as a run: determinism, resume, cancel, early stopping, and that it learns.</summary>
public class OuterLoopTests
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
            MetaEpochs = 6,
            Validation = new ValidationOptions { Every = 2, Instances = 8 },
        },
    };

    [Fact]
    public void The_same_specification_and_seed_give_the_same_bytes_whatever_the_threads()
    {
        var first = Final(Run(Small, threads: 1));
        Assert.Equal(first, Final(Run(Small, threads: 3)));
        Assert.NotEqual(first, Final(Run(Small with { Seed = 8 })));
    }

    [Fact]
    public void Every_resume_point_leads_to_the_same_end()
    {
        var (events, points) = RunWithPoints(Small);
        Assert.True(points.Count >= 6);
        var losses = events.OfType<RunEvent.Point>().ToList();
        foreach (var (step, bytes) in points)
        {
            var rest = Run(Small, bytes);
            Assert.Equal(Final(events), Final(rest));
            var expected = losses.Where(p => p.Step > step);
            Assert.Equal(expected, rest.OfType<RunEvent.Point>().Where(p => p.Step > step));
        }
    }

    static readonly TrainingSpec Overshooting = Small with
    {
        Optimizer = new LearnableSgd.Options { InitialLearningRate = 1e-5 },
        Training = Small.Training with { Unroll = 20, MetaEpochs = 60, MetaOptimizer = new() { LearningRate = 15 } },
    };

    [Fact]
    public void A_phi_at_which_every_inner_run_diverges_is_left_for_the_best_one()
    {
        var events = Run(Overshooting);
        var losses = events.OfType<RunEvent.Point>().Where(p => p.Series == "meta-loss").Select(p => p.Value).ToList();
        var lost = losses.FindIndex(loss => !double.IsFinite(loss));
        Assert.InRange(lost, 0, losses.Count - 20);
        Assert.Contains(losses.Skip(lost + 3), double.IsFinite);
        var result = events.OfType<RunEvent.Result>().Single().Document.ToJson();
        Assert.InRange((long)result["returnsToBest"]!, 1, 20);
        Assert.True((double)result["bestValidation"]! < losses[0]);
    }

    [Fact]
    public void A_task_on_which_nothing_is_ever_finite_fails_with_what_to_change()
    {
        var hopeless = Overshooting with { Optimizer = new LearnableSgd.Options { InitialLearningRate = 100 } };
        var error = Assert.Throws<DivergedException>(() => Run(hopeless));
        Assert.Contains("20 inner runs", error.Message);
    }

    /// <summary>A meta-gradient of some 1e24: finite, but its square, Adam's v, is not in float.</summary>
    static readonly TrainingSpec Steep = Small with
    {
        Task = new QuadraticTask.Options { Dimensions = 4, Scale = 1e6 },
        Optimizer = new LearnableSgd.Options { InitialLearningRate = 100 },
        Training = Small.Training with { Horizon = 1, Unroll = 1, MetaEpochs = 30, Validation = new() { Every = 0 } },
    };

    [Fact]
    public void A_meta_gradient_that_would_stop_Adam_for_ever_is_skipped()
    {
        var error = Assert.Throws<DivergedException>(() => Run(Steep));
        Assert.Contains("clipNorm", error.Message);
    }

    [Fact]
    public void Clipped_it_is_used()
    {
        var events =
            Run(Steep with { Training = Steep.Training with { MetaOptimizer = new() { LearningRate = 0.5, ClipNorm = 1 } } });
        Assert.Equal(0, (long)events.OfType<RunEvent.Result>().Single().Document.ToJson()["skippedMetaSteps"]!);
        Assert.InRange(Math.Exp(LearnedOptimizerCheckpoint.Read(Final(events)).Phi[0]), 0, 1);
    }

    public static TheoryData<string, int> Cancellations
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var entry in Catalog.Estimators.Entries)
                foreach (var steps in new[] { 1, 7, 18 }) data.Add(entry.Name, steps);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cancellations))]
    public void A_cancelled_run_yields_a_resume_point_and_goes_on_bit_for_bit(string estimator, int steps)
    {
        Assert.True(Catalog.Estimators.TryFind(estimator, out var entry));
        var options = (EstimatorOptions)Activator.CreateInstance(entry.Options)!;
        var spec = Small with
        {
            Training = Small.Training with
            {
                Estimator = options,
                StartOffset = 6,
                LossWeights = LossWeights.Log
            }
        };
        Assert.Equal(Final(Run(spec)), Final(Run(spec, Cancel(spec, steps).Point)));
    }

    [Fact]
    public void Offsets_are_uniform_and_change_what_is_learned()
    {
        var drawn = Enumerable.Range(0, 4000).Select(e => new MetaEpochDraw(3, e).Offset(3)).ToList();
        // 1,000 each, standard deviation 27.
        Assert.All(Enumerable.Range(0, 4), n => Assert.InRange(drawn.Count(d => d == n), 880, 1120));
        Assert.All(Enumerable.Range(0, 50), e => Assert.Equal(0, new MetaEpochDraw(3, e).Offset(0)));
        Assert.NotEqual(Final(Run(Small)), Final(Run(Small with { Training = Small.Training with { StartOffset = 6 } })));
    }

    [Fact]
    public void Steps_of_each_series_strictly_increase()
    {
        foreach (var series in Run(Small).OfType<RunEvent.Point>().GroupBy(p => p.Series))
        {
            var steps = series.Select(p => p.Step).ToList();
            Assert.Equal(steps.Distinct().Order(), steps);
        }
    }

    [Fact]
    public void A_resume_point_of_another_kernel_set_is_refused_unless_the_run_allows_it()
    {
        using var simd = KernelSets.Create("simd", 1);
        using var scalar = KernelSets.Create("scalar", 1);
        var point = Small.Execute(Inputs(simd), default).OfType<RunEvent.ResumePoint>().First().Bytes();
        var refused = Assert.Throws<SpecException>(() => Small.Execute(Inputs(scalar, point), default).Count());
        Assert.Contains("allowOtherKernels", refused.Message);
        var facts = (Small with { AllowOtherKernels = true }).Execute(Inputs(scalar, point), default).OfType<RunEvent.Metadata>()
            .First().Facts;
        Assert.StartsWith("simd", (string?)facts["resumedUnderOtherKernels"]);
    }

    [Fact]
    public void A_learned_step_size_ends_near_the_best_one()
    {
        var spec = Small with
        {
            Optimizer = new LearnableSgd.Options { InitialLearningRate = 0.001 },
            Training = Small.Training with { MetaEpochs = 60, MetaBatch = 32, MetaOptimizer = new() { LearningRate = 0.05 } },
        };
        var phi = LearnedOptimizerCheckpoint.Read(Final(Run(spec))).Phi;
        Assert.InRange(Math.Exp(phi[0]), 0.01, 0.2);
    }

    /// <summary>
    /// The published code's convergence test: the linear rule solves x^2 + noise-free quadratics in 500 meta-epochs, here on 4 x
    /// 4 ones.
    /// </summary>
    [Fact]
    public void Meta_training_lowers_the_validation_loss()
    {
        var spec = Small with
        {
            Training = Small.Training with
            {
                MetaEpochs = 40,
                MetaBatch = 16,
                MetaOptimizer = new() { LearningRate = 0.01 }
            }
        };
        var scores = Run(spec).OfType<RunEvent.Point>().Where(p => p.Series == "validation/final").Select(p => p.Value).ToList();
        Assert.True(scores[^1] < 0.7 * scores[0], $"{scores[0]} -> {scores[^1]}");
    }

    [Fact]
    public void Patience_stops_early_and_the_best_phi_is_kept()
    {
        var spec = Small with
        {
            Training = Small.Training with
            {
                MetaEpochs = 200,
                MetaOptimizer = new() { LearningRate = 0.5 },
                Validation = new ValidationOptions { Every = 1, Instances = 8, Patience = 3 },
            },
        };
        var events = Run(spec);
        var result = events.OfType<RunEvent.Result>().Single().Document.ToJson();
        var scores = events.OfType<RunEvent.Point>().Where(p => p.Series == "validation/final").ToList();
        var best = scores.MinBy(p => p.Value)!;
        Assert.True((bool)result["stoppedEarly"]!);
        Assert.Equal(best.Step, (long)result["bestMetaStep"]!);
        Assert.Equal(best.Step + 3 * 4, scores[^1].Step);
    }

    [Fact]
    public void A_network_on_a_dataset_trains_and_resumes()
    {
        var spec = Small with { Task = new MlpClassificationTask.Options { Hidden = [4], Batch = 8 } };
        var (events, points) = RunWithPoints(spec);
        Assert.Equal(Final(events), Final(Run(spec, points[0].Bytes)));
    }
}

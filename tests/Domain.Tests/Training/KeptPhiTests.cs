using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>
/// What a training keeps is what it promised: a learned step size on quadratics is scored again here, by a plain loop.
/// </summary>
public class KeptPhiTests
{
    const int Dimensions = 4;

    static readonly TrainingSpec s_spec = new()
    {
        Seed = 7,
        Task = new QuadraticTask.Options { Dimensions = Dimensions },
        Optimizer = new LearnableSgd.Options { InitialLearningRate = 0.001 },
        Training = new TrainingOptions
        {
            Horizon = 20,
            Unroll = 10,
            MetaBatch = 4,
            MetaEpochs = 24,
            MetaOptimizer = new() { LearningRate = 0.3 },
            Validation = new() { Every = 2, Instances = 8 },
        },
    };

    /// <summary>
    /// Gradient descent on the validation instances: the mean loss at the horizon, and over steps 1 .. horizon.
    /// </summary>
    static (double Final, double Average) Score(float phi, int instances, int horizon)
    {
        var (final, average, rate) = (0.0, 0.0, Math.Exp(phi));
        for (var instance = 0u; instance < instances; instance++)
        {
            var (w, y, theta) = (new double[Dimensions * Dimensions], new double[Dimensions], new double[Dimensions]);
            new RandomStream(7, Split.Validate, Purpose.Instance, instance).FillNormal<double>(w, 1);
            new RandomStream(7, Split.Validate, Purpose.Instance, instance, 1).FillNormal<double>(y, 1);
            new RandomStream(7, Split.Validate, Purpose.InitialTheta, instance).FillNormal<double>(theta, 0.01);
            for (var step = 0; step <= horizon; step++)
            {
                var r = Enumerable.Range(0, Dimensions)
                    .Select(i => Enumerable.Range(0, Dimensions).Sum(j => w[i * Dimensions + j] * theta[j]) - y[i]).ToArray();
                if (step > 0) average += r.Sum(x => x * x) / horizon / instances;
                if (step == horizon) final += r.Sum(x => x * x) / instances;
                for (var j = 0; j < Dimensions; j++)
                    theta[j] -= rate * 2 * Enumerable.Range(0, Dimensions).Sum(i => w[i * Dimensions + j] * r[i]);
            }
        }
        return (final, average);
    }

    static List<RunEvent.Point> Points(IEnumerable<RunEvent> events, string series) =>
        [.. events.OfType<RunEvent.Point>().Where(p => p.Series == series)];

    [Theory]
    [InlineData(Criterion.Final)]
    [InlineData(Criterion.Average)]
    public void The_final_checkpoint_is_the_phi_that_scored_best_and_the_result_says_so(Criterion criterion)
    {
        var spec = s_spec with
        {
            Training =
            s_spec.Training with { Validation = s_spec.Training.Validation with { Criterion = criterion } }
        };
        var (events, points) = RunWithPoints(spec);
        var scores = Points(events, criterion == Criterion.Final ? "validation/final" : "validation/average");
        Assert.Equal(12, scores.Count);
        var best = scores.MinBy(p => p.Value)!;
        // Neither the first nor the last is the best, or this would prove nothing.
        Assert.InRange(scores.IndexOf(best), 1, 10);
        var (final, average) = Score(LearnedOptimizerCheckpoint.Read(Final(events)).Phi[0], 8, 20);
        Assert.Equal(1, (criterion == Criterion.Final ? final : average) / best.Value, 1e-4);
        Assert.Equal(best.Value,
            Points(events, criterion == Criterion.Final ? "validation/final" : "validation/average").Min(p => p.Value));

        var result = events.OfType<RunEvent.Result>().Single().Document.ToJson();
        Assert.Equal((best.Value, best.Step), ((double)result["bestValidation"]!, (long)result["bestMetaStep"]!));
        Assert.Equal(criterion == Criterion.Final ? "final" : "average", (string?)result["criterion"]);
        Assert.Equal((48L, 24, 20, false),
            ((long)result["metaSteps"]!, (int)result["metaEpochs"]!, (int)result["horizon"]!, (bool)result["stoppedEarly"]!));
        // Both series, of the phi that each resume point has.
        foreach (var (step, bytes) in points.Where(p => scores.Any(s => s.Step == p.Step)))
        {
            (final, average) = Score(SafeTensors.Read(bytes)["phi"][0], 8, 20);
            Assert.Equal(1, final / Points(events, "validation/final").Single(p => p.Step == step).Value, 1e-4);
            Assert.Equal(1, average / Points(events, "validation/average").Single(p => p.Step == step).Value, 1e-4);
        }
    }

    [Fact]
    public void Without_validation_the_last_phi_is_kept()
    {
        var spec = s_spec with { Training = s_spec.Training with { Validation = new() { Every = 0 } } };
        var (events, points) = RunWithPoints(spec);
        Assert.Equal(SafeTensors.Read(points[^1].Bytes)["phi"], LearnedOptimizerCheckpoint.Read(Final(events)).Phi);
        Assert.Empty(Points(events, "validation/final"));
        Assert.Null(events.OfType<RunEvent.Result>().Single().Document.ToJson()["bestValidation"]);
    }

    [Fact]
    public void Validations_come_every_so_many_meta_epochs_and_after_the_last()
    {
        var spec = s_spec with
        {
            Training = s_spec.Training with
            {
                MetaEpochs = 7,
                Validation = new() { Every = 3, Instances = 4 }
            }
        };
        Assert.Equal([6L, 12, 14], Points(Run(spec), "validation/final").Select(p => p.Step));
    }

    /// <summary>Three stages; each ends with the phi that scored best in it, at the horizon that it is validated at.</summary>
    [Fact]
    public void A_stage_ends_with_its_best_phi_and_the_checkpoint_is_the_last_stages_best()
    {
        var spec = s_spec with
        {
            Training = s_spec.Training with
            {
                Unroll = 5,
                MetaEpochs = 200,
                MetaOptimizer = new() { LearningRate = 0.2 },
                Curriculum = new() { Horizons = [5, 10], Validations = 3 },
                Validation = new() { Every = 1, Instances = 8 },
            },
        };
        var (events, points) = RunWithPoints(spec);
        var (scores, horizons) = (Points(events, "validation/final"), Points(events, "validation/horizon"));
        var (stage, stagesEnded, start) = (0, 0, 0);
        for (var i = 0; i < scores.Count; i++)
        {
            var file = SafeTensors.Read(points.Last(p => p.Step == scores[i].Step).Bytes);
            if (file.Integers("schedule.stage")[0] == stage) continue;
            var best = scores[start..(i + 1)].Min(s => s.Value);
            Assert.NotEqual(best, scores[i].Value);
            Assert.Equal(1, Score(file["phi"][0], 8, (int)horizons[i].Value).Final / best, 1e-4);
            Assert.Equal([10, 20], horizons.Select(h => (int)h.Value).Distinct());
            (stage, start, stagesEnded) = (stage + 1, i + 1, stagesEnded + 1);
        }
        Assert.Equal(2, stagesEnded);
        var kept = Score(LearnedOptimizerCheckpoint.Read(Final(events)).Phi[0], 8, 20).Final;
        Assert.Equal(1, kept / (double)events.OfType<RunEvent.Result>().Single().Document.ToJson()["bestValidation"]!, 1e-4);
        Assert.True(kept <= scores[start..].Min(s => s.Value) * 1.0001);
    }

    /// <summary>
    /// The trainer's updates of phi: Adam (Kingma and Ba, 2015, algorithm 1) on the meta-gradient, clipped by its norm, in
    /// double.
    /// </summary>
    [Theory]
    [InlineData(null, 0)]
    [InlineData(null, 3)]
    [InlineData(0.5, 0)]
    [InlineData(0.5, 3)]
    public void Phi_moves_by_Adam_on_the_clipped_meta_gradient(double? clip, int offset)
    {
        var training = s_spec.Training with
        {
            MetaEpochs = 3,
            StartOffset = offset,
            LossWeights = LossWeights.Linear,
            MetaOptimizer = new() { LearningRate = 0.1, Beta1 = 0.7, Beta2 = 0.9, ClipNorm = clip },
            Validation = new() { Every = 0 },
        };
        var rule = s_spec.Optimizer.Create();
        using var kernels = KernelSets.Create("auto", 1);
        using var estimator = new DecoupledBptt<float>(kernels, s_spec.Task.Create(_ => TinyDataset.Create()), rule, 4, 10,
            LossWeights.Linear);
        var (phi, m, v, t, gradient, clipped) = (Math.Log(0.001), 0.0, 0.0, 0, new double[1], 0);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var from = new MetaEpochDraw(7, epoch).Offset(offset);
            estimator.Begin(7, Split.Train, 4 * epoch);
            estimator.Advance([(float)phi], 0, from);
            for (var unroll = 0; unroll < 2; unroll++)
            {
                estimator.Unroll([(float)phi], from + 10 * unroll, gradient);
                var g = gradient[0];
                if (Math.Abs(g) > clip) (g, clipped) = (g / Math.Abs(g) * clip.Value, clipped + 1);
                (m, v, t) = (0.7 * m + 0.3 * g, 0.9 * v + 0.1 * g * g, t + 1);
                phi -= 0.1 * m / (1 - Math.Pow(0.7, t)) / (Math.Sqrt(v / (1 - Math.Pow(0.9, t))) + 1e-8);
            }
        }
        Assert.Equal(clip is null, clipped == 0);
        Assert.Equal(phi, LearnedOptimizerCheckpoint.Read(Final(Run(s_spec with { Training = training }))).Phi[0], 1e-5);
    }
}

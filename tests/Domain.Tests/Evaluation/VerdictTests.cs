using System.Numerics;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Evaluation;

/// <summary>Every number of an evaluation's result, from losses that are known beforehand.</summary>
public class VerdictTests
{
    const double Still = 1e-12; // a learning rate that moves nothing
    static readonly Guid s_learned = Guid.Parse("0198c0de-0000-7000-8000-000000000001");

    static JsonObject Run(EvaluationSpec spec, out List<RunEvent> events)
    {
        var training = new TrainingSpec { Task = new QuadraticTask.Options(), Optimizer = new LearnableSgd.Options() };
        using var kernels = KernelSets.Create("auto", 2);
        var checkpoint = LearnedOptimizerCheckpoint.Write(training, [(float)Math.Log(0.03)]);
        events = [.. spec.Execute(new(kernels, TinyDataset.Create, new Dictionary<Guid, byte[]> { [s_learned] = checkpoint }),
            default)];
        return events.OfType<RunEvent.Result>().Single().Document.ToJson();
    }

    static EvaluationSpec Benchmark(TaskOptions task, params ContestantSpec[] contestants) => new()
    {
        Seed = 3,
        Task = task,
        Horizon = 12,
        Instances = 3,
        Tuning = new() { Instances = 3 },
        BootstrapResamples = 100,
        Contestants = contestants,
    };

    static ContestantSpec Sgd(double? rate) => new() { Optimizer = new Sgd.Options { LearningRate = rate } };

    /// <summary>
    /// Diverged means: at any step more than a million times the loss at theta_0, or no number; what comes after makes up for
    /// nothing.
    /// </summary>
    [Theory]
    [InlineData(1, 1.01e6f, 3)]
    [InlineData(5, 1.01e6f, 3)]
    [InlineData(12, 1.01e6f, 3)]
    [InlineData(5, 1e6f, 0)]
    [InlineData(5, float.NaN, 3)]
    [InlineData(5, float.PositiveInfinity, 3)]
    [InlineData(5, -1e9f, 0)]
    public void A_contestant_that_runs_away_and_returns_has_diverged(int step, float loss, int diverged)
    {
        var document = Run(Benchmark(new Given((_, t) => t == step ? loss : 1), Sgd(Still), Sgd(null)), out _);
        Assert.Equal(diverged, (int)document["contestants"]![0]!["diverged"]!);
        if (step < 12) Assert.Equal(1, (double)document["contestants"]![0]!["finalMean"]!);
        // A rate under which an instance was lost has no score, however it ends.
        var grid = document["contestants"]![1]!["tuning"]!["grid"]!.AsArray();
        Assert.All(grid, g => Assert.Equal(diverged, (int)g!["diverged"]!));
        Assert.All(grid, g => Assert.Equal(diverged > 0, g!["score"] is null));
    }

    /// <summary>By its own instance's loss at theta_0: 1 and 10 are the first two's, and the third's is 0.</summary>
    [Theory]
    [InlineData(2e6f, 2)]
    [InlineData(2e7f, 3)]
    [InlineData(1e-23f, 1)]
    [InlineData(1e-25f, 0)]
    public void Each_instance_is_measured_against_its_own_start(float later, int diverged)
    {
        var task = new Given((b, t) => t > 0 ? later : b == 2 ? 0 : b == 1 ? 10 : 1);
        Assert.Equal(diverged, (int)Run(Benchmark(task, Sgd(Still)), out _)["contestants"]![0]!["diverged"]!);
    }

    [Theory]
    [InlineData(Criterion.Final, 0.5)]
    [InlineData(Criterion.Average, 26.5 / 12)]
    public void A_rate_is_scored_at_the_horizon_or_over_all_steps_but_the_first(Criterion criterion, double score)
    {
        // 1000 at theta_0, which counts nowhere; 6, 5, 4, .. 1, then 1/2 .. 1, and 1/2 at the end: 21 + 5 + 0.5.
        var task = new Given((b, t) => (b + 0.5f) / 1.5f * (t == 0 ? 1000 : t <= 6 ? 7 - t : t == 12 ? 0.5f : 1));
        var spec = Benchmark(task, Sgd(null));
        var document = Run(spec with { Tuning = spec.Tuning with { Criterion = criterion, Refinements = 0 } }, out _);
        Assert.Equal(criterion == Criterion.Final ? "final" : "average",
            (string?)document["contestants"]![0]!["tuning"]!["criterion"]);
        Assert.All(document["contestants"]![0]!["tuning"]!["grid"]!.AsArray(),
            g => Assert.Equal(score, (double)g!["score"]!, 1e-6));
        Assert.Equal(26.5 / 12, (double)document["contestants"]![0]!["averageLoss"]!, 1e-6);
        Assert.Equal(0.5, (double)document["contestants"]![0]!["finalMean"]!, 1e-6);
    }

    [Fact]
    public void Of_rates_that_score_the_same_the_smallest_wins()
    {
        // All score 1, so the grid grows downwards to its end and nowhere else.
        var spec = Benchmark(new Given((_, _) => 1), Sgd(null));
        var found = Run(spec with { Tuning = spec.Tuning with { FromExponent = -9.5, ToExponent = -9, Refinements = 0 } },
            out _)["contestants"]![0]!;
        Assert.Equal(1e-10, (double)found["learningRate"]!, 1e-22);
        Assert.Equal(5, found["tuning"]!["grid"]!.AsArray().Count);
    }

    /// <summary>Losses fall 12, 11, .. 0.</summary>
    [Fact]
    public void A_target_is_reached_at_equality()
    {
        var spec = Benchmark(new Given((_, t) => 12 - t), Sgd(Still)) with { Targets = [9, 8.5, 11.5, 0, -1] };
        var targets = Run(spec, out _)["contestants"]![0]!["targets"]!.AsArray();
        Assert.Equal([3, 4, 1, 12, null], targets.Select(t => (int?)t!["step"]));
        Assert.Equal([9, 8.5, 11.5, 0, -1], targets.Select(t => (double)t!["loss"]!));
        var perStep = (double)Run(spec, out _)["contestants"]![0]!["secondsPerStep"]!;
        Assert.True(perStep > 0);
        Assert.All(targets.Take(4), t => Assert.True((double)t!["seconds"]! / (int)t["step"]! > 0));
        Assert.Equal((double)targets[0]!["seconds"]! / 3, (double)targets[3]!["seconds"]! / 12, 1e-12);
        Assert.Null(targets[4]!["seconds"]);
    }

    [Fact]
    public void The_default_target_is_the_best_hand_designed_mean_and_none_where_all_diverged()
    {
        var document = Run(Benchmark(new QuadraticTask.Options(), Sgd(0.01), Sgd(0.001), new() { Checkpoint = s_learned }),
            out _);
        var best = document["contestants"]!.AsArray().Where(c => !(bool)c!["learned"]!).Min(c => (double)c!["finalMean"]!);
        Assert.All(document["contestants"]!.AsArray(),
            c => Assert.Equal(best, (double)c!["targets"]!.AsArray().Single()!["loss"]!));
        document = Run(Benchmark(new Given((_, t) => t == 12 ? float.NaN : 1), Sgd(Still)), out _);
        Assert.Empty(document["contestants"]![0]!["targets"]!.AsArray());
        Assert.Null(document["contestants"]![0]!["finalMean"]);
        document = Run(Benchmark(new Given((_, _) => 1), new ContestantSpec { Checkpoint = s_learned }), out _);
        Assert.Empty(document["contestants"]![0]!["targets"]!.AsArray());
    }

    /// <summary>Medians and quantiles of 21 instances whose losses are 0 .. 20 at every step.</summary>
    [Fact]
    public void Quantiles_and_bands_are_those_of_the_instances()
    {
        var spec = Benchmark(new Given((b, t) => b * 8 % 21 * (t == 12 ? 1 : 2)), Sgd(Still)) with { Instances = 21 };
        var contestant = Run(spec, out var events)["contestants"]![0]!;
        Assert.Equal((10, 10), ((double)contestant["finalMean"]!, (double)contestant["finalMedian"]!));
        Assert.Equal([(0.05, 1.0), (0.25, 5), (0.5, 10), (0.75, 15), (0.95, 19)],
            contestant["finalQuantiles"]!.AsArray().Select(q => ((double)q!["q"]!, (double)q["value"]!)));
        // Over steps 1 to 12 each instance averages (11 x 2 + 1) / 12 of its final loss, and so does every resample.
        for (var end = 0; end < 2; end++)
            Assert.Equal(23 / 12.0, (double)contestant["averageLossCi95"]![end]! / (double)contestant["finalMeanCi95"]![end]!,
                1e-6);
        foreach (var (band, last) in new[] { ("mean", 10.0), ("median", 10), ("p10", 2), ("p90", 18) })
            Assert.Equal([.. Enumerable.Repeat(2 * last, 11), last],
                events.OfType<RunEvent.Point>().Where(p => p.Series == $"sgd/{band}").Select(p => p.Value));
    }

    /// <summary>
    /// Two contestants of the same losses and two baselines, of which one stands still and one moves: pairs, ratios, wins,
    /// p-values, and intervals from the same resamples.
    /// </summary>
    [Fact]
    public void Learned_contestants_are_compared_with_every_baseline_and_with_each_other()
    {
        var spec = Benchmark(new QuadraticTask.Options { Dimensions = 3 }, new() { Checkpoint = s_learned },
            new() { Checkpoint = s_learned }, Sgd(0.001), Sgd(0.06)) with
        {
            Instances = 40,
            KeptInstances = 40,
        };
        var document = Run(spec, out var events);
        var comparisons = document["comparisons"]!.AsArray();
        Assert.Equal(
            [("learnable-sgd", "learnable-sgd 2"), ("learnable-sgd", "sgd"), ("learnable-sgd", "sgd 2"),
                ("learnable-sgd 2", "sgd"), ("learnable-sgd 2", "sgd 2")],
            comparisons.Select(c => ((string)c!["a"]!, (string)c["b"]!)));
        Assert.Equal((0.5, 1.0, 1.0),
            ((double)comparisons[0]!["winRate"]!, (double)comparisons[0]!["finalRatio"]!, (double)comparisons[0]!["finalP"]!));

        var finals = Finals(spec, events);
        double[][] resampled = Statistics.BootstrapMeans([.. finals.Values], 100, 3);
        string[] names = [.. finals.Keys];
        foreach (var contestant in document["contestants"]!.AsArray())
            AssertInterval(resampled.Select(m => m[Array.IndexOf(names, (string)contestant!["name"]!)]),
                contestant!["finalMeanCi95"]!);
        foreach (var comparison in comparisons)
        {
            var (a, b) = ((string)comparison!["a"]!, (string)comparison["b"]!);
            Assert.Equal(finals[a].Average() / finals[b].Average(), (double)comparison["finalRatio"]!, 1e-5);
            Assert.Equal(finals[a].Zip(finals[b], (x, y) => x < y ? 1 : x == y ? 0.5 : 0).Average(),
                (double)comparison["winRate"]!, 1e-12);
            AssertInterval(resampled.Select(m => m[Array.IndexOf(names, a)] / m[Array.IndexOf(names, b)]),
                comparison["finalRatioCi95"]!);
        }
        foreach (var field in new[] { "finalP", "averageP" })
        {
            double[] p = [.. comparisons.Select(c => (double)c![field]!)];
            Assert.Equal(Statistics.Holm(p), comparisons.Select(c => (double)c![field + "Holm"]!));
            Assert.True(p[1] < 1e-4, $"{field} {p[1]}");
        }
        Assert.InRange((double)comparisons[1]!["averageRatio"]!, (double)comparisons[1]!["averageRatioCi95"]![0]!,
            (double)comparisons[1]!["averageRatioCi95"]![1]!);

        void AssertInterval(IEnumerable<double> values, JsonNode interval)
        {
            var (low, high) = Statistics.Interval95(values);
            Assert.Equal(1, (double)interval[0]! / low, 1e-5);
            Assert.Equal(1, (double)interval[1]! / high, 1e-5);
        }
    }

    /// <summary>The losses at the horizon of each contestant's instances, by a plain loop on the thetas that were kept.</summary>
    static Dictionary<string, double[]> Finals(EvaluationSpec spec, IEnumerable<RunEvent> events)
    {
        var thetas = SafeTensors.Read(events.OfType<RunEvent.Checkpoint>().Single().Bytes);
        return thetas.Names.GroupBy(n => n.Split('/')[0]).ToDictionary(g => g.Key, g => g.Select(name =>
        {
            var (instance, w, y) = (uint.Parse(name.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture),
                new double[9], new double[3]);
            new RandomStream((ulong)spec.Seed, Split.Test, Purpose.Instance, instance).FillNormal<double>(w, 1);
            new RandomStream((ulong)spec.Seed, Split.Test, Purpose.Instance, instance, 1).FillNormal<double>(y, 1);
            return Enumerable.Range(0, 3)
                .Sum(i => Math.Pow(Enumerable.Range(0, 3).Sum(j => w[i * 3 + j] * thetas[name][j]) - y[i], 2));
        }).ToArray());
    }

    /// <summary>Losses that are what they are, whatever theta is: f of instance b at inner step t.</summary>
    sealed record Given(Func<int, int, float> Loss) : TaskOptions
    {
        public override TaskCost PredictCost() => new(1, 4, 1);

        public override ITask Create(Func<string, Dataset> datasets) => new GivenTask(Loss);
    }

    sealed class GivenTask(Func<int, int, float> loss) : ITask
    {
        public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("x", new Shape(1))];

        public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count)
            where T : unmanaged, IBinaryFloatingPointIeee754<T> => new Instances<T>(loss, count);

        sealed class Instances<T>(Func<int, int, float> loss, int count) : ITaskInstances<T>
            where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            int _first;

            public int Count => count;

            public void Draw(ulong seed, Split split, int first) => _first = first;

            public void InitialTheta(Tensor<T> theta) => theta.Span.Clear();

            public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
            {
                T[] losses = [.. Enumerable.Range(_first, count).Select(b => T.CreateTruncating(loss(b, step)))];
                return tape.Add(tape.Scale(tape.Reshape(theta, new Shape(count)), T.Zero),
                    tape.Constant(losses, new Shape(count)));
            }

            public void Dispose() { }
        }
    }
}

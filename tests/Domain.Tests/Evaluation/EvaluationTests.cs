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

/// <summary>Contests: paired, reproducible, resumable, honest.</summary>
public class EvaluationTests
{
    static readonly Guid s_learned = Guid.Parse("0198c0de-0000-7000-8000-000000000001");

    static readonly EvaluationSpec s_small = new()
    {
        Seed = 3,
        Task = new QuadraticTask.Options { Dimensions = 3 },
        Horizon = 12,
        Instances = 40,
        Tuning = new() { Instances = 30 },
        BootstrapResamples = 200,
        Contestants =
        [
            new() { Checkpoint = s_learned },
            new() { Optimizer = new Sgd.Options() },
            new() { Optimizer = new Adam.Options { LearningRate = 0.1 } },
            new() { Optimizer = new Adam.Options() },
        ],
    };

    static RunInputs Inputs(IKernels<float> kernels, byte[]? resumePoint = null)
    {
        var spec = new TrainingSpec { Task = s_small.Task, Optimizer = new LearnableSgd.Options { InitialLearningRate = 0.03 } };
        var checkpoint = LearnedOptimizerCheckpoint.Write(spec, [(float)Math.Log(0.03)]);
        return new(kernels, _ => TinyDataset.Create(), new Dictionary<Guid, byte[]> { [s_learned] = checkpoint }, resumePoint);
    }

    static List<RunEvent> Run(EvaluationSpec spec, byte[]? resumePoint = null, int threads = 2, string set = "auto")
    {
        using var kernels = KernelSets.Create(set, threads);
        return [.. spec.Execute(Inputs(kernels, resumePoint), default)];
    }

    /// <summary>The result without its one measurement of time.</summary>
    static JsonObject Document(IEnumerable<RunEvent> events)
    {
        var document = events.OfType<RunEvent.Result>().Single().Document.ToJson();
        foreach (var contestant in document["contestants"]!.AsArray())
        {
            Assert.True((double)contestant!["secondsPerStep"]! > 0);
            contestant["secondsPerStep"] = 0;
            foreach (var target in contestant["targets"]!.AsArray().Where(t => t!["seconds"] is not null))
                target!["seconds"] = 1.0;
        }
        return document;
    }

    static JsonNode Contestant(JsonObject document, string name) =>
        document["contestants"]!.AsArray().Single(c => (string?)c!["name"] == name)!;

    [Fact]
    public void Contestants_are_named_after_their_type_and_told_apart()
    {
        var document = Document(Run(s_small));
        Assert.Equal(["learnable-sgd", "sgd", "adam", "adam 2"],
            document["contestants"]!.AsArray().Select(c => (string?)c!["name"]));
        Assert.Equal([true, false, false, false], document["contestants"]!.AsArray().Select(c => (bool)c!["learned"]!));
        Assert.Null(Contestant(document, "adam")["tuning"]);
        Assert.Equal(["sgd", "adam", "adam 2"], document["comparisons"]!.AsArray().Select(c => (string?)c!["b"]));
        Assert.All(document["comparisons"]!.AsArray(), c => Assert.Equal("learnable-sgd", (string?)c!["a"]));
    }

    [Fact]
    public void The_order_of_contestants_changes_nothing()
    {
        var forward = Document(Run(s_small));
        var backward =
            Document(Run(
                s_small with { Contestants = [.. s_small.Contestants.Take(2).Reverse(), .. s_small.Contestants.Skip(2)] }));
        foreach (var name in new[] { "learnable-sgd", "sgd", "adam 2" })
            Assert.Equal(Contestant(forward, name).ToJsonString(), Contestant(backward, name).ToJsonString());
        Assert.Equal(forward["comparisons"]!.ToJsonString(), backward["comparisons"]!.ToJsonString());
    }

    [Fact]
    public void The_same_rule_as_checkpoint_and_as_baseline_ties_exactly()
    {
        var document =
            Document(Run(
                s_small with
                {
                    Contestants = [s_small.Contestants[0],
                    new() { Optimizer = new Sgd.Options { LearningRate = 0.03 } }]
                }));
        var comparison = document["comparisons"]!.AsArray().Single()!;
        Assert.Equal(1, (double)comparison["finalRatio"]!, 1e-5);
        Assert.Equal(1, (double)comparison["averageRatioCi95"]![0]!, 1e-5);
        Assert.Equal(1, (double)comparison["averageRatioCi95"]![1]!, 1e-5);
    }

    [Fact]
    public void Threads_change_nothing() =>
        Assert.Equal(Document(Run(s_small, threads: 1)).ToJsonString(), Document(Run(s_small, threads: 3)).ToJsonString());

    [Fact]
    public void The_seed_draws_other_instances() =>
        Assert.NotEqual(Document(Run(s_small)).ToJsonString(), Document(Run(s_small with { Seed = 4 })).ToJsonString());

    /// <summary>Rastrigin's losses may begin below 0: a step that leads above it is no divergence.</summary>
    [Fact]
    public void A_loss_that_begins_below_zero_may_rise_above_it()
    {
        var spec = s_small with
        {
            Task = new RastriginTask.Options { Dimensions = 1 },
            Contestants = [new() { Optimizer = new Sgd.Options { LearningRate = 0.01 } }],
        };
        Assert.Equal(0, (int)Contestant(Document(Run(spec)), "sgd")["diverged"]!);
    }

    /// <summary>SGD worked out here in double on the same instances: f = |W theta - y|^2, gradient 2 W' (W theta - y).</summary>
    [Fact]
    public void The_reported_means_are_those_of_a_plain_loop()
    {
        var spec = s_small with { Contestants = [new() { Optimizer = new Sgd.Options { LearningRate = 0.05 } }] };
        var (final, average, d) = (0.0, 0.0, 3);
        for (var instance = 0u; instance < 40; instance++)
        {
            var (w, y, theta) = (new double[9], new double[3], new double[3]);
            new RandomStream(3, Split.Test, Purpose.Instance, instance).FillNormal<double>(w, 1);
            new RandomStream(3, Split.Test, Purpose.Instance, instance, 1).FillNormal<double>(y, 1);
            new RandomStream(3, Split.Test, Purpose.InitialTheta, instance).FillNormal<double>(theta, 0.01);
            for (var step = 0; step <= 12; step++)
            {
                var r = Enumerable.Range(0, d).Select(i => Enumerable.Range(0, d).Sum(j => w[i * d + j] * theta[j]) - y[i])
                    .ToArray();
                if (step > 0) average += r.Sum(x => x * x) / 12 / 40;
                if (step == 12) final += r.Sum(x => x * x) / 40;
                for (var j = 0; j < d; j++) theta[j] -= 0.05 * 2 * Enumerable.Range(0, d).Sum(i => w[i * d + j] * r[i]);
            }
        }
        var events = Run(spec);
        var sgd = Contestant(Document(events), "sgd");
        Assert.Equal(1, (double)sgd["finalMean"]! / final, 1e-4);
        Assert.Equal(1, (double)sgd["averageLoss"]! / average, 1e-4);
        Assert.InRange((double)sgd["finalMean"]!, (double)sgd["finalMeanCi95"]![0]!, (double)sgd["finalMeanCi95"]![1]!);
        var means = events.OfType<RunEvent.Point>().Where(p => p.Series == "sgd/mean").ToList();
        Assert.Equal(Enumerable.Range(1, 12).Select(i => (long)i), means.Select(p => p.Step));
        Assert.Equal((double)sgd["finalMean"]!, means[^1].Value, 12);
    }

    [Fact]
    public void Rates_are_tuned_on_other_instances_than_those_of_the_report()
    {
        // As many of each: were they the same instances, the winning score would be the reported mean.
        var document = Document(Run(s_small with { Tuning = new() { Instances = s_small.Instances } }));
        var sgd = Contestant(document, "sgd");
        var score = (double)sgd["tuning"]!["grid"]!.AsArray().Min(g => (double?)g!["score"])!;
        Assert.True(Math.Abs(score / (double)sgd["finalMean"]! - 1) > 1e-3, $"score {score}, mean {sgd["finalMean"]}");
        Assert.Equal(Contestant(Document(Run(s_small)), "adam").ToJsonString(), Contestant(document, "adam").ToJsonString());
    }

    [Theory]
    [InlineData(-8, -7)]
    [InlineData(2, 3)]
    [InlineData(-3, 0)]
    public void The_grid_grows_until_the_best_rate_is_inside(double from, double to)
    {
        var document =
            Document(Run(
                s_small with { Tuning = new() { Instances = 30, FromExponent = from, ToExponent = to, Refinements = 0 } }));
        var sgd = Contestant(document, "sgd");
        var grid = sgd["tuning"]!["grid"]!.AsArray();
        var rates = grid.Select(g => (double)g!["learningRate"]!).ToList();
        var best = grid.Where(g => g!["score"] is not null).MinBy(g => (double)g!["score"]!)!;
        Assert.Equal((double)best["learningRate"]!, (double)sgd["learningRate"]!);
        Assert.True(rates[0] < (double)sgd["learningRate"]! && (double)sgd["learningRate"]! < rates[^1], grid.ToJsonString());
        Assert.All(rates.Zip(rates.Skip(1)), pair => Assert.Equal(Math.Pow(10, 0.25), pair.Second / pair.First, 1e-9));
        Assert.Contains(grid, g => g!["score"] is null == (int)g["diverged"]! > 0);
        Assert.All(grid, g => Assert.Equal(g!["score"] is null, (int)g["diverged"]! > 0));
        Assert.InRange((double)sgd["learningRate"]!, 0.01, 0.2);
    }

    [Fact]
    public void The_search_is_refined_around_the_best_rate()
    {
        JsonNode Search(int refinements) =>
            Contestant(Document(Run(s_small with { Tuning = new() { Instances = 30, Refinements = refinements } })), "sgd");
        var (coarse, fine) = (Search(0), Search(3));
        double Notch(JsonNode rate) => 32 * Math.Log10((double)rate["learningRate"]!);
        var grid = fine["tuning"]!["grid"]!.AsArray();
        double[] added = [.. grid.Select(g => Notch(g!)).Where(n => Math.Abs(n / 8 - Math.Round(n / 8)) > 1e-9)];
        Assert.Equal(6, added.Length);
        // Two at an eighth of a decade from the grid's best, two at a sixteenth from the best by then, two at a thirty-second.
        Assert.Equal(2, added.Count(n => Math.Abs(n - Notch(coarse)) is > 3.999 and < 4.001));
        Assert.Equal(1,
            grid.Select(g => Notch(g!)).Order().Zip(grid.Select(g => Notch(g!)).Order().Skip(1), (a, b) => b - a).Min(), 1e-9);
        double Score(JsonNode found) => found["tuning"]!["grid"]!.AsArray().Min(g => (double?)g!["score"])!.Value;
        Assert.True(Score(fine) < Score(coarse), $"{Score(fine)} and {Score(coarse)}");
        Assert.Equal(Score(fine),
            (double)grid.Single(g => (double)g!["learningRate"]! == (double)fine["learningRate"]!)!["score"]!);
        Assert.Equal(grid.Count * 30, (long)fine["tuning"]!["innerRuns"]!);
    }

    [Fact]
    public void Successive_halving_finds_the_rate_with_fewer_inner_runs()
    {
        var plain = s_small with { Tuning = new() { Instances = 160, Refinements = 0 } };
        var (all, rungs) = (Contestant(Document(Run(plain)), "sgd"),
            Contestant(Document(Run(plain with { Tuning = plain.Tuning with { Rungs = 3 } })), "sgd"));
        Assert.Equal((double)all["learningRate"]!, (double)rungs["learningRate"]!);
        Assert.Equal([10, 40, 160], rungs["tuning"]!["grid"]!.AsArray().Select(g => (int)g!["instances"]!).Distinct());
        // 13 rates on 10 instances, the best 4 of them on 40, the best 2 of those on 160.
        Assert.Equal((13L * 10 + 4 * 40 + 2 * 160, 13L * 160),
            ((long)rungs["tuning"]!["innerRuns"]!, (long)all["tuning"]!["innerRuns"]!));
        JsonNode Last(JsonNode found) =>
            found["tuning"]!["grid"]!.AsArray().Last(g => (double)g!["learningRate"]! == (double)found["learningRate"]!)!;
        Assert.Equal((double)Last(all)["score"]!, (double)Last(rungs)["score"]!);
    }

    [Fact]
    public void The_steps_to_a_target_are_those_of_the_mean_curve()
    {
        var events = Run(s_small with { Targets = [1.5, -1] });
        double[] curve = [.. events.OfType<RunEvent.Point>().Where(p => p.Series == "sgd/mean").Select(p => p.Value)];
        var targets = Contestant(Document(events), "sgd")["targets"]!;
        var step = (int)targets[0]!["step"]!;
        Assert.True(step > 1 && curve[step - 1] <= 1.5 && curve[step - 2] > 1.5, $"step {step} of {string.Join(' ', curve)}");
        Assert.True((double)targets[0]!["seconds"]! > 0);
        Assert.Null(targets[1]!["step"]);

        var document = Document(Run(s_small));
        var best = document["contestants"]!.AsArray().Where(c => !(bool)c!["learned"]!).Min(c => (double)c!["finalMean"]!);
        Assert.All(document["contestants"]!.AsArray(), c => Assert.Equal(best, (double)c!["targets"]![0]!["loss"]!));
    }

    [Fact]
    public void A_contestant_that_diverges_is_counted_and_loses()
    {
        var document = Document(Run(s_small with
        {
            Horizon = 60,
            Contestants = [s_small.Contestants[0], new() { Optimizer = new Sgd.Options { LearningRate = 1000 } },
                new() { Optimizer = new Adam.Options() }],
        }));
        var lost = Contestant(document, "sgd");
        Assert.Equal(40, (int)lost["diverged"]!);
        Assert.Null(lost["finalMean"]);
        Assert.Null(lost["averageLossCi95"]![1]);
        Assert.Equal(1, (double)document["comparisons"]![0]!["winRate"]!);
        Assert.Equal(0, (int)Contestant(document, "adam")["diverged"]!);
        Assert.NotNull(Contestant(document, "adam")["finalMean"]);
        Assert.InRange((double)document["comparisons"]![0]!["finalPHolm"]!, 0, 1e-6);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Every_resume_point_leads_to_the_same_document_and_series(int rungs)
    {
        var spec = s_small with { KeptInstances = 3, Tuning = new() { Instances = 30, Rungs = rungs, Refinements = 2 } };
        using var kernels = KernelSets.Create("auto", 2);
        var (events, points) = (new List<RunEvent>(), new List<byte[]>());
        foreach (var runEvent in spec.Execute(Inputs(kernels), default))
        {
            events.Add(runEvent);
            if (runEvent is RunEvent.ResumePoint point) points.Add(point.Bytes());
        }
        var document = Document(events).ToJsonString();
        Assert.True(points.Count > 20); // one for each rate tried, one for each contestant
        foreach (var point in points.Where((_, i) => i % 5 == 0 || i == points.Count - 1))
        {
            var rest = Run(spec, point);
            Assert.Equal(document, Document(rest).ToJsonString());
            Assert.Equal(events.OfType<RunEvent.Point>(), rest.OfType<RunEvent.Point>());
            Assert.Equal(events.OfType<RunEvent.Checkpoint>().Single().Bytes, rest.OfType<RunEvent.Checkpoint>().Single().Bytes);
            var left = events.OfType<RunEvent.ResumePoint>().Count() - points.IndexOf(point) - 1;
            Assert.Equal(left, rest.OfType<RunEvent.ResumePoint>().Count()); // nothing is done twice
        }
    }

    /// <summary>The loss at what is kept is what is reported, and only the first instances are kept.</summary>
    [Fact]
    public void Thetas_at_the_horizon_are_kept_of_as_many_instances_as_were_asked_for()
    {
        var spec = s_small with { KeptInstances = s_small.Instances };
        var events = Run(spec);
        var thetas = SafeTensors.Read(events.OfType<RunEvent.Checkpoint>().Single().Bytes);
        using var kernels = KernelSets.Create("auto", 2);
        var task = spec.Task.Create(_ => TinyDataset.Create());
        using var instances = task.Allocate(kernels, spec.Instances);
        instances.Draw((ulong)spec.Seed, Split.Test, 0);
        foreach (var contestant in Document(events)["contestants"]!.AsArray())
        {
            using var tape = new Tape<float>(kernels);
            var theta = tape.Scratch(new Shape(spec.Instances, task.Coordinates));
            for (var i = 0; i < spec.Instances; i++)
                thetas[$"{contestant!["name"]}/{i}"].CopyTo(theta.Span[(i * task.Coordinates)..]);
            var losses = instances.Loss(tape, theta, spec.Horizon).Span.ToArray();
            Assert.Equal((double)contestant!["finalMean"]!, losses.Average(x => (double)x), 1e-6);
        }

        var fewer = SafeTensors.Read(Run(spec with { KeptInstances = 2 }).OfType<RunEvent.Checkpoint>().Single().Bytes);
        Assert.Equal(8, fewer.Names.Count);
        Assert.All(fewer.Names, name => Assert.Equal(thetas[name], fewer[name]));
        Assert.Empty(Run(s_small).OfType<RunEvent.Checkpoint>());
    }

    [Fact]
    public void A_contestant_that_is_called_as_a_landmark_is_keeps_its_thetas()
    {
        var task = new NeuralArtTask.Options { Resolution = 8, Filters = 2, Scales = 1 };
        ContestantSpec Called(string name) => new() { Name = name, Optimizer = new Sgd.Options { LearningRate = 1e-6 } };
        var spec = s_small with
        {
            Task = task,
            Horizon = 1,
            Instances = 2,
            KeptInstances = 1,
            Contestants = [Called("content"), Called("style"), Called("else")]
        };
        using var kernels = KernelSets.Create("auto", 2);
        var events = spec.Execute(Inputs(kernels) with { Datasets = TinyDataset.Create }, default).ToList();
        var thetas = SafeTensors.Read(events.OfType<RunEvent.Checkpoint>().Single().Bytes);
        Assert.Equal(["style", "content/0", "content 2/0", "style 2/0", "else/0"], thetas.Names);
        Assert.Equal(["content 2", "style 2", "else"],
            Document(events)["contestants"]!.AsArray().Select(c => (string?)c!["name"]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(25)]
    public void A_cancelled_contest_hands_out_a_resume_point_and_goes_on_from_it(int progress)
    {
        using var source = new CancellationTokenSource();
        using var kernels = KernelSets.Create("auto", 2);
        var (seen, last) = (0, (RunEvent?)null);
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var runEvent in s_small.Execute(Inputs(kernels), source.Token))
            {
                if (runEvent is RunEvent.Progress && ++seen == progress) source.Cancel();
                last = runEvent;
            }
        });
        Assert.Equal(progress, seen);
        var point = Assert.IsType<RunEvent.ResumePoint>(last);
        Assert.Equal(Document(Run(s_small)).ToJsonString(), Document(Run(s_small, point.Bytes())).ToJsonString());
    }

    [Fact]
    public void What_another_kernel_set_measured_is_measured_again()
    {
        var point = Run(s_small, set: "scalar").OfType<RunEvent.ResumePoint>().Last().Bytes();
        Assert.Equal(Document(Run(s_small, set: "simd")).ToJsonString(),
            Document(Run(s_small, point, set: "simd")).ToJsonString());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Progress_never_goes_back_and_ends_complete(int rungs)
    {
        var progress = Run(s_small with { Tuning = new() { Instances = 30, Rungs = rungs, FromExponent = -8, ToExponent = -7 } })
            .OfType<RunEvent.Progress>().ToList();
        Assert.Equal(progress.Select(p => p.Done).Order(), progress.Select(p => p.Done));
        Assert.All(progress, p => Assert.True(p.Done <= p.Total));
        Assert.Equal(progress[^1].Total, progress[^1].Done);
        Assert.Equal(["test learnable-sgd", "tune sgd", "test sgd", "test adam", "tune adam 2", "test adam 2"],
            progress.Select(p => p.Phase).Distinct());
    }

    [Fact]
    public void A_file_that_is_no_checkpoint_is_the_users_mistake()
    {
        using var kernels = KernelSets.Create("auto", 1);
        var inputs = Inputs(kernels) with { Checkpoints = new Dictionary<Guid, byte[]> { [s_learned] = [1, 2, 3] } };
        var error = Assert.Throws<SpecException>(() => s_small.Execute(inputs, default).Count());
        Assert.Equal("/contestants/0/checkpoint", error.Errors.Single().Pointer);
    }

    [Fact]
    public void The_predicted_time_follows_what_makes_the_work()
    {
        var seconds = s_small.PredictCost().Seconds;
        var wide = s_small with { Tuning = new() { Instances = 50_000, FromExponent = -10, ToExponent = 4 } };
        var narrow = wide with { Tuning = wide.Tuning with { FromExponent = -3, ToExponent = 0 } };
        Assert.True(wide.PredictCost().Seconds > 3 * (narrow.PredictCost().Seconds - 1));
        Assert.True((s_small with { Horizon = 100_000, Instances = 100_000 }).PredictCost() is var large
            && large.Seconds > 100 * seconds && large.Bytes > 40_000_000_000);
    }

    [Fact]
    public void A_network_on_images_is_evaluated()
    {
        var spec = s_small with
        {
            Task = new MlpClassificationTask.Options { Hidden = [4], Batch = 16 },
            Horizon = 30,
            Instances = 8,
            Tuning = new() { Instances = 4 }
        };
        var adam = Contestant(Document(Run(spec)), "adam 2");
        Assert.InRange((double)adam["finalMean"]!, 0, 0.9); // ln 3 = 1.10 is guessing
    }

    [Fact]
    public void A_contestant_may_be_named_by_its_run()
    {
        var byRun = s_small with { Contestants = [new() { Run = s_learned }, .. s_small.Contestants.Skip(1)] };
        Assert.Equal([new("/contestants/0/run", s_learned, Artifacts.LearnedOptimizer, InputSource.Run)], byRun.FindInputs());
        Assert.Equal(Document(Run(s_small)).ToJsonString(), Document(Run(byRun)).ToJsonString());
        Assert.NotEmpty(new ContestantSpec { Run = s_learned, Checkpoint = s_learned }.Check());
    }

    [Fact]
    public void A_result_on_other_data_than_the_published_says_so_and_no_other_has_the_field()
    {
        var spec = s_small with
        {
            Task = new MlpClassificationTask.Options { Hidden = [2], Batch = 4 },
            Horizon = 2,
            Instances = 2,
            Contestants = [new() { Optimizer = new Sgd.Options { LearningRate = 0.1 } }],
        };
        Assert.False(Document(Run(spec)).ContainsKey("notes"));
        using var kernels = KernelSets.Create("auto", 1);
        var inputs = new RunInputs(kernels, _ => TinyDataset.Create() with { Difference = "Not the published mnist." },
            new Dictionary<Guid, byte[]>());
        Assert.Equal("Not the published mnist.",
            (string?)Assert.Single(Document(spec.Execute(inputs, default))["notes"]!.AsArray()));
    }
}

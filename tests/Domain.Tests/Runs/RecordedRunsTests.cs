using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Evaluation;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Runs;

/// <summary>Results, series and checkpoints have the bits that they had when they were recorded.</summary>
public class RecordedRunsTests
{
    static readonly string[] s_sets = ["scalar", "simd-256"];
    static readonly string s_goldens = Path.Combine(AppContext.BaseDirectory, "Runs", "goldens");

    static string Recorded(string name) =>
        JsonSerializer.Deserialize<SortedDictionary<string, string>>(
            File.ReadAllText(Path.Combine(s_goldens, "runs.json")))![name];

    public static TheoryData<string, string> Runs
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var name in RecordedRuns.Specs.Keys)
                foreach (var set in s_sets) data.Add(name, set);
            return data;
        }
    }

    [Theory, MemberData(nameof(Runs))]
    public void A_run_gives_the_bits_that_were_recorded(string name, string set)
    {
        using var kernels = KernelSets.Create(set, 2);
        Assert.Equal(Recorded($"{name} {set}"),
            RecordedRuns.Sums(RecordedRuns.Specs[name].Execute(RecordedRuns.Inputs(kernels), default)));
    }

    [Fact]
    public void Update_responses_and_paths_have_the_bits_that_were_recorded()
    {
        using var kernels = KernelSets.Create("auto", 1);
        if (kernels.Name is "simd" or "scalar") Assert.Equal(Recorded($"portrait {kernels.Identity}"), UpdateResponse());
    }

    static string UpdateResponse()
    {
        var spec = (EvaluationSpec)RecordedRuns.Specs["evaluation"] with
        {
            Task = new RosenbrockTask.Options { Dimensions = 2 },
            Horizon = 30
        };
        (string, IOptimizer)[] rules = [("sgd", new Sgd.Options { LearningRate = 1e-3 }.Create()),
            ("adam", new Adam.Options { LearningRate = 0.1 }.Create())];
        using var portrait = new UpdateResponse(spec, rules);
        return RecordedRuns.Hash(JsonSerializer.SerializeToUtf8Bytes(portrait.Draw(1, 7, default)))[..16];
    }

    public static TheoryData<string> Interrupted => [.. RecordedRuns.Interrupted.Select(r => r.Name)];

    static byte[] Kept(string name) => File.ReadAllBytes(Path.Combine(s_goldens, $"{name}.resume-point"));

    /// <summary>
    /// Trainings go on; evaluations and diagnoses, whose work is short, begin anew. Both end as if nothing had been.
    /// </summary>
    [Theory, MemberData(nameof(Interrupted))]
    public void A_resume_point_of_before_snapshots_leads_to_the_recorded_end(string name)
    {
        using var kernels = KernelSets.Create("scalar", 2);
        var spec = RecordedRuns.Specs[name];
        var whole = spec.Execute(RecordedRuns.Inputs(kernels), default).OfType<RunEvent.Progress>().Count();
        var events = spec.Execute(RecordedRuns.Inputs(kernels, Kept(name)), default).ToList();
        Assert.Equal(Recorded($"{name} scalar").Split(' ')[1], RecordedRuns.Sums(events).Split(' ')[1]);
        Assert.Equal(spec is TrainingSpec, events.OfType<RunEvent.Progress>().Count() < whole);
    }

    [Fact]
    public void A_still_earlier_resume_point_which_has_no_best_phi_yet_is_taken()
    {
        var (saved, earlier) = (SafeTensors.Read(Kept("truncated")), new SafeTensors());
        foreach (var (name, value) in saved.Metadata) earlier.Metadata[name] = value;
        foreach (var name in saved.Names.Where(n => n != "best-phi")) earlier.Add(name, saved[name], saved[name].Length);
        using var kernels = KernelSets.Create("scalar", 2);
        var events = RecordedRuns.Specs["truncated"].Execute(RecordedRuns.Inputs(kernels, earlier.ToBytes()), default);
        Assert.Equal(Recorded("truncated scalar").Split(' ')[1], RecordedRuns.Sums(events).Split(' ')[1]);
    }

    [Fact]
    public void Records_what_comes_out_when_it_is_asked_to()
    {
        if (Environment.GetEnvironmentVariable("METAOPT_RECORD") is not { Length: > 0 } folder) return;
        var sums = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, spec) in RecordedRuns.Specs)
            foreach (var set in s_sets)
            {
                using var kernels = KernelSets.Create(set, 2);
                sums[$"{name} {set}"] = RecordedRuns.Sums(spec.Execute(RecordedRuns.Inputs(kernels), default));
            }
        var forced = Environment.GetEnvironmentVariable("METAOPT_KERNELS");
        foreach (var set in (string[])["scalar", "simd-512", "simd-256", "simd-128"])
        {
            Environment.SetEnvironmentVariable("METAOPT_KERNELS", set);
            using var kernels = KernelSets.Create("auto", 1);
            sums[$"portrait {kernels.Identity}"] = UpdateResponse();
        }
        Environment.SetEnvironmentVariable("METAOPT_KERNELS", forced);
        File.WriteAllText(Path.Combine(folder, "runs.json"),
            JsonSerializer.Serialize(sums, new JsonSerializerOptions { WriteIndented = true }) + "\n");
        foreach (var (name, points) in RecordedRuns.Interrupted)
            File.WriteAllBytes(Path.Combine(folder, $"{name}.resume-point"), Interrupt(RecordedRuns.Specs[name], points));
    }

    /// <summary>
    /// Cancels a run after so many points, or units of progress where points come at the end; its last resume point.
    /// </summary>
    static byte[] Interrupt(RunSpec spec, int points)
    {
        using var source = new CancellationTokenSource();
        using var kernels = KernelSets.Create("scalar", 2);
        byte[]? last = null;
        try
        {
            foreach (var runEvent in spec.Execute(RecordedRuns.Inputs(kernels), source.Token))
            {
                if (runEvent is RunEvent.Point or RunEvent.Progress && --points == 0) source.Cancel();
                if (runEvent is RunEvent.ResumePoint point) last = point.Bytes();
            }
        }
        catch (OperationCanceledException)
        {
        }
        return last!;
    }
}

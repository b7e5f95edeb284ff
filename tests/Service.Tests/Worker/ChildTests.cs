using System.Text.Json;
using MetaOpt.Workers.Execution;
using MetaOpt.Workers.Supervision;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>The child alone, as a process: no database, no worker but this test.</summary>
public class ChildTests
{
    // Each test ends its child: none depends on how long a job takes.
    const int Endless = 1_000_000;

    [Fact]
    public async Task A_child_stopped_by_SIGTERM_goes_on_from_its_resume_point_with_the_same_bytes()
    {
        var stopped = await new Child(Job(Endless)).ToEndAsync(FrameKind.Points, (child, _) => child.Signal(WorkerProcess.Term));
        Assert.Equal(ChildExit.Stopped, stopped.ExitCode);
        Assert.Equal(FrameKind.ResumePoint, stopped.Frames[^1].Kind);
        var (step, bytes) = Messages.ReadResumePoint(stopped.Frames[^1]);
        Assert.Equal(Enumerable.Range(1, (int)step).Select(i => (long)i), stopped.Steps);

        // Two horizons further: one that went on from there, and one that nobody stopped.
        void KillLater(Child child, Frame frame)
        {
            if (Messages.ReadResumePoint(frame).Step >= step + 4) child.Signal(WorkerProcess.Kill);
        }
        var resumed = await new Child(Job(Endless, resumeSeconds: 0), bytes).ToEndAsync(FrameKind.ResumePoint, KillLater);
        var whole = await new Child(Job(Endless, resumeSeconds: 0)).ToEndAsync(FrameKind.ResumePoint, KillLater);
        var later = resumed.ResumePoints.Keys.Where(s => s <= step + 4).ToList();
        Assert.NotEmpty(later);
        Assert.All(later, s => Assert.Equal(whole.ResumePoints[s], resumed.ResumePoints[s]));
        Assert.Equal(whole.Steps.Where(s => s <= later[^1]), stopped.Steps.Concat(resumed.Steps).Where(s => s <= later[^1]));
    }

    [Fact]
    public async Task A_signal_after_the_last_frame_changes_nothing()
    {
        var end = await new Child(Job(1)).ToEndAsync(FrameKind.Result, (child, _) => child.SignalUntilTheEnd(WorkerProcess.Term));
        Assert.Equal(ChildExit.Done, end.ExitCode);
    }

    [Fact]
    public async Task A_child_that_its_worker_signals_before_it_listens_was_stopped_and_did_not_die()
    {
        await using var child = ChildProcess.Start(null, _ => { });
        Assert.False(child.WasStopped);
        await child.StopAsync(TimeSpan.FromMinutes(5));
        Assert.Equal((true, false), (child.WasStopped, child.Died));

        await using var other = ChildProcess.Start(null, _ => { });
        WorkerProcess.SignalProcess(other.Id, WorkerProcess.Kill);
        await other.ExitAsync();
        Assert.Equal((false, true), (other.WasStopped, other.Died));
    }

    [Fact]
    public async Task A_child_that_does_not_stop_is_killed_after_the_grace()
    {
        await using var child = ChildProcess.Start(null, _ => { });
        // A process that has a handler and is stopped does nothing about SIGTERM.
        await WorkerFixture.UntilAsync(() => Task.FromResult(Catches(child.Id, WorkerProcess.Term)), "the child to listen");
        WorkerProcess.SignalProcess(child.Id, WorkerProcess.Stop);
        await child.StopAsync(TimeSpan.FromMilliseconds(100));
        Assert.Equal(128 + WorkerProcess.Kill, await child.ExitAsync().WaitAsync(Patience.Limit));
    }

    /// <summary>Whether a process has a handler for a signal.</summary>
    static bool Catches(int process, int signal)
    {
        var line = File.ReadLines($"/proc/{process}/status").Single(l => l.StartsWith("SigCgt:", StringComparison.Ordinal));
        return (Convert.ToUInt64(line.Split('\t')[1], 16) >> (signal - 1) & 1) == 1;
    }

    [Fact]
    public async Task Output_of_native_code_goes_to_the_childs_log_and_not_between_its_frames()
    {
        var quiet = await new Child(Job(400)).ToEndAsync();
        var printing = await new Child(Job(400), prints: true).ToEndAsync();
        Assert.Equal(ChildExit.Done, printing.ExitCode);
        Assert.Equal(quiet.Checkpoint, printing.Checkpoint);
        Assert.Equal(
            Enumerable.Range(1, StartupHook.Times).SelectMany(i => new[] { $"written {i}", $"put {i}" }),
            printing.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(line => line.Split(' ')[0] is "written" or "put"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\r\n\n  b \n", "a", "  b ")]
    [InlineData("0 %\r50 %\r100 %\n", "0 %", "50 %", "100 %")]
    [InlineData("\u001b[31mred\u001b[0m\0\tend", "[31mred[0mend")]
    public async Task What_a_child_prints_becomes_lines_without_control_characters(string printed, params string[] lines) =>
        Assert.Equal(lines, await LinesAsync(new StringReader(printed)));

    [Fact]
    public async Task A_line_is_cut_where_a_character_ends_and_an_attempt_keeps_only_so_many()
    {
        var pair = char.ConvertFromUtf32(0x1f600);
        Assert.Equal([new string('x', LogLines.Longest - 1)],
            await LinesAsync(new StringReader(new string('x', LogLines.Longest - 1) + pair + new string('y', 1_000_000))));

        var (log, stored) = (new AttemptLog(), new List<string>());
        var kept = Enumerable.Range(0, 5000).Count(i => log.Print($"line {i}"));
        log.Say("the attempt ended");
        await log.StoreAsync(lines =>
        {
            stored.AddRange(lines);
            return Task.CompletedTask;
        });
        Assert.Equal((1000, 1002, "the attempt ended"), (kept, stored.Count, stored[^1]));
    }

    static async Task<List<string>> LinesAsync(TextReader printed)
    {
        var lines = new List<string>();
        await LogLines.ReadAsync(printed, lines.Add);
        return lines;
    }

    [Fact]
    public async Task A_network_is_examined_by_a_process_of_its_own()
    {
        var folder = TestFolders.New("examined");
        Directory.CreateDirectory(Path.Combine(folder, "networks"));
        var examined = await Examination.StartAsync(folder, "none", default);
        Assert.Equal("none", (string)examined["name"]!);
        Assert.Contains(Flavour.ReadNetwork is null ? "-p:Gpu" : "is not here", (string)examined["error"]!);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_child_whose_worker_is_gone_or_silent_exits_by_itself(bool silent)
    {
        var end = await new Child(Job(Endless, silence: silent ? 1 : 3600)).ToEndAsync(FrameKind.Metadata, (child, _) =>
        {
            if (!silent) child.CloseInput();
        });
        Assert.Equal(ChildExit.Abandoned, end.ExitCode);
    }

    [Fact]
    public async Task A_checkpoint_that_the_worker_did_not_send_is_a_fault()
    {
        var end = await new Child(Job(1) with
        {
            Kind = "evaluation",
            Spec = JsonElement.Parse("""
                {"task":{"type":"quadratic"},"contestants":[{"checkpoint":"0198c0de-0000-7000-8000-000000000000"}]}
                """),
        }).ToEndAsync();
        Assert.Equal((ChildExit.Fault, FrameKind.Failed), (end.ExitCode, end.Frames[^1].Kind));
        Assert.Equal(FailureKind.Fault, Messages.ReadFailed(end.Frames[^1]).Kind);
        // Operators read them in logs, and supervisors act on them.
        Assert.Equal([0, 1, 10, 11], [ChildExit.Done, ChildExit.Fault, ChildExit.Stopped, ChildExit.Abandoned]);
    }

    [Fact]
    public async Task An_impossible_specification_is_the_users_failure()
    {
        var end = await new Child(Job(1) with { Spec = JsonElement.Parse("""{"seed":-1}""") }).ToEndAsync();
        Assert.Equal((ChildExit.Done, FrameKind.Failed), (end.ExitCode, end.Frames[^1].Kind));
        var failure = Messages.ReadFailed(end.Frames[^1]);
        Assert.Equal(FailureKind.User, failure.Kind);
        Assert.Contains("/seed", failure.Detail);
    }

    static Job Job(int metaEpochs, double silence = 3600, double resumeSeconds = 3600) => new("meta-training", JsonElement.Parse(
        $$"""
        {"seed":1,"task":{"type":"quadratic","dimensions":4},"optimizer":{"type":"lstm","layers":[3]},
         "training":{"horizon":20,"unroll":10,"metaBatch":2,"validation":{"every":10,"instances":8},"metaEpochs":{{metaEpochs}} } }
        """), 1, "/nonexistent", resumeSeconds, silence);
}

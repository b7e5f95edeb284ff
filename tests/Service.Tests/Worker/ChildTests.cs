using System.Diagnostics;
using System.Text.Json;
using MetaOpt.Workers.Execution;
using MetaOpt.Workers.Supervision;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>The child alone, as a process: no database, no worker but this test.</summary>
public class ChildTests
{
    [Fact]
    public async Task A_child_stopped_by_SIGTERM_goes_on_from_its_resume_point_and_ends_with_the_same_bytes()
    {
        var whole = await new Child(Job(400)).ToEndAsync();
        Assert.Equal(ChildExit.Done, whole.ExitCode);

        var stopped = await new Child(Job(400)).ToEndAsync(stopAt: FrameKind.Points);
        Assert.Equal(ChildExit.Stopped, stopped.ExitCode);
        Assert.Equal(FrameKind.ResumePoint, stopped.Frames[^1].Kind);
        var (step, bytes) = Messages.ReadResumePoint(stopped.Frames[^1]);
        Assert.Equal(Enumerable.Range(1, (int)step).Select(i => (long)i), stopped.Steps);

        var resumed = await new Child(Job(400), bytes).ToEndAsync();
        Assert.Equal(Enumerable.Range(1, 800).Select(i => (long)i), stopped.Steps.Concat(resumed.Steps));
        Assert.Equal(whole.Checkpoint, resumed.Checkpoint);
    }

    [Fact]
    public async Task What_native_code_prints_while_a_child_computes_goes_to_its_log_and_not_between_its_frames()
    {
        var quiet = await new Child(Job(400)).ToEndAsync();
        var printing = await new Child(Job(400), prints: true).ToEndAsync();
        Assert.Equal(ChildExit.Done, printing.ExitCode);
        Assert.Equal(quiet.Checkpoint, printing.Checkpoint);
        Assert.Equal(
            Enumerable.Range(1, StartupHook.Times).SelectMany(i => new[] { $"written {i}", $"put {i}" }),
            printing.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.Split(' ')[0] is "written" or "put"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\r\n\n  b \n", "a", "  b ")]
    [InlineData("0 %\r50 %\r100 %\n", "0 %", "50 %", "100 %")]
    [InlineData("\u001b[31mred\u001b[0m\0\tend", "[31mred[0mend")]
    public async Task What_a_child_prints_becomes_lines_without_control_characters(string printed, params string[] lines) =>
        Assert.Equal(lines, await LinesAsync(new StringReader(printed)));

    [Fact]
    public async Task A_line_is_cut_where_a_character_ends_and_an_attempt_keeps_a_bounded_number_of_them()
    {
        var pair = char.ConvertFromUtf32(0x1f600);
        Assert.Equal([new string('x', LogLines.Longest - 1)], await LinesAsync(new StringReader(new string('x', LogLines.Longest - 1) + pair + new string('y', 1_000_000))));

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
        var end = await new Child(Job(1_000_000, silence: silent ? 1 : 3600)).ToEndAsync(closeAt: silent ? null : FrameKind.Metadata);
        Assert.Equal(ChildExit.Abandoned, end.ExitCode);
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

    static Job Job(int metaEpochs, double silence = 3600) => new("meta-training", JsonElement.Parse(
        $$"""
        {"seed":1,"task":{"type":"quadratic","dimensions":4},"optimizer":{"type":"lstm","layers":[3]},
         "training":{"horizon":20,"unroll":10,"metaBatch":2,"validation":{"every":10,"instances":8},"metaEpochs":{{metaEpochs}} } }
        """), 1, "/nonexistent", 3600, silence);

    sealed record End(int ExitCode, IReadOnlyList<Frame> Frames, string Log)
    {
        public IEnumerable<long> Steps => Frames.Where(f => f.Kind == FrameKind.Points)
            .SelectMany(Messages.ReadPoints).Where(p => p.Series == "meta-loss").Select(p => p.Step);

        public string Checkpoint => Convert.ToHexString(Messages.ReadCheckpoint(Frames.Single(f => f.Kind == FrameKind.Checkpoint)).Bytes);
    }

    sealed class Child(Job job, byte[]? resume = null, bool prints = false)
    {
        /// <summary>Runs it; a SIGTERM or the end of its input follows the first frame of a kind.</summary>
        public async Task<End> ToEndAsync(FrameKind? stopAt = null, FrameKind? closeAt = null)
        {
            var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "metaopt-worker.dll"), "execute"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            if (prints) start.Environment["DOTNET_STARTUP_HOOKS"] = typeof(StartupHook).Assembly.Location;
            using var process = Process.Start(start)!;
            var log = process.StandardError.ReadToEndAsync();
            var input = process.StandardInput.BaseStream;
            job.ToFrame().Write(input);
            if (resume is not null) new Frame(FrameKind.Resume, resume).Write(input);
            new Frame(FrameKind.Start, []).Write(input);
            var frames = new List<Frame>();
            while (await Frame.ReadAsync(process.StandardOutput.BaseStream, default) is { } frame)
            {
                frames.Add(frame);
                if (frame.Kind == stopAt) WorkerProcess.SignalProcess(process.Id, WorkerProcess.Term);
                if (frame.Kind == closeAt) input.Close();
            }
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
            return new(process.ExitCode, frames, await log);
        }
    }
}

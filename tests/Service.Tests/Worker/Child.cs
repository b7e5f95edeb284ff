using System.Diagnostics;
using System.Globalization;
using MetaOpt.Workers.Execution;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>How a child ended, and all it sent.</summary>
sealed record ChildEnd(int ExitCode, IReadOnlyList<Frame> Frames, string Log)
{
    public IEnumerable<long> Steps => Frames.Where(f => f.Kind == FrameKind.Points)
        .SelectMany(Messages.ReadPoints).Where(p => p.Series == "meta-loss").Select(p => p.Step);

    public string Checkpoint =>
        Convert.ToHexString(Messages.ReadCheckpoint(Frames.Single(f => f.Kind == FrameKind.Checkpoint)).Bytes);

    public Dictionary<long, byte[]> ResumePoints =>
        Frames.Where(f => f.Kind == FrameKind.ResumePoint).Select(Messages.ReadResumePoint)
            .ToDictionary(p => p.Step, p => p.Bytes);
}

/// <summary>A child that executes a job, as a process: no database, no worker but the test.</summary>
sealed class Child
{
    readonly Process _process;

    public Child(Job job, byte[]? resume = null, bool prints = false)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "metaopt-worker.dll"), "execute"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (prints) start.Environment["DOTNET_STARTUP_HOOKS"] = typeof(StartupHook).Assembly.Location;
        _process = Process.Start(start)!;
        var input = _process.StandardInput.BaseStream;
        job.ToFrame().Write(input);
        if (resume is not null) new Frame(FrameKind.Resume, resume).Write(input);
        new Frame(FrameKind.Start, []).Write(input);
    }

    public void Signal(int signal) => WorkerProcess.SignalProcess(_process.Id, signal);

    public void SignalUntilTheEnd(int signal)
    {
        while (!_process.HasExited) Signal(signal);
    }

    /// <summary>Processor seconds that it used.</summary>
    public double ProcessorSeconds
    {
        get
        {
            // In hundredths of a second, in the twelfth and thirteenth field behind the name in parentheses.
            var stat = File.ReadAllText($"/proc/{_process.Id}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture))
                / 100.0;
        }
    }

    public void CloseInput() => _process.StandardInput.BaseStream.Close();

    /// <summary>Reads it to its end; the action follows each frame of the kind.</summary>
    public async Task<ChildEnd> ToEndAsync(FrameKind kind = default, Action<Child, Frame>? then = null)
    {
        using var process = _process;
        var log = process.StandardError.ReadToEndAsync();
        var frames = new List<Frame>();
        try
        {
            while (await Frame.ReadAsync(process.StandardOutput.BaseStream, default) is { } frame)
            {
                frames.Add(frame);
                if (frame.Kind == kind) then!(this, frame);
            }
        }
        catch (EndOfStreamException)
        {
            // Killed within a frame.
        }
        await process.WaitForExitAsync();
        await File.WriteAllTextAsync(TestLogs.NewFile("child.log"), $"{await log}\nexit code {process.ExitCode}\n");
        return new(process.ExitCode, frames, await log);
    }
}

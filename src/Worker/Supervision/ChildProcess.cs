using System.Diagnostics;
using MetaOpt.Workers.Execution;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// The worker's side of one child: starts and feeds it, reads its frames and its log, signals it, knows how it ended.
/// </summary>
sealed class ChildProcess : IAsyncDisposable
{
    const int KeptLines = 20;

    readonly Process _process;
    readonly SemaphoreSlim _input = new(1);
    readonly Queue<string> _lines = new();
    readonly Task _log;
    volatile bool _signalled;

    ChildProcess(Process process, Action<string> log)
    {
        _process = process;
        _log = ReadLogAsync(log);
    }

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>Starts a child that waits for its job.</summary>
    /// <param name="device">The only GPU it sees; null: it sees what the worker sees.</param>
    /// <param name="log">Receives its log lines.</param>
    /// <param name="program">The assembly file that it is started from; by default the worker's.</param>
    public static ChildProcess Start(string? device, Action<string> log, string? program = null)
    {
        var start = Prepare(program, "execute");
        if (device is not null) start.Environment["CUDA_VISIBLE_DEVICES"] = device;
        return new(Process.Start(start)!, log);
    }

    /// <summary>This program once more, with other arguments, pipes, and nothing of the database.</summary>
    public static ProcessStartInfo Prepare(string? program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo
        {
            FileName = Environment.ProcessPath!,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        // Started as "dotnet metaopt-worker.dll", the program is the argument.
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
            start.ArgumentList.Add(program ?? WorkerHost.Delivered);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        // It has no business with the database or the server.
        foreach (var secret in start.Environment.Keys.Where(IsSecret).ToList()) start.Environment.Remove(secret);
        return start;
    }

    /// <summary>Names of addresses, passwords and tokens: the worker's own, and what libraries of PostgreSQL read.</summary>
    static bool IsSecret(string variable) =>
        variable == "METAOPT_DATABASE_URL" || variable.StartsWith("PG", StringComparison.Ordinal)
        || variable.Contains("PASSWORD", StringComparison.Ordinal) || variable.Contains("TOKEN", StringComparison.Ordinal);

    /// <summary>Sends job, resume point and checkpoints, and the start. A child that died meanwhile is no error here.</summary>
    public async Task FeedAsync(Job job, byte[]? resume, IEnumerable<(Guid Id, byte[] Bytes)> checkpoints,
        CancellationToken cancel)
    {
        await SendAsync(job.ToFrame(), cancel);
        if (resume is not null) await SendAsync(new(FrameKind.Resume, resume), cancel);
        foreach (var (id, bytes) in checkpoints) await SendAsync(Messages.Input(id, bytes), cancel);
        await SendAsync(new(FrameKind.Start, []), cancel);
    }

    /// <summary>Says that the worker lives, every <paramref name="interval"/>, whatever the database does.</summary>
    public async Task KeepAliveAsync(TimeSpan interval, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            while (await timer.WaitForNextTickAsync(cancel)) await SendAsync(new(FrameKind.KeepAlive, []), cancel);
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Reads its frames into <paramref name="buffer"/> until the end, whose reason it passes on.</summary>
    public async Task ReadAsync(EventBuffer buffer, CancellationToken cancel)
    {
        try
        {
            var output = new BufferedStream(_process.StandardOutput.BaseStream, 1 << 16);
            while (await Frame.ReadAsync(output, cancel) is { } frame) await buffer.AddAsync(frame, cancel);
            buffer.Complete();
        }
        catch (Exception broken) when (broken is IOException)
        {
            // It was killed in mid-frame; its exit code tells the rest.
            buffer.Complete();
        }
        catch (Exception reason)
        {
            buffer.Complete(reason);
        }
    }

    /// <summary>SIGTERM now, SIGKILL after <paramref name="grace"/>.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        Signal(Native.SigTerm);
        using var patience = new CancellationTokenSource(grace);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Kill();
        }
    }

    /// <summary>
    /// Returns true, and kills it, once it holds more than <paramref name="most"/> bytes of memory; false when it ended before.
    /// Its resident and swapped memory is looked at: a limit of addresses (RLIMIT_AS) would refuse .NET the 256 GiB that its
    /// collector only reserves.
    /// </summary>
    public async Task<bool> WatchMemoryAsync(long most, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        try
        {
            while (await timer.WaitForNextTickAsync(cancel))
            {
                if (MemoryOf(_process.Id) <= most) continue;
                Kill();
                return true;
            }
        }
        catch (OperationCanceledException)
        {
        }
        return false;
    }

    static long MemoryOf(int process)
    {
        try
        {
            return File.ReadLines($"/proc/{process}/status")
                .Where(l => l.StartsWith("VmRSS:", StringComparison.Ordinal) || l.StartsWith("VmSwap:", StringComparison.Ordinal))
                .Sum(l => long.Parse(l.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
                    System.Globalization.CultureInfo.InvariantCulture) << 10);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => Signal(Native.SigKill);

    /// <summary>
    /// It ended without being done because it was asked to, or because its worker was silent: that is never the run's fault. A
    /// signal of this worker may have met it before it listened, or have been SIGKILL; others' SIGTERM, such as an operator's, it
    /// answers itself.
    /// </summary>
    public bool WasStopped => _process.HasExited && (_signalled || _process.ExitCode is ChildExit.Stopped or ChildExit.Abandoned);

    /// <summary>It ended badly by itself.</summary>
    public bool Died => _process.HasExited && !WasStopped && _process.ExitCode != ChildExit.Done;

    /// <summary>Its exit code, once it ended; 128 + signal when a signal killed it.</summary>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync();
        await _log;
        return _process.ExitCode;
    }

    /// <summary>How a child ended, for people: exit code or signal.</summary>
    public static string Describe(int exitCode) => exitCode switch
    {
        ChildExit.Abandoned => "the child lost its worker",
        > 128 and <= 192 => $"the child was killed by signal {exitCode - 128}"
            + (exitCode == 137 ? " (SIGKILL; out of memory?)" : ""),
        _ => $"the child exited with code {exitCode}",
    };

    /// <summary>The same with its last log lines.</summary>
    public string DescribeWithLog(int exitCode)
    {
        lock (_lines)
            return _lines.Count == 0 ? Describe(exitCode) : $"{Describe(exitCode)}; its last lines: {string.Join(" | ", _lines)}";
    }

    /// <summary>Kills it if it still lives.</summary>
    public async ValueTask DisposeAsync()
    {
        Kill();
        await ExitAsync();
        _process.Dispose();
        _input.Dispose();
    }

    // Process.HasExited keeps the id from being another process's: it is reaped by this very object only.
    void Signal(int signal)
    {
        if (_process.HasExited) return;
        _signalled = true;
        _ = Native.Signal(_process.Id, signal);
    }

    async Task SendAsync(Frame frame, CancellationToken cancel)
    {
        await _input.WaitAsync(cancel);
        try
        {
            await frame.WriteAsync(_process.StandardInput.BaseStream, cancel);
        }
        catch (IOException)
        {
            // It is gone; reading its output and its exit code says so in order.
        }
        finally
        {
            _input.Release();
        }
    }

    Task ReadLogAsync(Action<string> log) => LogLines.ReadAsync(_process.StandardError, line =>
    {
        log(line);
        lock (_lines)
        {
            _lines.Enqueue(line);
            if (_lines.Count > KeptLines) _lines.Dequeue();
        }
    });
}

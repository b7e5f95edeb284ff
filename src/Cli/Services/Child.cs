using System.Diagnostics;
using MetaOpt.Storage;

namespace MetaOpt.Cli.Services;

/// <summary>
/// One process that is kept alive: started, its output written to a log file, started again when it dies, with a growing
/// pause. It holds the reading end of a pipe as standard input: when this process is gone, however it went, the pipe
/// ends and the child stops by itself.
/// </summary>
public sealed class Child(string name, IReadOnlyList<string> command, Home home)
{
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(20), Steady = TimeSpan.FromSeconds(60);

    /// <summary>Variables of the child's environment besides this process's own.</summary>
    public IDictionary<string, string> Environment { get; } = new Dictionary<string, string>();

    /// <summary>
    /// Runs until <paramref name="stop"/> fires and the child is gone. Says on <paramref name="say"/> what happens.
    /// </summary>
    /// <param name="say">One line an event, for a log.</param>
    /// <param name="stop">Ends it: SIGTERM, and after a while SIGKILL.</param>
    /// <param name="giveUpAfter">Deaths in a row that are too many; null tries for ever.</param>
    public async Task KeepAliveAsync(Action<string> say, CancellationToken stop, int? giveUpAfter = null)
    {
        var deaths = 0;
        while (!stop.IsCancellationRequested)
        {
            var age = Stopwatch.StartNew();
            var code = await RunAsync(stop);
            if (stop.IsCancellationRequested)
                break;
            deaths = age.Elapsed > Steady ? 1 : deaths + 1;
            if (deaths >= giveUpAfter)
                throw new CommandException($"The {name} ended {deaths} times (exit code {code}). {LastWords()}");
            var pause = TimeSpan.FromSeconds(Math.Min(30, Math.Pow(2, deaths - 1)));
            say($"{name} ended with exit code {code}; starting it again in {pause.TotalSeconds:F0} s");
            await Task.Delay(pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    async Task<int> RunAsync(CancellationToken stop)
    {
        var start = Programs.InOwnSession(command);
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        foreach (var (key, value) in Environment)
            start.Environment[key] = value;
        using var process = Process.Start(start) ?? throw new CommandException($"Cannot start {command[0]}.");
        ProcessIdentity.Of(process.Id).Write(home.PidFile(name));
        using var log = Log.Open(home.LogFile(name));
        var output = Task.WhenAll(CopyAsync(process.StandardOutput, log), CopyAsync(process.StandardError, log));
        await process.WaitForExitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited)
            await StopAsync(process);
        File.Delete(home.PidFile(name));
        // A grandchild may still hold the pipes; its words are not worth waiting for.
        await Task.WhenAny(output, Task.Delay(1000, CancellationToken.None));
        return process.ExitCode;
    }

    static async Task StopAsync(Process process)
    {
        Signals.Terminate(process.Id);
        using var grace = new CancellationTokenSource(Grace);
        await process.WaitForExitAsync(grace.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
    }

    static async Task CopyAsync(StreamReader from, TextWriter to)
    {
        while (await from.ReadLineAsync() is { } line)
            await to.WriteLineAsync(line);
    }

    string LastWords()
    {
        var lines = Log.Tail(home.LogFile(name), 12);
        return $"The end of {home.LogFile(name)}:\n{string.Join('\n', lines.Select(l => $"  {l}"))}";
    }
}

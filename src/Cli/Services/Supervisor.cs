using System.Diagnostics;
using MetaOpt.Storage;

namespace MetaOpt.Cli.Services;

/// <summary>
/// The background process of <c>metaopt up</c>. It holds a lock on a file for as long as it lives, which is how others know
/// that it does: a process id alone could belong to somebody else by now.
/// </summary>
public sealed class Supervisor(Home home)
{
    const string Name = "supervisor";
    string LockFile => Path.Combine(home.Run, "supervisor.lock");

    /// <summary>The one that runs, perhaps in another container or on another host; null when none does.</summary>
    public ProcessIdentity? Find()
    {
        if (!File.Exists(LockFile))
            return null;
        using var held = TryLock();
        // One that has just taken the lock finds the id of its predecessor there.
        return held is null && ProcessIdentity.Read(home.PidFile(Name)) is { } found && (found.IsAlive || !found.Space.IsHere)
            ? found
            : null;
    }

    /// <summary>Is the supervisor: returns when <paramref name="stop"/> fires and both services are gone.</summary>
    public async Task RunAsync(int port, bool torch, CancellationToken stop)
    {
        using var held = await LockAsync() ?? throw new CommandException("A supervisor is running already.");
        using var log = Log.Open(home.LogFile(Name));
        void Say(string line) => log.WriteLine($"{DateTime.UtcNow:yyyy-MM-dd HH:mm:ss}Z {line}");

        var services = new LocalServices(home, port, torch: torch);
        AtomicFile.Write(home.AddressFile, services.Address.AbsoluteUri.TrimEnd('/'));
        ProcessIdentity.Current.Write(home.PidFile(Name));
        try
        {
            Say($"starting on {services.Address}");
            var database = await Database.EnsureStartedAsync(stop);
            await Task.WhenAll(services.RunAsync(database, Say, stop), GuardDatabaseAsync(Say, stop));
            Say("stopped");
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Say("stopped");
        }
        catch (Exception e)
        {
            Say(e.ToString());
            throw;
        }
        finally
        {
            File.Delete(home.AddressFile);
            File.Delete(home.PidFile(Name));
        }
    }

    // A database that does not come back must not take the supervisor with it: the next look tries again.
    static async Task GuardDatabaseAsync(Action<string> say, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await Database.ReviveAsync(say, stop);
                return;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                say(e.Message);
                await Task.Delay(TimeSpan.FromSeconds(30), stop);
            }
        }
    }

    /// <summary>Starts it in a session of its own, so that it outlives the terminal.</summary>
    public Process Launch(int port, bool torch)
    {
        // The shell gives it files for its output: a pipe of ours would be closed under it.
        var start = Programs.InOwnSession(
            ["sh", "-c", "log=$0; exec \"$@\" </dev/null >>\"$log\" 2>&1", home.LogFile(Name), .. Programs.Self, "supervise",
                "--port", $"{port}", .. torch ? ["--torch"] : (string[])[]]);
        start.WorkingDirectory = "/";
        start.Environment["METAOPT_HOME"] = Path.GetFullPath(home.Folder);
        return Process.Start(start) ?? throw new CommandException("Cannot start the supervisor.");
    }

    /// <summary>Asks it to stop both services, and waits until it has; false when none runs.</summary>
    /// <exception cref="CommandException">It runs in another container or on another host.</exception>
    public async Task<bool> StopAsync(CancellationToken cancel)
    {
        if (Find() is not { } supervisor)
            return false;
        if (!supervisor.Space.IsHere)
            throw new CommandException(
                $"The services of {home.Folder} run {supervisor.Space}; stop them there, with: ./metaopt down");
        Signals.Terminate(supervisor.Id);
        while (Find() == supervisor)
            await Task.Delay(100, cancel);
        return true;
    }

    // Whoever asks for the process id holds the lock for an instant: one failure is not a refusal.
    async Task<FileStream?> LockAsync()
    {
        for (var attempt = 1; ; attempt++)
        {
            var held = TryLock();
            if (held is not null || attempt == 20)
                return held;
            await Task.Delay(50);
        }
    }

    FileStream? TryLock()
    {
        try
        {
            return new FileStream(LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }
}

using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace MetaOpt.Storage.Embedded;

// The server: whether it runs, its start and its end.
sealed partial class Cluster
{
    static readonly TimeSpan s_longestStop = TimeSpan.FromMinutes(2);

    /// <summary>
    /// The server of this cluster; null when there is none. Every process of it holds a lock on <see cref="LockFile"/> from
    /// before the start until its last child is gone. The kernel drops the lock, however they end, and it is seen from every
    /// container.
    /// </summary>
    public async Task<RunningServer?> FindServerAsync(CancellationToken cancellationToken)
    {
        var locked = IsLocked();
        var server = new RunningServer(Socket, locked ? StartRecord.Read(RecordFile)?.Space : null);
        // One that an earlier version or pg_ctl started holds no lock; it listens here, or works in the folder.
        var runs = locked || server.Answers || (PidFile() is [var pid, ..] && await WorksHereAsync(pid, cancellationToken));
        return runs ? server : null;
    }

    /// <summary>
    /// The folder of its socket; as the start named it, when the data folder has another path there. Without a server the record
    /// may be a copy of another cluster's.
    /// </summary>
    public string Socket => IsLocked() && StartRecord.Read(RecordFile) is { } record && Directory.Exists(record.Socket)
        ? record.Socket : SocketFolder;

    // A socket's path holds at most 107 bytes, so a deep data folder gets one in /tmp, for which others could wait.
    string SocketFolder => Path.Combine(Folder, "socket") is var socket && Encoding.UTF8.GetByteCount(socket) <= 80
        ? socket : $"/tmp/metaopt-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Folder)))[..16]}";

    /// <summary>Whether a start was not followed by a stop.</summary>
    public bool ShouldRun => File.Exists(RecordFile);

    bool IsLocked()
    {
        try
        {
            using var shared = new FileStream(LockFile, FileMode.Open, FileAccess.Read, FileShare.Read);
            return false;
        }
        catch (IOException e)
        {
            return e is not (FileNotFoundException or DirectoryNotFoundException);
        }
    }

    /// <summary>Whether a process works in this cluster's folder, as only its own server does.</summary>
    async Task<bool> WorksHereAsync(string pid, CancellationToken cancellationToken) =>
        int.TryParse(pid, out var id) && Directory.Exists($"/proc/{id}")
        && (await Command.RunAsync([.. account.Prefix, "test", $"/proc/{id}/cwd", "-ef", Data], cancellationToken)).Ok;

    /// <summary>Lines of PostgreSQL's own lock file: process id, folder, start time, port, socket folder, ..</summary>
    string[] PidFile()
    {
        try
        {
            return File.Exists(ServerPidFile) ? File.ReadAllLines(ServerPidFile) : [];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>
    /// Starts the server, as a daemon that outlives this process, unless it runs; waits until it takes connections.
    /// </summary>
    /// <exception cref="EmbeddedPostgresException">It did not start, or another one holds the folder and does not
    /// answer.</exception>
    public async Task<RunningServer> EnsureRunningAsync(CancellationToken cancellationToken)
    {
        // One that starts, ends or recovers does not listen yet; the last children of a killed one need a moment to notice.
        var patience = Stopwatch.StartNew();
        while (await FindServerAsync(cancellationToken) is { } server)
        {
            if (server.Answers)
            {
                if (!ShouldRun)
                    new StartRecord(server.Socket, ProcessSpace.Here).Write(RecordFile);
                return server;
            }
            if (patience.Elapsed > options.Patience)
                throw new EmbeddedPostgresException(
                    $"Processes of a PostgreSQL {server.Where} hold {LockFile}, and none listens on {server.Socket}. It may run in " +
                    "another container or on another host, or still be ending after a crash: stop it there, or try again later.");
            await Task.Delay(100, cancellationToken);
        }
        await StartAsync(cancellationToken);
        return await FindServerAsync(cancellationToken)
            ?? throw new EmbeddedPostgresException($"The PostgreSQL in {Data} ended: {LogFrom(0)}");
    }

    async Task StartAsync(CancellationToken cancellationToken)
    {
        await MakeSocketFolderAsync(cancellationToken);
        await WriteSettingsAsync(cancellationToken);
        new StartRecord(SocketFolder, ProcessSpace.Here).Write(RecordFile);
        if (new FileInfo(Log) is { Exists: true, Length: > 8 << 20 })
            File.Move(Log, Log + ".old", overwrite: true);
        // PostgreSQL takes any process of that id for its server. But nobody holds the lock, and this process works elsewhere.
        if (PidFile() is [var pid, ..] && Directory.Exists($"/proc/{pid}") && !await WorksHereAsync(pid, cancellationToken))
            File.Delete(ServerPidFile);
        var logged = new FileInfo(Log) is { Exists: true } before ? before.Length : 0;
        // The server inherits the lock. A recovery after a crash can take minutes, hence the long wait.
        var started = await Command.RunAsync(
            [.. account.Prefix, "flock", LockFile, binaries.Program("pg_ctl"), "start", "--wait", "--timeout=600", "--silent",
             "--pgdata", Data, "--log", Log], cancellationToken);
        if (started.Output.Contains("flock: ", StringComparison.Ordinal))
            throw new EmbeddedPostgresException(
                $"PostgreSQL was not started, because {LockFile} could not be "
                + $"locked: {started.Output}. Install flock (package util-linux), and " +
                "let METAOPT_HOME name a folder on a disk of this machine.");
        if (!started.Ok)
            throw new EmbeddedPostgresException(
                $"PostgreSQL {binaries.Version} in {Data} did not start: {started.Output}\n{LogFrom(logged)}");
    }

    /// <summary>
    /// Lets running transactions end at once (they roll back), and waits until the server is gone; false when none ran.
    /// </summary>
    /// <exception cref="EmbeddedPostgresException">It runs in another container or on another host, or does not end.</exception>
    public async Task<bool> StopAsync(CancellationToken cancellationToken)
    {
        if (await FindServerAsync(cancellationToken) is not { } server)
            return false;
        if (server.ProcessId is { } process)
            await account.RequireAsync([binaries.Program("pg_ctl"), "kill", "INT", $"{process}"], cancellationToken);
        else if (server.Answers || server.Space is { IsHere: false })
            throw new EmbeddedPostgresException(
                $"The PostgreSQL in {Folder} runs {server.Where}, where this process cannot stop it. Stop it there.");
        var patience = Stopwatch.StartNew();
        while (await FindServerAsync(cancellationToken) is not null)
        {
            if (patience.Elapsed > s_longestStop)
                throw new EmbeddedPostgresException(
                    $"The PostgreSQL in {Data} has not ended after {s_longestStop.TotalSeconds:F0} s; {Log} may say why.");
            await Task.Delay(50, cancellationToken);
        }
        if (Directory.Exists(server.Socket))
            Directory.Delete(server.Socket);
        return true;
    }

    /// <summary>From now on it is stopped on purpose.</summary>
    public void Forget() => File.Delete(RecordFile);

    async Task MakeSocketFolderAsync(CancellationToken cancellationToken)
    {
        var socket = SocketFolder;
        if (!Directory.Exists(socket))
        {
            Directory.CreateDirectory(socket, Private);
            await account.OwnAsync(socket, cancellationToken);
            return;
        }
        var expected = await Command.RequireAsync(["stat", "-c", "%u:%g", Folder], cancellationToken);
        var found = await Command.RequireAsync(["stat", "-c", "%u:%g %a %F", socket], cancellationToken);
        if (found != $"{expected} 700 directory")
            throw new EmbeddedPostgresException(
                $"The socket folder {socket} should be a directory of {expected} with mode 700, "
                + $"but is: {found}. Remove it, and start again.");
    }

    string LogFrom(long position)
    {
        if (!File.Exists(Log))
            return "";
        using var stream = File.OpenRead(Log);
        stream.Position = Math.Min(position, stream.Length);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Trim();
    }
}

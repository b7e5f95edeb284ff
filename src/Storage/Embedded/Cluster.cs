using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace MetaOpt.Storage.Embedded;

/// <summary>
/// The files and the server of one cluster: <c>cluster/</c> (PostgreSQL's data directory), <c>password</c>, <c>server.log</c> and,
/// where the path is short enough, <c>socket/</c>. All of it belongs to the account, and nobody else can enter.
/// </summary>
sealed class Cluster(EmbeddedOptions options, Account account, PostgresBinaries binaries, string home)
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public PostgresBinaries Binaries => binaries;
    public Account Account => account;

    /// <summary>Holds one cluster for each major version.</summary>
    public string Parent { get; } = Path.Combine(home, "postgres");
    public string Folder => Path.Combine(Parent, binaries.Major.ToString());
    public string Data => Path.Combine(Folder, "cluster");
    public string PasswordFile => Path.Combine(Folder, "password");
    public string Log => Path.Combine(Folder, "server.log");
    public bool Created => Directory.Exists(Data);

    /// <summary>Major versions that have a cluster here.</summary>
    public static IReadOnlyList<int> MajorsIn(string home)
    {
        var parent = Path.Combine(home, "postgres");
        return !Directory.Exists(parent) ? [] :
        [
            .. from folder in Directory.GetDirectories(parent)
               where int.TryParse(Path.GetFileName(folder), out _) && Directory.Exists(Path.Combine(folder, "cluster"))
               select int.Parse(Path.GetFileName(folder)),
        ];
    }

    /// <summary>The server's process, null when it does not run; a file left behind by a killed server does not count.</summary>
    public int? ProcessId()
    {
        if (PidFile() is not [var pid, ..] || !int.TryParse(pid, out var id))
            return null;
        try
        {
            // The number may have been given to another process since, or be a dead one that nobody waited for.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return stat.Contains("(postgres) ", StringComparison.Ordinal) && !stat.Contains(") Z ", StringComparison.Ordinal) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The socket folder of the running server.</summary>
    public string? RunningSocket() => PidFile() is [_, _, _, _, { Length: > 0 } socket, ..] ? socket : null;

    string[] PidFile()
    {
        var path = Path.Combine(Data, "postmaster.pid");
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>initdb, under another name until it is complete.</summary>
    public async Task CreateAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Parent);
        Directory.CreateDirectory(Folder, Private);
        var fresh = Data + ".new";
        if (Directory.Exists(fresh))
            Directory.Delete(fresh, recursive: true);
        if (File.Exists(PasswordFile))
            File.Delete(PasswordFile);
        await using (var file = new FileStream(PasswordFile, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
            await file.WriteAsync(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64, lowercase: true)), cancellationToken);
        await account.OwnAsync(Folder, cancellationToken);
        await account.RequireAsync(
            [binaries.Program("initdb"), "--pgdata", fresh, "--username", "postgres", "--pwfile", PasswordFile, "--data-checksums",
             "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C",
             .. options.Settings.GetValueOrDefault("fsync") == "off" ? new[] { "--no-sync" } : []], cancellationToken);
        await File.AppendAllTextAsync(Path.Combine(fresh, "postgresql.conf"), "\ninclude = 'metaopt.conf'\n", cancellationToken);
        Directory.Move(fresh, Data);
    }

    /// <summary>Starts the server as a daemon that outlives this process, and waits until it takes connections.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await WriteSettingsAsync(await MakeSocketFolderAsync(cancellationToken), cancellationToken);
        if (new FileInfo(Log) is { Exists: true, Length: > 8 << 20 })
            File.Move(Log, Log + ".old", overwrite: true);
        if (ProcessId() is null)
            File.Delete(Path.Combine(Data, "postmaster.pid"));
        for (var attempt = 1; ; attempt++)
        {
            var logged = new FileInfo(Log) is { Exists: true } before ? before.Length : 0;
            // A recovery after a crash can take minutes, hence the long wait.
            var started = await Command.RunAsync(
                [.. account.Prefix, binaries.Program("pg_ctl"), "start", "--wait", "--timeout=600", "--silent",
                 "--pgdata", Data, "--log", Log], cancellationToken);
            if (started.Ok)
                return;
            var said = LogFrom(logged);
            // Children of a killed server need a moment to notice.
            if (attempt < 50 && said.Contains("pre-existing shared memory block", StringComparison.Ordinal))
                await Task.Delay(200, cancellationToken);
            else
                throw new EmbeddedPostgresException($"PostgreSQL {binaries.Version} in {Data} did not start: {started.Output}\n{said}");
        }
    }

    /// <summary>Lets running transactions end at once (they roll back), and waits until the server is gone.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var socket = RunningSocket();
        await account.RequireAsync(
            [binaries.Program("pg_ctl"), "stop", "--wait", "--timeout=120", "--silent", "--mode=fast", "--pgdata", Data], cancellationToken);
        if (socket is not null && Directory.Exists(socket))
            Directory.Delete(socket);
    }

    /// <summary>For a program outside this process: as the role that owns <paramref name="database"/>, or as the superuser.</summary>
    public string ConnectionString(string database, bool superuser = false) => new NpgsqlConnectionStringBuilder
    {
        Host = RunningSocket() ?? throw new EmbeddedPostgresException($"The PostgreSQL in {Data} stopped."),
        Username = superuser ? "postgres" : "metaopt",
        Password = File.ReadAllText(PasswordFile),
        Database = database,
        Pooling = !superuser,
    }.ConnectionString;

    /// <summary>The role and the database, where they are missing. The role is no superuser.</summary>
    public async Task EnsureDatabaseAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres", superuser: true));
        await connection.OpenAsync(cancellationToken);
        await using var ask = new NpgsqlCommand(
            "select exists (select from pg_roles where rolname = 'metaopt'), exists (select from pg_database where datname = @name)",
            connection);
        ask.Parameters.AddWithValue("name", options.Database);
        bool role, database;
        await using (var answer = await ask.ExecuteReaderAsync(cancellationToken))
        {
            await answer.ReadAsync(cancellationToken);
            (role, database) = (answer.GetBoolean(0), answer.GetBoolean(1));
        }
        if (!role)
            await Execute($"create role metaopt login createdb password '{await File.ReadAllTextAsync(PasswordFile, cancellationToken)}'");
        if (!database)
            await Execute($"create database \"{options.Database.Replace("\"", "\"\"")}\" owner metaopt template template0");

        async Task Execute(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    async Task WriteSettingsAsync(string socket, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>
        {
            // No TCP: other users of the machine cannot reach it, and no port can collide.
            ["listen_addresses"] = "",
            ["unix_socket_directories"] = socket,
            ["port"] = "5432",
            ["max_connections"] = "200",
            ["password_encryption"] = "scram-sha-256",
        };
        foreach (var (name, value) in options.Settings)
            settings[name] = value;
        var text = new StringBuilder("# Written by metaopt at every start; put your own settings in postgresql.conf, below the include.\n");
        foreach (var (name, value) in settings)
            text.Append($"{name} = '{value.Replace("'", "''")}'\n");
        var path = Path.Combine(Data, "metaopt.conf");
        await File.WriteAllTextAsync(path, text.ToString(), cancellationToken);
        await account.OwnAsync(path, cancellationToken);
    }

    /// <summary>A socket's path holds at most 107 bytes, so a deep data folder gets one in /tmp, for which others could wait.</summary>
    async Task<string> MakeSocketFolderAsync(CancellationToken cancellationToken)
    {
        var socket = Path.Combine(Folder, "socket");
        if (Encoding.UTF8.GetByteCount(socket) > 80)
            socket = $"/tmp/metaopt-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Folder)))[..16]}";
        if (Directory.Exists(socket))
        {
            var expected = await Command.RequireAsync(["stat", "-c", "%u:%g", Folder], cancellationToken);
            var found = await Command.RequireAsync(["stat", "-c", "%u:%g %a %F", socket], cancellationToken);
            return found == $"{expected} 700 directory" ? socket : throw new EmbeddedPostgresException(
                $"The socket folder {socket} should be a directory of {expected} with mode 700, but is: {found}. Remove it, and start again.");
        }
        Directory.CreateDirectory(socket, Private);
        await account.OwnAsync(socket, cancellationToken);
        return socket;
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

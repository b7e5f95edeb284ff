using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace MetaOpt.Storage.Embedded;

/// <summary>
/// The files and the server of one cluster: <c>cluster/</c> (PostgreSQL's data directory), <c>password</c>, <c>server.log</c>
/// and, where the path is short enough, <c>socket/</c>. All of it belongs to the account, and nobody else can enter.
/// </summary>
sealed partial class Cluster(EmbeddedOptions options, Account account, PostgresBinaries binaries, string home)
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
    string LockFile => Path.Combine(Folder, "server.lock");
    string RecordFile => Path.Combine(Folder, "server.json");
    string ServerPidFile => Path.Combine(Data, "postmaster.pid");

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
            await file.WriteAsync(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64, lowercase: true)),
                cancellationToken);
        await account.OwnAsync(Folder, cancellationToken);
        await account.RequireAsync(
            [binaries.Program("initdb"), "--pgdata", fresh, "--username", "postgres", "--pwfile", PasswordFile,
                "--data-checksums",
             "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C",
             .. options.Settings.GetValueOrDefault("fsync") == "off" ? new[] { "--no-sync" } : []], cancellationToken);
        await File.AppendAllTextAsync(Path.Combine(fresh, "postgresql.conf"), "\ninclude = 'metaopt.conf'\n", cancellationToken);
        Directory.Move(fresh, Data);
    }

    /// <summary>
    /// For a program outside this process: as the role that owns <paramref name="database"/>, or as the superuser.
    /// </summary>
    public string ConnectionString(string database, bool superuser = false) => new NpgsqlConnectionStringBuilder
    {
        Host = Socket,
        Username = superuser ? "postgres" : "metaopt",
        Password = File.ReadAllText(PasswordFile),
        Database = database,
        Pooling = !superuser,
    }.ConnectionString;

    /// <summary>The role and the database, where they are missing. The role is no superuser.</summary>
    public async Task EnsureDatabaseAsync(CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(cancellationToken);
        await using var ask = new NpgsqlCommand(
            "select exists (select from pg_roles where rolname = 'metaopt'), exists (select from pg_database where datname = "
            + "@name)",
            connection);
        ask.Parameters.AddWithValue("name", options.Database);
        bool role, database;
        await using (var answer = await ask.ExecuteReaderAsync(cancellationToken))
        {
            await answer.ReadAsync(cancellationToken);
            (role, database) = (answer.GetBoolean(0), answer.GetBoolean(1));
        }
        if (!role)
            await Execute(
                $"create role metaopt login createdb password '{await File.ReadAllTextAsync(PasswordFile, cancellationToken)}'");
        if (!database)
            await Execute($"create database \"{options.Database.Replace("\"", "\"\"")}\" owner metaopt template template0");

        async Task Execute(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>A connection of the superuser's, which waits while the server recovers from a crash.</summary>
    /// <exception cref="EmbeddedPostgresException">The server refuses.</exception>
    public async Task<NpgsqlConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionString("postgres", superuser: true));
        for (; ; )
        {
            try
            {
                await connection.OpenAsync(cancellationToken);
                return connection;
            }
            catch (PostgresException starting) when (starting.SqlState == PostgresErrorCodes.CannotConnectNow)
            {
                await Task.Delay(100, cancellationToken);
            }
            catch (NpgsqlException refused)
            {
                await connection.DisposeAsync();
                throw new EmbeddedPostgresException(
                    $"The PostgreSQL in {Data} refuses a connection: {refused.Message} Its log is {Log}.");
            }
        }
    }

    async Task WriteSettingsAsync(CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>
        {
            // No TCP: other users of the machine cannot reach it, and no port can collide.
            ["listen_addresses"] = "",
            ["unix_socket_directories"] = SocketFolder,
            ["port"] = "5432",
            ["max_connections"] = "200",
            ["password_encryption"] = "scram-sha-256",
        };
        foreach (var (name, value) in options.Settings)
            settings[name] = value;
        var text = new StringBuilder(
            "# Written by metaopt at every start; put your own settings in postgresql.conf, below the include.\n");
        foreach (var (name, value) in settings)
            text.Append($"{name} = '{value.Replace("'", "''")}'\n");
        var path = Path.Combine(Data, "metaopt.conf");
        AtomicFile.Write(path, text.ToString(), AtomicFile.Private);
        await account.OwnAsync(path, cancellationToken);
    }
}

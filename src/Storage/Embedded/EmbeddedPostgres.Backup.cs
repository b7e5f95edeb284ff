using Npgsql;

namespace MetaOpt.Storage.Embedded;

// Two kinds of backup. Where pg_dump is (any system package), a dump in its custom format: taken while everything runs, and any
// later PostgreSQL reads it. The npm package has no client programs: there the server stops for a moment and its files are
// packed, which only the same major version reads. A restore tells them apart by their first bytes.
public static partial class EmbeddedPostgres
{
    /// <summary>Writes the database to a new file that only the caller can read. Starts the server if need be.</summary>
    /// <exception cref="EmbeddedPostgresException">The file exists, or there is nothing to save.</exception>
    public static async Task BackupAsync(EmbeddedOptions options, string file, CancellationToken cancellationToken)
    {
        var (cluster, turn) = await OpenAsync(options, cancellationToken);
        using var _ = turn;
        if (!cluster.Created)
            throw new EmbeddedPostgresException($"There is no database in {cluster.Folder} to back up.");
        if (Path.Exists(file))
            throw new EmbeddedPostgresException($"'{file}' exists already. Name a new file.");
        var target = Path.GetFullPath(file);
        var partial = target + ".partial";
        await using (new FileStream(partial, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
        }
        try
        {
            await (cluster.Binaries.ClientProgram("pg_dump") is { } dump
                ? DumpAsync(cluster, dump, options.Database, partial, cancellationToken)
                : PackAsync(cluster, partial, cancellationToken));
            File.Move(partial, target);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    /// <summary>Replaces the database by a backup's; all or nothing. Open connections to it end.</summary>
    /// <param name="options">Where to.</param>
    /// <param name="file">Written by <see cref="BackupAsync"/>.</param>
    /// <param name="replace">Whether a database that holds something may be lost.</param>
    /// <param name="cancellationToken">Leaves the old database in place.</param>
    /// <exception cref="EmbeddedPostgresException">
    /// The file is no backup, or of another major version, or the database is not empty and <paramref name="replace"/> is false.
    /// </exception>
    public static async Task RestoreAsync(EmbeddedOptions options, string file, bool replace, CancellationToken cancellationToken)
    {
        var packed = IsPacked(file);
        var (cluster, turn) = await OpenAsync(options, cancellationToken);
        using var _ = turn;
        await EnsureRunningAsync(cluster, cancellationToken);
        if (!replace && await HasTablesAsync(cluster.ConnectionString(options.Database, superuser: true), cancellationToken))
            throw new EmbeddedPostgresException(
                $"The database in {cluster.Folder} holds data, which a restore would replace. Add --yes to lose it.");
        if (packed)
            await UnpackAsync(cluster, Path.GetFullPath(file), cancellationToken);
        else
            await LoadAsync(cluster, options.Database, Path.GetFullPath(file), cancellationToken);
        await cluster.EnsureDatabaseAsync(cancellationToken);
    }

    static bool IsPacked(string file)
    {
        if (!File.Exists(file))
            throw new EmbeddedPostgresException($"There is no file '{file}'.");
        Span<byte> head = stackalloc byte[5];
        using var stream = File.OpenRead(file);
        var read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return head[..read] switch
        {
            [0x1f, 0x8b, ..] => true,
            [(byte)'P', (byte)'G', (byte)'D', (byte)'M', (byte)'P'] => false,
            _ => throw new EmbeddedPostgresException(
                $"'{file}' is no backup of metaopt: neither a PostgreSQL dump nor a packed cluster."),
        };
    }

    static async Task DumpAsync(Cluster cluster, string program, string database, string file,
        CancellationToken cancellationToken)
    {
        await EnsureRunningAsync(cluster, cancellationToken);
        await Command.RequireAsync(
            [program, "--format=custom", "--no-owner", "--no-privileges", $"--file={file}"], cancellationToken,
            Login(cluster, database));
    }

    static async Task LoadAsync(Cluster cluster, string database, string file, CancellationToken cancellationToken)
    {
        var program = cluster.Binaries.ClientProgram("pg_restore") ?? throw new EmbeddedPostgresException(
            $"'{file}' is a dump, and {cluster.Binaries.Folder} has no pg_restore to read it with. " +
            "Install it with: sudo apt-get install -y --no-install-recommends postgresql, and restore into an empty "
            + "METAOPT_HOME.");
        var (fresh, old) = ($"{database}_restoring", $"{database}_replaced");
        await using var connection = await cluster.ConnectAsync(cancellationToken);
        await ExecuteAsync($"drop database if exists \"{old}\" with (force)");
        await LoadIntoAsync(cluster, program, connection, fresh, file, cancellationToken);
        // Clients come back at once, so they are kept out until the names have changed.
        await ExecuteAsync($"alter database \"{database}\" with allow_connections false");
        await ExecuteAsync($"select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{database}'");
        await ExecuteAsync(
            $"begin; alter database \"{database}\" rename to \"{old}\"; alter database \"{fresh}\" rename to \"{database}\"; commit");
        await ExecuteAsync($"drop database \"{old}\"");

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>Makes a database anew from a dump.</summary>
    static async Task LoadIntoAsync(
        Cluster cluster, string program, NpgsqlConnection connection, string database, string file,
        CancellationToken cancellationToken)
    {
        foreach (var sql in new[] { $"drop database if exists \"{database}\" with (force)",
            $"create database \"{database}\" owner metaopt template template0" })
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        await Command.RequireAsync(
            [program, "--no-owner", "--no-privileges", "--role=metaopt", "--single-transaction", $"--dbname={database}", file],
            cancellationToken, Login(cluster, database));
    }

    static async Task PackAsync(Cluster cluster, string file, CancellationToken cancellationToken)
    {
        var running = await cluster.StopAsync(cancellationToken);
        try
        {
            await Command.RequireAsync(
                ["tar", "-czf", file, "-C", cluster.Folder, Path.GetFileName(cluster.Data),
                    Path.GetFileName(cluster.PasswordFile)],
                cancellationToken);
        }
        finally
        {
            if (running)
                await cluster.EnsureRunningAsync(CancellationToken.None);
        }
    }

    static async Task UnpackAsync(Cluster cluster, string file, CancellationToken cancellationToken)
    {
        var (fresh, old) = (Path.Combine(cluster.Folder, "restoring"), Path.Combine(cluster.Folder, "replaced"));
        foreach (var left in new[] { fresh, old })
            if (Directory.Exists(left))
                Directory.Delete(left, recursive: true);
        Directory.CreateDirectory(fresh);
        Directory.CreateDirectory(old);
        await Command.RequireAsync(["tar", "-xzf", file, "--no-same-owner", "-C", fresh], cancellationToken);
        var version = Path.Combine(fresh, "cluster/PG_VERSION");
        var major = File.Exists(version) ? (await File.ReadAllTextAsync(version, cancellationToken)).Trim() : "no PostgreSQL";
        if (major != cluster.Binaries.Major.ToString())
        {
            Directory.Delete(fresh, recursive: true);
            throw new EmbeddedPostgresException(
                $"'{file}' holds the files of PostgreSQL {major}; this is PostgreSQL {cluster.Binaries.Version}, which reads "
                + "only its own. " +
                $"Restore it with the binaries of version {major} (METAOPT_PG_BIN).");
        }
        await cluster.Account.OwnAsync(fresh, cancellationToken);
        await cluster.StopAsync(cancellationToken);
        Swap(fresh, old);
        try
        {
            await cluster.EnsureRunningAsync(cancellationToken);
        }
        catch
        {
            Swap(old, fresh);
            await cluster.EnsureRunningAsync(CancellationToken.None);
            throw;
        }
        Directory.Delete(fresh, recursive: true);
        Directory.Delete(old, recursive: true);

        // What serves goes to one folder, and the other's comes in.
        void Swap(string from, string to)
        {
            foreach (var path in new[] { cluster.Data, cluster.PasswordFile })
            {
                Directory.Move(path, Path.Combine(to, Path.GetFileName(path)));
                Directory.Move(Path.Combine(from, Path.GetFileName(path)), path);
            }
        }
    }

    static async Task<bool> HasTablesAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var ask = source.CreateCommand("select exists (select from pg_tables where schemaname = 'public')");
        return (bool)(await ask.ExecuteScalarAsync(cancellationToken))!;
    }

    static (string, string)[] Login(Cluster cluster, string database) =>
    [
        ("PGHOST", cluster.Socket), ("PGUSER", "postgres"), ("PGPASSWORD", File.ReadAllText(cluster.PasswordFile)),
        ("PGDATABASE", database),
    ];
}

namespace MetaOpt.Storage.Embedded;

/// <summary>
/// A private PostgreSQL for those who bring none: one cluster in the data folder, reachable through a unix socket that only its
/// owner (and root) can enter. It is a daemon and outlives whoever started it; the next start reuses it. Operations on one data
/// folder exclude each other, also between processes.
/// </summary>
/// <remarks>
/// As root the server runs as another account, which must be able to reach its files. Where it cannot enter the data folder (one
/// below /root, say), the cluster lies in <c>/var/lib/metaopt/NAME</c>, NAME being the data folder's path with dashes for
/// slashes.
/// </remarks>
public static partial class EmbeddedPostgres
{
    /// <summary>Creates, starts or reuses the cluster; returns the connection string of its database.</summary>
    /// <exception cref="EmbeddedPostgresException">There are no binaries, or the server does not start: says what to
    /// do.</exception>
    public static async Task<string> EnsureStartedAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        var (cluster, turn) = await OpenAsync(options, cancellationToken);
        using (turn)
        {
            await EnsureRunningAsync(cluster, cancellationToken);
            return cluster.ConnectionString(options.Database);
        }
    }

    /// <summary>Stops the server; false when it did not run.</summary>
    /// <exception cref="EmbeddedPostgresException">It runs where this process cannot stop it, or does not end.</exception>
    public static async Task<bool> StopAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        var (cluster, turn) = await OpenAsync(options, cancellationToken);
        using (turn)
        {
            var stopped = await cluster.StopAsync(cancellationToken);
            cluster.Forget();
            return stopped;
        }
    }

    /// <summary>Whether it runs, and where it lies. Starts nothing.</summary>
    public static async Task<EmbeddedStatus> StatusAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        var cluster = await FindAsync(options, cancellationToken);
        var server = cluster.Created ? await cluster.FindServerAsync(cancellationToken) : null;
        var state = server switch
        {
            { Answers: true } => EmbeddedState.Running,
            not null => EmbeddedState.Busy,
            _ => !cluster.Created ? EmbeddedState.NotCreated : cluster.ShouldRun ? EmbeddedState.Crashed : EmbeddedState.Stopped,
        };
        return new(state, server?.ProcessId, server?.Where, cluster.Folder, cluster.Binaries.Folder, cluster.Binaries.Version,
            cluster.Account.Name);
    }

    static async Task EnsureRunningAsync(Cluster cluster, CancellationToken cancellationToken)
    {
        if (!cluster.Created)
            await cluster.CreateAsync(cancellationToken);
        await cluster.EnsureRunningAsync(cancellationToken);
        await cluster.EnsureDatabaseAsync(cancellationToken);
    }

    /// <summary>The cluster, and the turn to work on it; waits while another process has the turn.</summary>
    static async Task<(Cluster Cluster, IDisposable Turn)> OpenAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        var cluster = await FindAsync(options, cancellationToken);
        Directory.CreateDirectory(cluster.Parent);
        for (; ; )
        {
            try
            {
                // The file stays: removing it would let two processes lock two files of the same name.
                return (cluster,
                    new FileStream(Path.Combine(cluster.Parent, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite,
                        FileShare.None));
            }
            catch (IOException busy)
                when (busy is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
            {
                await Task.Delay(50, cancellationToken);
            }
        }
    }

    static async Task<Cluster> FindAsync(EmbeddedOptions options, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
            throw new EmbeddedPostgresException(
                "The embedded PostgreSQL needs Linux. Set METAOPT_DATABASE_URL to the connection string of a server of your "
                + "own.");
        var account = await Account.ChooseAsync(cancellationToken);
        var folder = Path.GetFullPath(options.DataFolder);
        var home = await account.CanEnterAsync(folder, cancellationToken)
            ? folder : Path.Combine("/var/lib/metaopt", folder.Trim('/').Replace('/', '-'));
        var binaries = await PostgresBinaries.FindAsync(options.Binaries, folder, cancellationToken);
        var existing = Cluster.MajorsIn(home);
        // A newer PostgreSQL that was installed meanwhile must not hide the data: the binaries that fit it win.
        var fitting = binaries.FirstOrDefault(b => existing.Contains(b.Major));
        if (fitting is null && existing.Count > 0)
            throw new EmbeddedPostgresException(
                $"The data in {home}/postgres was made by PostgreSQL {string.Join(" and ", existing)}, but the binaries here "
                + "are of " +
                $"PostgreSQL {string.Join(" and ", binaries.Select(b => $"{b.Major} ({b.Folder})"))}, which cannot read it. "
                + "Install " +
                $"the package postgresql-{existing[0]}, or name its folder in METAOPT_PG_BIN; or "
                + $"move {home}/postgres away to start empty.");
        return new(options, account, await ReachableAsync(fitting ?? binaries[0], account, home, cancellationToken), home);
    }

    /// <summary>
    /// The npm package may lie where the account cannot read it; PostgreSQL runs from any place, so it gets a copy.
    /// </summary>
    static async Task<PostgresBinaries> ReachableAsync(
        PostgresBinaries binaries, Account account, string home, CancellationToken cancellationToken)
    {
        if (await account.CanEnterAsync(binaries.Folder, cancellationToken))
            return binaries;
        var copy = Path.Combine(home, $"postgresql-{binaries.Version}");
        if (!Directory.Exists(copy))
        {
            var fresh = $"{copy}.{Path.GetRandomFileName()}";
            Directory.CreateDirectory(home);
            await Command.RequireAsync(["cp", "-a", "--", Path.GetDirectoryName(binaries.Folder)!, fresh], cancellationToken);
            // Another process may have been quicker; then its copy serves.
            if (!(await Command.RunAsync(["mv", "-T", "-n", "--", fresh, copy], cancellationToken)).Ok || Directory.Exists(fresh))
                Directory.Delete(fresh, recursive: true);
        }
        return binaries with { Folder = Path.Combine(copy, "bin") };
    }
}

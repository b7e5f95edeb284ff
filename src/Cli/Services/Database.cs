using MetaOpt.Storage.Embedded;

namespace MetaOpt.Cli.Services;

/// <summary>The database the services use: the one of <c>METAOPT_DATABASE_URL</c>, else the embedded PostgreSQL.</summary>
public static class Database
{
    static string? Given => Environment.GetEnvironmentVariable("METAOPT_DATABASE_URL") is { Length: > 0 } url ? url : null;

    /// <summary>True when this program starts and stops it.</summary>
    public static bool IsEmbedded => Given is null;

    /// <summary>Starts or reuses it; returns the connection string.</summary>
    public static async Task<string> EnsureStartedAsync(CancellationToken cancel) =>
        Given ?? await EmbeddedPostgres.EnsureStartedAsync(EmbeddedOptions.FromEnvironment(), cancel);

    /// <summary>
    /// Starts the embedded server again when it died. One that was stopped on purpose has removed its process id file, and
    /// is left alone.
    /// </summary>
    public static async Task ReviveAsync(Action<string> say, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(10));
        while (IsEmbedded && !stop.IsCancellationRequested)
        {
            var status = await EmbeddedPostgres.StatusAsync(EmbeddedOptions.FromEnvironment(), stop);
            if (status.Created && status.ProcessId is null && File.Exists(Path.Combine(status.Folder, "cluster", "postmaster.pid")))
            {
                say("the database died; starting it again");
                await EnsureStartedAsync(stop);
            }
            await timer.WaitForNextTickAsync(stop);
        }
    }

    /// <summary>One line for <c>metaopt status</c>.</summary>
    public static async Task<string> DescribeAsync(CancellationToken cancel)
    {
        if (!IsEmbedded)
            return "the one of METAOPT_DATABASE_URL";
        var status = await EmbeddedPostgres.StatusAsync(EmbeddedOptions.FromEnvironment(), cancel);
        return status.ProcessId is { } id ? $"running, PostgreSQL {status.Version}, process {id}, {status.Folder}"
            : status.Created ? $"stopped, {status.Folder}" : "not set up yet";
    }
}

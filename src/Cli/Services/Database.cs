using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;

namespace MetaOpt.Cli.Services;

/// <summary>The database the services use: the one of <c>METAOPT_DATABASE_URL</c>, else the embedded PostgreSQL.</summary>
public static class Database
{
    static string? Given => DatabaseUrl.FromEnvironment();

    /// <summary>True when this program starts and stops it.</summary>
    public static bool IsEmbedded => Given is null;

    /// <summary>Starts or reuses it; returns the connection string.</summary>
    public static async Task<string> EnsureStartedAsync(CancellationToken cancel) =>
        Given ?? await EmbeddedPostgres.EnsureStartedAsync(EmbeddedOptions.FromEnvironment(), cancel);

    /// <summary>
    /// Restarts the embedded server when it has crashed. One that was stopped on purpose is left alone.
    /// </summary>
    public static async Task ReviveAsync(Action<string> say, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(10));
        while (IsEmbedded && !stop.IsCancellationRequested)
        {
            var status = await EmbeddedPostgres.StatusAsync(EmbeddedOptions.FromEnvironment(), stop);
            if (status.State == EmbeddedState.Crashed)
            {
                say("the database crashed; restarting it");
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
        return $"{status.Describe()}, PostgreSQL {status.Version}, {status.Folder}";
    }
}

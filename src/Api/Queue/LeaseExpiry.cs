using MetaOpt.Storage;
using Npgsql;

namespace MetaOpt.Api.Queue;

/// <summary>
/// Takes expired leases away when no worker is left to do it: a run whose worker is gone must not look as if it ran.
/// </summary>
sealed class LeaseExpiry(RunQueue queue, NpgsqlDataSource database, ILogger<LeaseExpiry> log) : BackgroundService
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            try
            {
                await queue.ExpireLeasesAsync(stoppingToken);
            }
            catch (Exception unreachable) when (database.IsAway(unreachable))
            {
                log.LogWarning("Expired leases were not looked for: {Reason}", unreachable.Message);
            }
    }
}

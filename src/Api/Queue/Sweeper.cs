using MetaOpt.Storage;
using Npgsql;

namespace MetaOpt.Api.Queue;

/// <summary>Takes away, every hour, what is older than it is to be kept.</summary>
sealed class Sweeper(Retention retention, NpgsqlDataSource database, ApiSettings settings, ILogger<Sweeper> log) : BackgroundService
{
    static readonly TimeSpan Period = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            try
            {
                var swept = await retention.SweepAsync(settings.Retention, stoppingToken);
                if (swept > 0) log.LogInformation("Old data of {Runs} runs was taken away", swept);
            }
            catch (Exception unreachable) when (database.IsAway(unreachable))
            {
                log.LogWarning("Old data was not looked for: {Reason}", unreachable.Message);
            }
    }
}

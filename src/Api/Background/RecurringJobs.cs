using Hangfire;
using MetaOpt.Api.Notifications;
using MetaOpt.Api.Schedules;
using MetaOpt.Storage;
using Npgsql;

namespace MetaOpt.Api.Background;

/// <summary>The list of what the service does again and again; entered once the database answers.</summary>
sealed class RecurringJobs(IRecurringJobManager jobs, IBackgroundJobClient client, NpgsqlDataSource database,
    ILogger<RecurringJobs> log) : BackgroundService
{
    static readonly TimeSpan s_retryAfter = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Away from the start of the host, which must not wait for the database.
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
            try
            {
                Enter();
                return;
            }
            catch (Exception away) when (database.IsAway(away) || away.GetBaseException() is { } cause && database.IsAway(cause))
            {
                log.LogWarning("Recurring jobs were not entered yet: {Reason}", away.GetBaseException().Message);
                await Task.Delay(s_retryAfter, stoppingToken).ContinueWith(_ => { }, TaskScheduler.Default);
            }
    }

    void Enter()
    {
        jobs.AddOrUpdate<ScheduleRounds>("schedules", job => job.SubmitDueAsync(CancellationToken.None), Cron.Minutely());
        jobs.AddOrUpdate<Notifier>("notifications", job => job.NoticeAsync(CancellationToken.None), Cron.Minutely());
        jobs.AddOrUpdate<Notifier>("old-notifications", job => job.DeleteOldAsync(CancellationToken.None), Cron.Daily(2, 37));
        jobs.AddOrUpdate<Cleanup>("retention", job => job.DeleteOldDataAsync(CancellationToken.None), Cron.Hourly(7));
        jobs.AddOrUpdate<Cleanup>("sign-ins", job => job.DeleteEndedSignInsAsync(CancellationToken.None), Cron.Hourly(17));
        jobs.AddOrUpdate<Cleanup>("workers", job => job.DeleteStaleWorkersAsync(CancellationToken.None), Cron.Hourly(27));
        jobs.AddOrUpdate<Backups>("backup", job => job.BackUpAsync(CancellationToken.None), Cron.Daily(1, 47));
        // At once what came due while no server ran.
        client.Enqueue<ScheduleRounds>(job => job.SubmitDueAsync(CancellationToken.None));
    }
}

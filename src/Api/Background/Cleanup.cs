using Hangfire;
using MetaOpt.Storage;

namespace MetaOpt.Api.Background;

/// <summary>Hourly jobs that delete what nobody needs any more. One that fails is tried again with the next hour.</summary>
public sealed class Cleanup(Retention retention, ApiSettings settings, ILogger<Cleanup> log)
{
    /// <summary>Deletes logs, resume points, series and checkpoints of ended runs past their retention period.</summary>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task DeleteOldDataAsync(CancellationToken cancel)
    {
        if (await retention.SweepAsync(settings.Retention, cancel) is > 0 and var runs)
            log.LogInformation("Deleted old data of {Runs} runs", runs);
    }

    /// <summary>Deletes browser sessions and tokens that ended long ago; the audit trail still tells of them.</summary>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task DeleteEndedSignInsAsync(CancellationToken cancel)
    {
        if (await retention.DeleteEndedTokensAsync(cancel) is > 0 and var tokens)
            log.LogInformation("Deleted {Tokens} tokens and sessions that ended long ago", tokens);
    }

    /// <summary>Deletes workers that were not seen for a long time.</summary>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task DeleteStaleWorkersAsync(CancellationToken cancel)
    {
        if (await retention.DeleteStaleWorkersAsync(cancel) is > 0 and var workers)
            log.LogInformation("Deleted {Workers} workers that are gone", workers);
    }
}

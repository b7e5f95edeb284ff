using Microsoft.Extensions.Logging;

namespace MetaOpt.Workers;

/// <summary>Everything a worker says.</summary>
static partial class WorkerLog
{
    [LoggerMessage(1, LogLevel.Information,
        "Worker {Name} takes runs of pool {Pool}: {Slots} at once, {Threads} threads each; datasets: {Datasets}")]
    public static partial void Started(this ILogger log, string name, string pool, int slots, int threads, string datasets);

    [LoggerMessage(2, LogLevel.Information, "Worker {Name} stopped")]
    public static partial void Stopped(this ILogger log, string name);

    [LoggerMessage(3, LogLevel.Warning, "Cannot ask the database for work, and go on trying: {Reason}")]
    public static partial void DatabaseAway(this ILogger log, string reason);

    [LoggerMessage(4, LogLevel.Warning,
        "Device {Device} must have {Wanted} MiB free before a run is claimed for it, and has {Free}")]
    public static partial void DeviceFull(this ILogger log, string device, int wanted, string free);

    [LoggerMessage(10, LogLevel.Information, "Run {Run}: attempt {Attempt} starts after step {Step}")]
    public static partial void AttemptStarted(this ILogger log, Guid run, int attempt, long? step);

    [LoggerMessage(11, LogLevel.Information, "Run {Run}: attempt {Attempt} ended: {Outcome}")]
    public static partial void AttemptEnded(this ILogger log, Guid run, int attempt, string outcome);

    [LoggerMessage(12, LogLevel.Warning, "Run {Run}: attempt {Attempt} died: {Reason}")]
    public static partial void AttemptDied(this ILogger log, Guid run, int attempt, string reason);

    [LoggerMessage(13, LogLevel.Error, "Run {Run}: a fault in the worker itself")]
    public static partial void AttemptFault(this ILogger log, Exception fault, Guid run);

    [LoggerMessage(14, LogLevel.Warning, "Run {Run} is no longer ours; its child is gone and nothing more is written")]
    public static partial void RunLost(this ILogger log, Guid run);

    [LoggerMessage(15, LogLevel.Information, "Run {Run}: child: {Line}")]
    public static partial void ChildSaid(this ILogger log, Guid run, string line);

    [LoggerMessage(16, LogLevel.Warning,
        "Run {Run}: could not say that it was cut off from the database, so that this counts as a death: {Reason}")]
    public static partial void CutOffUnsaid(this ILogger log, Guid run, string reason);

    [LoggerMessage(20, LogLevel.Warning, "Run {Run}: a heartbeat failed, and is tried again: {Reason}")]
    public static partial void BeatFailed(this ILogger log, Guid run, string reason);

    [LoggerMessage(21, LogLevel.Information, "Run {Run}: heartbeats succeed again")]
    public static partial void DatabaseBack(this ILogger log, Guid run);

    [LoggerMessage(22, LogLevel.Warning, "Run {Run}: a write failed, and is tried again: {Reason}")]
    public static partial void StoreFailed(this ILogger log, Guid run, string reason);
}

using Npgsql;

namespace MetaOpt.Storage;

// Why runs wait.
public sealed partial class RunQueue
{
    /// <summary>A worker that was silent for longer counts as gone when a run says why it waits.</summary>
    public static readonly TimeSpan WorkerSilence = TimeSpan.FromSeconds(45);

    /// <summary>Why a run is queued and not running; null when it is not queued.</summary>
    public async Task<WaitReason?> WhyWaitingAsync(Guid runId, CancellationToken cancel) =>
        (await WhyWaitingAsync([runId], cancel)).GetValueOrDefault(runId);

    /// <summary>The same for several runs; those that are not queued are left out.</summary>
    public async Task<IReadOnlyDictionary<Guid, WaitReason>> WhyWaitingAsync(
        IReadOnlyCollection<Guid> runIds, CancellationToken cancel)
    {
        await using var ask = dataSource.Command(Sql.WhyWaiting, ("ids", runIds.ToArray()), ("worker_silence", WorkerSilence));
        await using var reader = await ask.ExecuteReaderAsync(cancel);
        var reasons = new Dictionary<Guid, WaitReason>();
        while (await reader.ReadAsync(cancel))
            reasons.Add(reader.GetGuid(0), ReasonOf(reader));
        return reasons;
    }

    static WaitReason ReasonOf(NpgsqlDataReader row)
    {
        var (position, pool) = ((int)row.GetInt64(1), row.GetString(2));
        return (NotYet: row.GetBoolean(5), Workers: row.GetInt64(6), Able: row.GetInt64(7), After: row.GetFieldValue<string[]>(8)) switch
        {
            { After: [_, ..] after } => new(position, WaitCause.After, AfterReason(after)),
            { NotYet: true } => new(position, WaitCause.NotBefore,
                $"not before {row.GetDateTime(4):yyyy-MM-ddTHH:mm:ssZ}, as submitted"),
            { Workers: 0 } => new(position, WaitCause.NoWorker, $"no live worker of pool '{pool}'; start one with --pool {pool}"),
            { Able: 0 } => new(position, WaitCause.NoDataset,
                $"no live worker of pool '{pool}' has the dataset '{row.GetString(3)}'; "
                + "fetch it on a worker's machine and restart the worker"),
            _ when position == 1 => new(position, WaitCause.Position, "next in its pool: waits for a free slot"),
            _ => new(position, WaitCause.Position, $"{position - 1} before it in its pool, by priority, share and time"),
        };
    }

    /// <summary>Each is "id state", in which the state of a deleted run is missing.</summary>
    static string AfterReason(string[] after)
    {
        var stuck = after.FirstOrDefault(a => a.Split(' ')[1] is not ("queued" or "running"))?.Split(' ');
        return stuck switch
        {
            null => $"waits for {(after.Length == 1 ? "run" : $"{after.Length} runs, first")} {after[0].Split(' ')[0]}, which is {after[0].Split(' ')[1]}",
            [var id, "deleted"] => $"waits for run {id}, which was deleted; cancel this one",
            [var id, var state] => $"waits for run {id}, which {(state == "failed" ? "failed" : "was cancelled")}; retry that one, or cancel this one",
            _ => throw new InvalidOperationException(string.Join(' ', stuck)),
        };
    }
}

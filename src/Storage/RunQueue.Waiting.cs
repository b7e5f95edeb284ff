using MetaOpt.Tasks;
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
        await using var ask = dataSource.Command(Sql.Queue, ("ids", runIds.ToArray()), ("worker_silence", WorkerSilence));
        return (await ReadAsync(ask, cancel)).ToDictionary();
    }

    /// <summary>Every queued run with its reason: pool after pool, in the order of the queue.</summary>
    public async Task<IReadOnlyList<KeyValuePair<Guid, WaitReason>>> ListWaitingAsync(CancellationToken cancel)
    {
        await using var ask = dataSource.Command(Sql.Queue, ("ids", null), ("worker_silence", WorkerSilence));
        return await ReadAsync(ask, cancel);
    }

    static async Task<List<KeyValuePair<Guid, WaitReason>>> ReadAsync(NpgsqlCommand ask, CancellationToken cancel)
    {
        await using var reader = await ask.ExecuteReaderAsync(cancel);
        var reasons = new List<KeyValuePair<Guid, WaitReason>>();
        while (await reader.ReadAsync(cancel)) reasons.Add(new(reader.GetGuid(0), ReasonOf(reader)));
        return reasons;
    }

    static WaitReason ReasonOf(NpgsqlDataReader row)
    {
        var (position, pool) = ((int)row.GetInt64(1), row.GetString(2));
        var (workers, able, draining) = (row.GetInt64(6), row.GetInt64(7), row.GetInt64(11));
        if (row.GetBoolean(9)) return new(position, WaitCause.Paused, "paused; it waits until somebody resumes it");
        if (row.GetFieldValue<string[]>(8) is [_, ..] after) return new(position, WaitCause.After, AfterReason(after));
        if (row.GetBoolean(5))
            return new(position, WaitCause.NotBefore, $"not before {row.GetDateTime(4):yyyy-MM-ddTHH:mm:ssZ}, as submitted");
        if (workers == 0)
            return new(position, WaitCause.NoWorker, $"no live worker of pool '{pool}'; start one with --pool {pool}");
        if (able == 0)
            return new(position, WaitCause.NoDataset, $"no live worker of pool '{pool}' has {DatasetReason(row.GetString(3))}");
        if (row.GetInt64(15) == 0)
            return new(position, WaitCause.NoKernels,
                $"no live worker of pool '{pool}' has the kernel set '{row.GetString(14)}'; "
                + "submit it with kernels auto, or start a worker that was built with it (-p:Gpu)");
        if (draining == workers)
            return new(position, WaitCause.Draining, $"every worker of pool '{pool}' is draining and takes no more runs");
        if (!row.IsDBNull(10)) return new(position, WaitCause.Quota, $"quota: {row.GetString(13)} has {row.GetString(10)}");
        return new(position, WaitCause.Position, position == 1
            ? "next in its pool: waits for a free slot"
            : $"{position - 1} before it in its pool, by priority, share and time");
    }

    static string DatasetReason(string dataset) => NetworkName.TrySplit(dataset, out var images, out var network)
        ? $"the dataset '{images}' and the network '{network}'; an administrator "
            + $"puts {network}.pt into the folder networks of the data folder "
            + "of a worker that was built with libtorch (-p:Gpu), which sees it within seconds"
        : $"the dataset '{dataset}'; fetch it on a worker's machine, which sees it within seconds";

    /// <summary>Each is "id state", in which the state of a deleted run is missing.</summary>
    static string AfterReason(string[] after)
    {
        var runs = after.Select(a => (Id: a.Split(' ')[0][^Run.ShortIdLength..], State: a.Split(' ')[1])).ToList();
        return runs.Find(r => r.State is not ("queued" or "running")) switch
        {
            (null, _) =>
                $"waits for {(runs.Count == 1 ? "run" : $"{runs.Count} runs, first")} {runs[0].Id}, which is {runs[0].State}",
            (var id, "deleted") => $"waits for run {id}, which was deleted; cancel this one",
            var (id, state) =>
                $"waits for run {id}, which {(state == "failed" ? "failed" : "was cancelled")}; retry that one, or cancel "
                + "this one",
        };
    }
}

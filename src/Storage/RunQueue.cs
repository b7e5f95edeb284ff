using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

/// <summary>
/// The queue: the runs table, and the statements that move a run from state to state. Every time is the database's. Scheduling
/// decisions are made one at a time under an advisory lock, so they are exact and can be explained. What a worker writes for a
/// run it holds is <see cref="LeasedRun"/>.
/// </summary>
public sealed partial class RunQueue(NpgsqlDataSource dataSource)
{
    // Any constant will do, as long as nobody else in the database uses it.
    const long SchedulingLock = 0x6d6574616f707402;

    /// <summary>A worker that was silent for longer counts as gone when a run says why it waits.</summary>
    public static readonly TimeSpan WorkerSilence = TimeSpan.FromSeconds(45);

    /// <summary>Stores a validated submission as queued.</summary>
    /// <exception cref="IdempotencyConflictException">Its key was used for another submission.</exception>
    public async Task<Guid> SubmitAsync(NewRun run, CancellationToken cancel)
    {
        var spec = run.Spec.ToJsonString();
        var request = Sha256(JsonSerializer.Serialize(run));
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var insert = connection.Command(Sql.Submit,
            ("id", Guid.CreateVersion7()), ("kind", run.Kind), ("name", run.Name), ("tags", run.Tags.ToArray()),
            ("notes", run.Notes), ("owner", run.Owner), ("pool", run.Pool), ("priority", run.Priority),
            Json("spec", spec), ("spec_sha256", Sha256(spec)), ("required_dataset", DatasetOf(run.Spec)),
            ("max_deaths", run.MaxDeaths), ("not_before", run.NotBefore?.ToUniversalTime()),
            ("idempotency_key", run.IdempotencyKey), ("request_sha256", request));
        if (await insert.ExecuteScalarAsync(cancel) is Guid id)
            return id;
        await using var find = connection.Command(
            "select id, request_sha256 from runs where owner = @owner and idempotency_key = @key",
            ("owner", run.Owner), ("key", run.IdempotencyKey));
        await using var reader = await find.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) && reader.GetString(1) == request
            ? reader.GetGuid(0)
            : throw new IdempotencyConflictException(run.IdempotencyKey!);
    }

    /// <summary>
    /// Reaps, then leases the next run for <paramref name="worker"/> for <paramref name="ttl"/>; null when there is none for
    /// it.
    /// </summary>
    public async Task<Claim?> ClaimAsync(WorkerIdentity worker, TimeSpan ttl, CancellationToken cancel)
    {
        // Outside the transaction: one that held the worker's row and waited for a share could meet a heartbeat that does the
        // reverse.
        await RegisterWorkerAsync(worker, cancel);
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await ReapAsync(connection, cancel);
        Claim? claim = null;
        await using (var next = connection.Command(Sql.Claim,
            ("worker", worker.Name), ("pool", worker.Pool), ("datasets", worker.Datasets.ToArray()), ("ttl", ttl)))
        await using (var reader = await next.ExecuteReaderAsync(cancel))
        {
            if (await reader.ReadAsync(cancel))
            {
                var lease = new Lease(reader.GetGuid(0), reader.GetInt64(1), worker.Name);
                claim = new Claim(lease, reader.GetInt32(2), reader.GetString(3), JsonElement.Parse(reader.GetString(4)));
            }
        }
        await transaction.CommitAsync(cancel);
        return claim;
    }

    /// <summary>
    /// Takes expired leases away; how many. <see cref="ClaimAsync"/> does it too: this is for a service without workers.
    /// </summary>
    public async Task<int> ReapAsync(CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var reaped = await ReapAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return reaped;
    }

    static async Task<int> ReapAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        // The lock is a statement of its own: the next one then sees what the previous holder committed.
        await using var take = connection.Command("select pg_advisory_xact_lock(@lock)", ("lock", SchedulingLock));
        await take.ExecuteNonQueryAsync(cancel);
        await using var reap = connection.Command(Sql.Reap);
        return await reap.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Renews a lease for <paramref name="ttl"/> and charges its owner for the time since the last beat.</summary>
    public async Task<Beat> HeartbeatAsync(Lease lease, TimeSpan ttl, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using (var see = connection.Command(Sql.SeeWorker, ("name", lease.Worker)))
            await see.ExecuteNonQueryAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        if (!await LeasedRun.FenceAsync(connection, lease, Fence.Update, cancel))
            return Beat.Lost;
        await using var charge = connection.Command(Sql.Charge, ("id", lease.RunId), ("token", lease.Token));
        await charge.ExecuteNonQueryAsync(cancel);
        await using var renew = connection.Command(Sql.Renew, ("id", lease.RunId), ("token", lease.Token), ("ttl", ttl));
        var cancelRequested = (bool)(await renew.ExecuteScalarAsync(cancel))!;
        await transaction.CommitAsync(cancel);
        return cancelRequested ? Beat.CancelRequested : Beat.Renewed;
    }

    /// <summary>
    /// Cancels a queued run at once, asks for it when it runs, changes nothing on a final one. The state it is in now; null: no
    /// such run.
    /// </summary>
    public async Task<RunState?> RequestCancelAsync(Guid runId, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var request = connection.Command(Sql.Cancel, ("id", runId));
        if (await request.ExecuteScalarAsync(cancel) is string state)
            return Enum.Parse<RunState>(state, true);
        await using var find = connection.Command("select state from runs where id = @id", ("id", runId));
        return await find.ExecuteScalarAsync(cancel) is string final ? Enum.Parse<RunState>(final, true) : null;
    }

    /// <summary>Says that a worker is alive and what it has. Claims and heartbeats say it too.</summary>
    public async Task RegisterWorkerAsync(WorkerIdentity worker, CancellationToken cancel)
    {
        await using var register = dataSource.Command(Sql.RegisterWorker,
            ("name", worker.Name), ("pool", worker.Pool), ("datasets", worker.Datasets.ToArray()),
            Json("facts", worker.Facts.ToJsonString()));
        await register.ExecuteNonQueryAsync(cancel);
    }

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
        return (NotYet: row.GetBoolean(5), Workers: row.GetInt64(6), Able: row.GetInt64(7)) switch
        {
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

    static string? DatasetOf(JsonObject spec) =>
        spec["task"] is JsonObject task && task["dataset"] is JsonValue dataset && dataset.TryGetValue(out string? name)
            ? name
            : null;

    static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

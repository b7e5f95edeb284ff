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
    public async Task<Guid> SubmitAsync(NewRun run, CancellationToken cancellationToken)
    {
        var spec = run.Spec.ToJsonString();
        var request = Sha256(JsonSerializer.Serialize(run));
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var insert = connection.Command(Sql.Submit,
            ("id", Guid.CreateVersion7()), ("kind", run.Kind), ("name", run.Name), ("tags", run.Tags.ToArray()), ("notes", run.Notes),
            ("owner", run.Owner), ("pool", run.Pool), ("priority", run.Priority), Json("spec", spec), ("spec_sha256", Sha256(spec)),
            ("required_dataset", DatasetOf(run.Spec)), ("max_deaths", run.MaxDeaths), ("not_before", run.NotBefore?.ToUniversalTime()),
            ("idempotency_key", run.IdempotencyKey), ("request_sha256", request));
        if (await insert.ExecuteScalarAsync(cancellationToken) is Guid id)
            return id;
        await using var find = connection.Command(
            "select id, request_sha256 from runs where owner = @owner and idempotency_key = @key", ("owner", run.Owner), ("key", run.IdempotencyKey));
        await using var reader = await find.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) && reader.GetString(1) == request
            ? reader.GetGuid(0)
            : throw new IdempotencyConflictException(run.IdempotencyKey!);
    }

    /// <summary>Reaps, then leases the next run for <paramref name="worker"/> for <paramref name="ttl"/>; null when there is none for it.</summary>
    public async Task<Claim?> ClaimAsync(WorkerIdentity worker, TimeSpan ttl, CancellationToken cancellationToken)
    {
        // Outside the transaction: one that held the worker's row and waited for a share could meet a heartbeat that does the reverse.
        await RegisterWorkerAsync(worker, cancellationToken);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ReapAsync(connection, cancellationToken);
        Claim? claim = null;
        await using (var next = connection.Command(Sql.Claim,
            ("worker", worker.Name), ("pool", worker.Pool), ("datasets", worker.Datasets.ToArray()), ("ttl", ttl)))
        await using (var reader = await next.ExecuteReaderAsync(cancellationToken))
        {
            if (await reader.ReadAsync(cancellationToken))
            {
                var lease = new Lease(reader.GetGuid(0), reader.GetInt64(1), worker.Name);
                claim = new Claim(lease, reader.GetInt32(2), reader.GetString(3), JsonElement.Parse(reader.GetString(4)));
            }
        }
        await transaction.CommitAsync(cancellationToken);
        return claim;
    }

    /// <summary>Takes expired leases away; how many. <see cref="ClaimAsync"/> does it too: this is for a service without workers.</summary>
    public async Task<int> ReapAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var reaped = await ReapAsync(connection, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return reaped;
    }

    static async Task<int> ReapAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // The lock is a statement of its own: the next one then sees what the previous holder committed.
        await using var take = connection.Command("select pg_advisory_xact_lock(@lock)", ("lock", SchedulingLock));
        await take.ExecuteNonQueryAsync(cancellationToken);
        await using var reap = connection.Command(Sql.Reap);
        return await reap.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Renews a lease for <paramref name="ttl"/> and charges its owner for the time since the last beat.</summary>
    public async Task<Beat> HeartbeatAsync(Lease lease, TimeSpan ttl, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using (var see = connection.Command(Sql.SeeWorker, ("name", lease.Worker)))
            await see.ExecuteNonQueryAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await LeasedRun.FenceAsync(connection, lease, Fence.Update, cancellationToken))
            return Beat.Lost;
        await using var charge = connection.Command(Sql.Charge, ("id", lease.RunId), ("token", lease.Token));
        await charge.ExecuteNonQueryAsync(cancellationToken);
        await using var renew = connection.Command(Sql.Renew, ("id", lease.RunId), ("token", lease.Token), ("ttl", ttl));
        var cancelRequested = (bool)(await renew.ExecuteScalarAsync(cancellationToken))!;
        await transaction.CommitAsync(cancellationToken);
        return cancelRequested ? Beat.CancelRequested : Beat.Renewed;
    }

    /// <summary>Cancels a queued run at once, asks for it when it runs, changes nothing on a final one. The state it is in now; null: no such run.</summary>
    public async Task<RunState?> RequestCancelAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var cancel = connection.Command(Sql.Cancel, ("id", runId));
        if (await cancel.ExecuteScalarAsync(cancellationToken) is string state)
            return Enum.Parse<RunState>(state, true);
        await using var find = connection.Command("select state from runs where id = @id", ("id", runId));
        return await find.ExecuteScalarAsync(cancellationToken) is string final ? Enum.Parse<RunState>(final, true) : null;
    }

    /// <summary>Says that a worker is alive and what it has. Claims and heartbeats say it too.</summary>
    public async Task RegisterWorkerAsync(WorkerIdentity worker, CancellationToken cancellationToken)
    {
        await using var register = dataSource.Command(Sql.RegisterWorker,
            ("name", worker.Name), ("pool", worker.Pool), ("datasets", worker.Datasets.ToArray()), Json("facts", worker.Facts.ToJsonString()));
        await register.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Why a run is queued and not running; null when it is not queued.</summary>
    public async Task<WaitReason?> WhyWaitingAsync(Guid runId, CancellationToken cancellationToken)
    {
        await using var ask = dataSource.Command(Sql.WhyWaiting, ("id", runId), ("worker_silence", WorkerSilence));
        await using var reader = await ask.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
            return null;
        var (position, pool) = ((int)reader.GetInt64(0), reader.GetString(1));
        return (NotYet: reader.GetBoolean(4), Workers: reader.GetInt64(5), Able: reader.GetInt64(6)) switch
        {
            { NotYet: true } => new(position, WaitCause.NotBefore, $"not before {reader.GetDateTime(3):yyyy-MM-ddTHH:mm:ssZ}, as submitted"),
            { Workers: 0 } => new(position, WaitCause.NoWorker, $"no live worker of pool '{pool}'; start one with --pool {pool}"),
            { Able: 0 } => new(position, WaitCause.NoDataset,
                $"no live worker of pool '{pool}' has the dataset '{reader.GetString(2)}'; fetch it on a worker's machine and restart the worker"),
            _ when position == 1 => new(position, WaitCause.Position, "next in its pool: waits for a free slot"),
            _ => new(position, WaitCause.Position, $"{position - 1} before it in its pool, by priority, share and time"),
        };
    }

    static string? DatasetOf(JsonObject spec) =>
        spec["task"] is JsonObject task && task["dataset"] is JsonValue dataset && dataset.TryGetValue(out string? name) ? name : null;

    static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

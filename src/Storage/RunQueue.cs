using System.Text.Json;
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
    /// <summary>Where the queue lies.</summary>
    public NpgsqlDataSource Database => dataSource;

    // Any constant will do, as long as nobody else in the database uses it.
    const long SchedulingLock = 0x6d6574616f707402;

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
        await ExpireLeasesAsync(connection, cancel);
        Claim? claim = null;
        await using (var next = connection.Command(Sql.Claim,
            ("worker", worker.Name), ("pool", worker.Pool), ("datasets", worker.Datasets.ToArray()),
            ("kernels", worker.KernelSets.ToArray()), ("ttl", ttl)))
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
    public async Task<int> ExpireLeasesAsync(CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var reaped = await ExpireLeasesAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return reaped;
    }

    static async Task<int> ExpireLeasesAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        // The lock is a statement of its own: the next one then sees what the previous holder committed.
        await using var take = connection.Command("select pg_advisory_xact_lock(@lock)", ("lock", SchedulingLock));
        await take.ExecuteNonQueryAsync(cancel);
        await using var reap = connection.Command(Sql.ExpireLeases);
        var reaped = await reap.ExecuteNonQueryAsync(cancel);
        await using var unblock = connection.Command(Sql.Unblock);
        await unblock.ExecuteNonQueryAsync(cancel);
        return reaped;
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
        Beat beat;
        await using (var reader = await renew.ExecuteReaderAsync(cancel))
        {
            await reader.ReadAsync(cancel);
            beat = reader.GetBoolean(0) ? Beat.CancelRequested : reader.GetBoolean(2) ? Beat.OutOfTime
                : reader.GetBoolean(1) ? Beat.YieldRequested : Beat.Renewed;
        }
        await transaction.CommitAsync(cancel);
        return beat;
    }

    /// <summary>
    /// A worker that lost a lease says that it was out of the database's reach while its child lived: that is no death of the
    /// run's, and one that still counts is taken back. Nothing else is written.
    /// </summary>
    public async Task ReportCutOffAsync(Lease lease, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        // The lock is a statement of its own: the next one then sees what the previous holder committed.
        await using var take = connection.Command("select 1 from runs where id = @id for no key update", ("id", lease.RunId));
        await take.ExecuteNonQueryAsync(cancel);
        await using var report = connection.Command(Sql.CutOff, ("id", lease.RunId), ("token", lease.Token));
        await report.ExecuteNonQueryAsync(cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>Says that a worker is alive and what it has. Claims and heartbeats say it too.</summary>
    public async Task RegisterWorkerAsync(WorkerIdentity worker, CancellationToken cancel)
    {
        await using var register = dataSource.Command(Sql.RegisterWorker,
            ("name", worker.Name), ("pool", worker.Pool), ("datasets", worker.Datasets.ToArray()),
            ("slots", worker.Slots), Json("facts", worker.Facts.ToJsonString()));
        await register.ExecuteNonQueryAsync(cancel);
    }
}

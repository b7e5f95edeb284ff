using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>Usage and limits of an owner.</summary>
/// <param name="Owner">Name of the user.</param>
/// <param name="Running">Runs at this moment.</param>
/// <param name="Queued">Runs that wait.</param>
/// <param name="StoredBytes">Checkpoints and resume points.</param>
/// <param name="DeviceHours">On devices in seven days.</param>
/// <param name="Share">Decayed slot-seconds divided by the weight: the smallest goes first.</param>
/// <param name="Weight">Share of the machines relative to the others' weights.</param>
/// <param name="Limits">In force for them.</param>
public sealed record Usage(
    string Owner, long Running, long Queued, long StoredBytes, double DeviceHours, double Share, double Weight, Quota Limits);

/// <summary>Quotas, and what they limit.</summary>
public sealed class QuotaStore(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>Everybody with runs or an account, by name; or only <paramref name="owner"/>.</summary>
    public async Task<IReadOnlyList<Usage>> UsageAsync(string? owner, CancellationToken cancel)
    {
        await using var read = dataSource.Command(Sql.Usage, ("owner", owner));
        await using var reader = await read.ExecuteReaderAsync(cancel);
        var usage = new List<Usage>();
        while (await reader.ReadAsync(cancel))
            usage.Add(new(reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3),
                reader.GetDouble(4) / 3600,
                reader.GetDouble(5), reader.GetDouble(6), new Quota
                {
                    Owner = reader.GetString(0),
                    Running = reader.IsDBNull(7) ? null : reader.GetInt32(7),
                    Queued = reader.IsDBNull(8) ? null : reader.GetInt32(8),
                    StoredBytes = reader.IsDBNull(9) ? null : reader.GetInt64(9),
                    DeviceHours = reader.IsDBNull(10) ? null : reader.GetDouble(10),
                }));
        return usage;
    }

    /// <summary>The limits as they were set; <see cref="Quota.Everybody"/> first.</summary>
    public async Task<IReadOnlyList<Quota>> ListAsync(CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Quotas.AsNoTracking().OrderBy(q => q.Owner).ToListAsync(cancel);
    }

    /// <summary>Sets all four limits of an owner, or of <see cref="Quota.Everybody"/>.</summary>
    public Task SetAsync(Quota quota, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel,
            """
            insert into quotas (owner, running, queued, stored_bytes, device_hours) values (@owner, @running, @queued, @stored, @hours)
            on conflict (owner) do update set running = excluded.running, queued = excluded.queued,
              stored_bytes = excluded.stored_bytes, device_hours = excluded.device_hours
            """, ("owner", quota.Owner), ("running", quota.Running), ("queued", quota.Queued), ("stored", quota.StoredBytes),
            ("hours", quota.DeviceHours));
}

using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>Promoted checkpoints under their names: a small registry.</summary>
public sealed class ModelStore(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>
    /// Promotes a checkpoint of a run that succeeded to the next version of <paramref name="name"/>; one that is a version of it
    /// stays that version. Null: there is no such checkpoint, or its run has not succeeded.
    /// </summary>
    public async Task<Model?> PromoteAsync(string name, Guid checkpointId, string notes, AuditEvent audit,
        CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        // Two at once get two versions.
        await using (var take = connection.Command("lock table models in share row exclusive mode"))
            await take.ExecuteNonQueryAsync(cancel);
        if (await FindAsync(name, checkpointId, cancel) is { } promoted) return promoted;
        await using var promote = connection.Command(
            """
            insert into models (name, version, checkpoint_id, notes, promoted_by)
            select @name, 1 + coalesce((select max(version) from models where name = @name), 0), c.id, @notes, @by
            from checkpoints c join runs r on r.id = c.run_id where c.id = @checkpoint and r.state = 'succeeded'
            returning version
            """, ("name", name), ("checkpoint", checkpointId), ("notes", notes), ("by", audit.Actor));
        if (await promote.ExecuteScalarAsync(cancel) is not int version) return null;
        await (audit with { Subject = $"{name}@{version}" }).RecordAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return await FindAsync(name, version, cancel);
    }

    /// <summary>All of a name, or of all names, the newest version of each first.</summary>
    public async Task<IReadOnlyList<Model>> ListAsync(string? name, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Models.AsNoTracking().Where(m => name == null || m.Name == name).OrderBy(m => m.Name)
            .ThenByDescending(m => m.Version).ToListAsync(cancel);
    }

    /// <summary>The newest version of a name that is this checkpoint; null when there is none.</summary>
    public async Task<Model?> FindAsync(string name, Guid checkpointId, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Models.AsNoTracking().Where(m => m.Name == name && m.CheckpointId == checkpointId)
            .OrderByDescending(m => m.Version).FirstOrDefaultAsync(cancel);
    }

    /// <summary>Null when there is none.</summary>
    public async Task<Model?> FindAsync(string name, int version, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Models.AsNoTracking().FirstOrDefaultAsync(m => m.Name == name && m.Version == version, cancel);
    }

    /// <summary>
    /// Takes a version back; its checkpoint is then an ordinary one. The version is not given to another one unless it was the
    /// newest.
    /// </summary>
    public Task<bool> DemoteAsync(string name, int version, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "delete from models where name = @name and version = @version", ("name", name),
            ("version", version));
}

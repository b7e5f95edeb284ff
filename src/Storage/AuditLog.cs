using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Storage;

/// <summary>The audit trail: append-only. A line is written by the change itself (<see cref="AuditEvent"/>).</summary>
public sealed class AuditLog(IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>
    /// Events, newest first, older than <paramref name="before"/>, at <paramref name="from"/> or later and before
    /// <paramref name="to"/>; a filter that is null lets everything through.
    /// </summary>
    public async Task<IReadOnlyList<AuditEntry>> ListAsync(
        string? actor, string? action, string? subject, DateTimeOffset? from, DateTimeOffset? to, long? before, int limit,
        CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Audit.AsNoTracking()
            .Where(a => (actor == null || a.Actor == actor) && (action == null || a.Action == action)
                && (subject == null || a.Subject == subject) && (before == null || a.Id < before)
                && (from == null || a.At >= from) && (to == null || a.At < to))
            .OrderByDescending(a => a.Id).Take(limit).ToListAsync(cancel);
    }
}

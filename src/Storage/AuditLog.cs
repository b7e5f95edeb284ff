using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

/// <summary>Who did what: append-only.</summary>
public sealed class AuditLog(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>Adds a line, for example ("ada", "run.cancel", run id).</summary>
    public async Task AppendAsync(string actor, string action, string subject, JsonObject? detail, CancellationToken cancel)
    {
        await using var append = dataSource.Command(
            "insert into audit (actor, action, subject, detail) values (@actor, @action, @subject, @detail)",
            ("actor", actor), ("action", action), ("subject", subject), Json("detail", detail?.ToJsonString() ?? "{}"));
        await append.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Lines, newest first, older than <paramref name="before"/>; a filter that is null lets everything through.</summary>
    public async Task<IReadOnlyList<AuditEntry>> ListAsync(
        string? actor, string? action, string? subject, long? before, int limit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Audit.AsNoTracking()
            .Where(a => (actor == null || a.Actor == actor) && (action == null || a.Action == action)
                && (subject == null || a.Subject == subject) && (before == null || a.Id < before))
            .OrderByDescending(a => a.Id).Take(limit).ToListAsync(cancel);
    }
}

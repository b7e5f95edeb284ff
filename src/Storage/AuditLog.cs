using System.Text.Json.Nodes;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

/// <summary>Who did what: append-only.</summary>
public sealed class AuditLog(NpgsqlDataSource dataSource)
{
    /// <summary>Adds a line, for example ("ada", "run.cancel", run id).</summary>
    public async Task AppendAsync(string actor, string action, string subject, JsonObject? detail, CancellationToken cancel)
    {
        await using var append = dataSource.Command(
            "insert into audit (actor, action, subject, detail) values (@actor, @action, @subject, @detail)",
            ("actor", actor), ("action", action), ("subject", subject), Json("detail", detail?.ToJsonString() ?? "{}"));
        await append.ExecuteNonQueryAsync(cancel);
    }
}

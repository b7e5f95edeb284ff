using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

/// <summary>
/// An action of a person, as the audit trail has it. Every change that people make takes one and writes it in its own
/// transaction: both are there or neither.
/// </summary>
/// <param name="Actor">A user's name.</param>
/// <param name="Action">For example <c>run.cancel</c>.</param>
/// <param name="Subject">To what: an id or a name; the change itself fills it in when it makes the subject.</param>
/// <param name="Detail">More about it.</param>
public sealed record AuditEvent(string Actor, string Action, string Subject = "", JsonObject? Detail = null)
{
    internal AuditEntry Entry => new()
    {
        Actor = Actor,
        Action = Action,
        Subject = Subject,
        Detail = JsonSerializer.SerializeToElement(Detail ?? []),
    };

    /// <summary>Adds the line in the connection's transaction.</summary>
    internal async Task RecordAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var append = connection.Command(
            "insert into audit (actor, action, subject, detail) values (@actor, @action, @subject, @detail)",
            ("actor", Actor), ("action", Action), ("subject", Subject), Json("detail", Detail?.ToJsonString() ?? "{}"));
        await append.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Does it with one statement; false, and nothing is written, when it changed no row.</summary>
    internal async Task<bool> DoAsync(
        NpgsqlDataSource source, CancellationToken cancel, string sql, params (string, object?)[] parameters)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using (var change = connection.Command(sql, parameters))
            if (await change.ExecuteNonQueryAsync(cancel) == 0) return false;
        await RecordAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return true;
    }
}

using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>
/// Decides, for the API and for workers alike, whether an error means that the database is away. Then what was asked of it is
/// right, and the same works later.
/// </summary>
public static class DatabaseOutage
{
    /// <summary>True for a lost or refused connection, a time-out, and every SQLSTATE that means "not now".</summary>
    public static bool Is(Exception error) => error switch
    {
        PostgresException server => IsNotNow(server.SqlState),
        NpgsqlOperationInProgressException => false,
        NpgsqlException or TimeoutException or SocketException => true,
        DbUpdateException or InvalidOperationException or AggregateException => error.InnerException is { } inner && Is(inner),
        _ => false,
    };

    /// <summary>
    /// The same for an error of this database. When its server takes no writes, as after a failover, the pooled connections to it
    /// are dropped: the next ones reach the server that does.
    /// </summary>
    public static bool IsAway(this NpgsqlDataSource database, Exception error)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
            if (cause is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction }) database.Clear();
        return Is(error);
    }

    /// <summary>Whether the server takes no writes: a standby, or one that an administrator made read-only.</summary>
    public static async Task<bool> IsReadOnlyAsync(this NpgsqlDataSource database, CancellationToken cancel)
    {
        await using var ask = database.Command("select pg_is_in_recovery() or current_setting('transaction_read_only')::bool");
        if (await ask.ExecuteScalarAsync(cancel) is not true) return false;
        database.Clear();
        return true;
    }

    /// <summary>
    /// Classes: connection, authorization (a password that is being changed), resources, rollback (serialization, deadlock),
    /// operator intervention, system error. The rest: a read-only server, time-outs, locks, a database that is being made anew.
    /// </summary>
    static bool IsNotNow(string state) => state[..2] is "08" or "28" or "53" or "40" or "57" or "58"
        || state is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.LockNotAvailable
            or PostgresErrorCodes.InvalidCatalogName
            or "25P03" or "25P04";
}

using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>Brings a database to this program's schema.</summary>
public static class Migrations
{
    // Any constant will do, as long as nobody else in the database uses it.
    const long Lock = 0x6d6574616f707401;

    /// <summary>
    /// Applies what is missing; does nothing on a current database. Safe when several processes do it at once: the others wait.
    /// </summary>
    public static Task ApplyAsync(NpgsqlDataSource dataSource, CancellationToken cancel) =>
        ApplyAsync(dataSource, _ => { }, cancel);

    /// <summary>
    /// The same, with another part's schema (<paramref name="also"/>), which is installed over the same connection.
    /// </summary>
    public static async Task ApplyAsync(NpgsqlDataSource dataSource, Action<NpgsqlConnection> also, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using (var take = connection.Command("select pg_advisory_lock(@lock)", ("lock", Lock)))
            await take.ExecuteNonQueryAsync(cancel);
        try
        {
            // Built outside the host, so without its logger: looking for the history table of a new database is no error to
            // report.
            var options = new DbContextOptionsBuilder<MetaOptDb>();
            StorageServices.Configure(options, dataSource);
            await using var db = new MetaOptDb(options.Options);
            await db.Database.MigrateAsync(cancel);
            also(connection);
        }
        finally
        {
            await using var release = connection.Command("select pg_advisory_unlock(@lock)", ("lock", Lock));
            await release.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    /// <summary>
    /// Gives the API's and the workers' database roles what they need and no more: no worker sees a token, and neither changes
    /// the schema or the audit trail. Roles are made by whoever runs the database; null leaves one out.
    /// </summary>
    public static async Task GrantAsync(NpgsqlDataSource dataSource, string? apiRole, string? workerRole,
        CancellationToken cancel)
    {
        foreach (var (role, statements) in new[] { (apiRole, "grant-api.sql"), (workerRole, "grant-worker.sql") })
        {
            if (string.IsNullOrEmpty(role)) continue;
            var name = new NpgsqlCommandBuilder().QuoteIdentifier(role);
            await using var grant = dataSource.Command(Sql.Read(statements).Replace(":role", name, StringComparison.Ordinal));
            await grant.ExecuteNonQueryAsync(cancel);
        }
    }
}

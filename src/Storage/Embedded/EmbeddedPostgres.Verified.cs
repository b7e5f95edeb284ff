using Npgsql;

namespace MetaOpt.Storage.Embedded;

public static partial class EmbeddedPostgres
{
    /// <summary>Whether a connection string leads to the private server of the data folder.</summary>
    public static async Task<bool> IsReachedByAsync(EmbeddedOptions options, string connectionString,
        CancellationToken cancellationToken)
    {
        var cluster = await FindAsync(options, cancellationToken);
        return cluster.Created && new NpgsqlConnectionStringBuilder(connectionString).Host == cluster.Socket;
    }

    /// <summary>
    /// Writes a backup while everything runs, and restores it into a scratch database to see that it can be restored: only then
    /// it gets its name. Returns the number of runs in it.
    /// </summary>
    /// <exception cref="EmbeddedPostgresException">It was not written or cannot be restored; or the programs for it are
    /// missing.</exception>
    public static async Task<long> BackupVerifiedAsync(EmbeddedOptions options, string file, CancellationToken cancellationToken)
    {
        var cluster = await FindAsync(options, cancellationToken);
        if (cluster.Binaries.ClientProgram("pg_dump") is null || cluster.Binaries.ClientProgram("pg_restore") is not { } restore)
            throw new EmbeddedPostgresException(
                $"{cluster.Binaries.Folder} has no pg_dump and pg_restore, which a backup while the service runs needs. "
                + "Install them with: sudo apt-get install -y --no-install-recommends postgresql");
        var (unverified, scratch) = (file + ".unverified", $"{options.Database}_verifying");
        File.Delete(unverified);
        await BackupAsync(options, unverified, cancellationToken);
        try
        {
            await using var connection = await cluster.ConnectAsync(cancellationToken);
            try
            {
                await LoadIntoAsync(cluster, restore, connection, scratch, Path.GetFullPath(unverified), cancellationToken);
                // Not the service's own count: it changes meanwhile.
                await using var restored =
                    NpgsqlDataSource.Create(
                        new NpgsqlConnectionStringBuilder(
                            cluster.ConnectionString(scratch, superuser: true))
                        { Pooling = false }.ConnectionString);
                await using var count = restored.CreateCommand("select count(*) from runs");
                var runs = (long)(await count.ExecuteScalarAsync(cancellationToken))!;
                File.Move(unverified, file);
                return runs;
            }
            finally
            {
                await using var drop = new NpgsqlCommand($"drop database if exists \"{scratch}\" with (force)", connection);
                await drop.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
        finally
        {
            File.Delete(unverified);
        }
    }
}

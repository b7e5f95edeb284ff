using Hangfire.PostgreSql;
using MetaOpt.Storage;
using Npgsql;

namespace MetaOpt.Api.Background;

/// <summary>The schema that Hangfire keeps its jobs in.</summary>
public static class BackgroundSchema
{
    /// <summary>
    /// The schema's name. A role that writes there makes the API execute any public method: only the API's own may.
    /// </summary>
    public const string Name = "hangfire";

    /// <summary>
    /// Brings the service's schema and Hangfire's to this program's. Safe when several processes do it at once.
    /// </summary>
    public static Task ApplyAsync(NpgsqlDataSource database, CancellationToken cancel) =>
        Migrations.ApplyAsync(database, connection => PostgreSqlObjectsInstaller.Install(connection, Name), cancel);
}

using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;
using Npgsql;

namespace MetaOpt.Api.Background;

/// <summary>Hangfire's connections come from the pool of the service.</summary>
sealed class BackgroundConnections : NpgsqlInstanceConnectionFactoryBase
{
    readonly NpgsqlDataSource _database;

    public BackgroundConnections(NpgsqlDataSource database, PostgreSqlStorageOptions options) : base(options)
    {
        _database = database;
        SetupConnectionStringBuilder(
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { Enlist = false }.ConnectionString);
    }

    public override NpgsqlConnection GetOrCreateConnection() => _database.CreateConnection();
}

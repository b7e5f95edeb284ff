using MetaOpt.Api.Background;
using MetaOpt.Storage.Embedded;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests;

/// <summary>
/// A migrated database of its own for a test class (<c>IClassFixture&lt;PostgresFixture&gt;</c>), copied from a template in the
/// one cluster of this test process. <c>METAOPT_PG_BIN</c> chooses the binaries.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    // Lost after a power cut, which is as well: the cluster is removed when the tests end.
    static readonly Dictionary<string, string> s_settings = new()
    {
        ["fsync"] = "off",
        ["full_page_writes"] = "off",
        ["max_connections"] = "300"
    };

    static readonly Lazy<Task<string>> s_template = new(MakeTemplateAsync);
    static readonly SemaphoreSlim s_copying = new(1);
    static int s_count;

    /// <summary>Of this class's database.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <summary>Of this class's database.</summary>
    public NpgsqlDataSource DataSource { get; private set; } = null!;

    /// <summary>The connection string of one more migrated, empty database.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var template = new NpgsqlConnectionStringBuilder(await s_template.Value);
        var name = $"test_{Interlocked.Increment(ref s_count)}";
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(template.ConnectionString)
            {
                Database = "postgres",
                Pooling = false
            }.ConnectionString);
        await s_copying.WaitAsync();
        try
        {
            await using var create = source.CreateCommand($"create database {name} template {template.Database}");
            await create.ExecuteNonQueryAsync();
        }
        finally
        {
            s_copying.Release();
        }
        return new NpgsqlConnectionStringBuilder(template.ConnectionString) { Database = name }.ConnectionString;
    }

    public async Task InitializeAsync()
    {
        ConnectionString = await CreateDatabaseAsync();
        DataSource = NpgsqlDataSource.Create(ConnectionString);
    }

    public async Task DisposeAsync() => await DataSource.DisposeAsync();

    static async Task<string> MakeTemplateAsync()
    {
        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = TestFolders.New("database"), Settings = s_settings };
        var template = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        await using var source = NpgsqlDataSource.Create(template);
        await BackgroundSchema.ApplyAsync(source, default);
        return template;
    }
}

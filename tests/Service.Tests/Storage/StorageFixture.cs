using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>
/// Storage on a database of its own, and short forms for what the tests do often. Tests that share it use pools of their own.
/// </summary>
public sealed class StorageFixture : IAsyncLifetime
{
    ServiceProvider services = null!;

    public static readonly TimeSpan Ttl = TimeSpan.FromHours(1);

    public string ConnectionString { get; private set; } = "";
    public NpgsqlDataSource Source => Get<NpgsqlDataSource>();
    public RunQueue Queue => Get<RunQueue>();
    public SeriesStore Series => Get<SeriesStore>();
    public CheckpointStore Checkpoints => Get<CheckpointStore>();
    public UserStore Users => Get<UserStore>();

    public T Get<T>() where T : notnull => services.GetRequiredService<T>();

    public async Task InitializeAsync()
    {
        ConnectionString = await PostgresFixture.CreateDatabaseAsync();
        services = new ServiceCollection().AddMetaOptStorage(ConnectionString).BuildServiceProvider();
    }

    public async Task DisposeAsync() => await services.DisposeAsync();

    /// <summary>A pool or owner that no other test uses.</summary>
    public static string Fresh(string prefix) => $"{prefix}-{Guid.NewGuid():N}";

    public static WorkerIdentity Worker(string pool, params string[] datasets) => new(Fresh("worker"), pool, datasets, []);

    public Task<Guid> SubmitAsync(string pool, string owner = "ada", int priority = 0, int maxDeaths = 3, string? dataset = null,
        Guid[]? after = null, DateTimeOffset? notBefore = null) =>
        Queue.SubmitAsync(new NewRun("evaluation", "test", owner, [])
        {
            RequiredDataset = dataset,
            Pool = pool,
            Priority = priority,
            MaxDeaths = maxDeaths,
            After = after ?? [],
            NotBefore = notBefore,
        }, default);

    public async Task<Claim> ClaimAsync(string pool) =>
        await Queue.ClaimAsync(Worker(pool), Ttl, default) ?? throw new InvalidOperationException($"nothing to claim in {pool}");

    /// <summary>A run that a worker just claimed.</summary>
    public async Task<LeasedRun> LeaseAsync(int maxDeaths = 3)
    {
        var pool = Fresh("pool");
        await SubmitAsync(pool, maxDeaths: maxDeaths);
        return Of(await ClaimAsync(pool));
    }

    public LeasedRun Of(Claim claim) => new(Source, claim.Lease);

    /// <summary>Makes a lease expire now, long after the database started.</summary>
    public Task ExpireAsync(Lease lease) => ExecuteAsync(
        $"""
        update runs set lease_expires_at = now() - interval '1 second', lease_ttl = '1 microsecond' where id = '{lease.RunId}'
        """);

    public async Task<Run> RowAsync(Guid id)
    {
        await using var db = await Get<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync();
        return await db.Runs.AsNoTracking().Include(r => r.Attempts.OrderBy(a => a.Number)).SingleAsync(r => r.Id == id);
    }

    public async Task<RunState> StateAsync(Guid id) => (await RowAsync(id)).State;

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public static IReadOnlyList<RunEvent.Point> Points(string series, long first, params double[] values) =>
        [.. values.Select((value, i) => new RunEvent.Point(series, first + i, value))];
}

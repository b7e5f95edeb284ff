using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using MetaOpt.Storage;
using MetaOpt.Workers.Execution;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>Real worker processes on a database of their own. Tests use pools of their own; nothing survives the class.</summary>
public sealed class WorkerFixture : IAsyncLifetime
{
    /// <summary>
    /// How long a lease of these workers holds: so long that no busy machine delays a heartbeat past it. Tests that need it to be
    /// over end it (<see cref="TakeRunsOfAsync"/>); the long form waits.
    /// </summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(LongForm.Wanted ? 3 : 15);

    static readonly Lazy<Task<double>> s_epochsOfASecond = new(MeasureAsync);

    readonly ConcurrentBag<WorkerProcess> _workers = [];
    ServiceProvider _services = null!;

    /// <summary>The assembly that is the worker.</summary>
    public string Program { get; init; } = "metaopt-worker.dll";

    public string ConnectionString { get; private set; } = "";
    public RunQueue Queue => _services.GetRequiredService<RunQueue>();
    public NpgsqlDataSource Source => _services.GetRequiredService<NpgsqlDataSource>();

    public async Task InitializeAsync() => Use(await PostgresFixture.CreateDatabaseAsync());

    public async Task DisposeAsync()
    {
        foreach (var worker in _workers) worker.Dispose();
        await _services.DisposeAsync();
    }

    void Use(string connectionString)
    {
        ConnectionString = connectionString;
        _services = new ServiceCollection().AddMetaOptStorage(connectionString).BuildServiceProvider();
    }

    /// <summary>A fixture on a database that the test made.</summary>
    public static WorkerFixture On(string connectionString, string program = "metaopt-worker.dll")
    {
        var fixture = new WorkerFixture { Program = program };
        fixture.Use(connectionString);
        return fixture;
    }

    public static string Fresh(string prefix) => $"{prefix}-{Guid.NewGuid():N}";

    public WorkerProcess Start(string pool, params string[] more) => StartThrough(ConnectionString, pool, more);

    /// <summary>A worker that reaches the database by another way.</summary>
    public WorkerProcess StartThrough(string connectionString, string pool, params string[] more)
    {
        var name = Fresh("w");
        // The database can tell who writes.
        var connection = new NpgsqlConnectionStringBuilder(connectionString) { ApplicationName = name }.ConnectionString;
        var worker = new WorkerProcess(name, connection,
            ["--pool", pool, "--name", name, "--threads", "1", "--lease-seconds", $"{Lease.TotalSeconds}", "--resume-seconds",
                "0.2", .. more], program: Program);
        _workers.Add(worker);
        return worker;
    }

    /// <summary>
    /// A small training run on 4-dimensional quadratics: 2 meta-steps a meta-epoch. Enough of them that computing takes the time,
    /// about a millisecond a step, and not the database.
    /// </summary>
    public Task<Guid> SubmitAsync(string pool, int metaEpochs, long seed = 1, int maxDeaths = 3, string? kind = null,
        string? spec = null, string owner = "ada")
    {
        spec ??= Training(metaEpochs, seed);
        kind ??= "meta-training";
        var read = Catalog.RunKinds.Read(kind, JsonElement.Parse(spec));
        return Queue.SubmitAsync(
            new NewRun(kind, "test", owner, SpecReader.Write(read))
            {
                RequiredDataset = read.RequiredData,
                Pool = pool,
                MaxDeaths = maxDeaths
            }, default);
    }

    static string Training(int metaEpochs, long seed) => $$"""
        {"seed":{{seed}},"task":{"type":"quadratic","dimensions":4},"optimizer":{"type":"lstm","layers":[3]},
         "training":{"horizon":20,"unroll":10,"metaBatch":64,"validation":{"every":100,"instances":8},"metaEpochs":{{metaEpochs}} } }
        """;

    public async Task<Run> RowAsync(Guid id)
    {
        await using var db = await _services.GetRequiredService<IDbContextFactory<MetaOptDb>>().CreateDbContextAsync();
        return await db.Runs.AsNoTracking().Include(r => r.Attempts.OrderBy(a => a.Number)).SingleAsync(r => r.Id == id);
    }

    /// <summary>The first value of <paramref name="sql"/>'s first row, default when there is none.</summary>
    public async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    public Task<long> StepAsync(Guid run) => ScalarAsync<long>(
        $"select coalesce(max(p.step), 0) from series_points p join series s on s.id = p.series_id where "
        + $"s.run_id = '{run}' and s.name = 'meta-loss'");

    public Task<long> ResumeStepAsync(Guid run) => ScalarAsync<long>($"select step from resume_points where run_id = '{run}'");

    /// <summary>
    /// How many meta-epochs keep a processor busy for so long: a kill takes time, whatever the machine does in it, so a run of
    /// fixed length would be over before the kill on a fast one. On a busy machine they take longer, and never less.
    /// </summary>
    public static async Task<int> EpochsLastingAsync(TimeSpan duration) =>
        (int)Math.Ceiling(await s_epochsOfASecond.Value * duration.TotalSeconds);

    static async Task<double> MeasureAsync()
    {
        var job = new Job("meta-training", JsonElement.Parse(Training(1_000_000, 1)), 1, "/nonexistent", 3600, 3600);
        var (begun, ended) = ((Seconds: 0.0, Step: 0L), (Seconds: 0.0, Step: 0L));
        await new Child(job).ToEndAsync(FrameKind.Points, (child, frame) =>
        {
            var now = (child.ProcessorSeconds, Messages.ReadPoints(frame).Max(p => p.Step));
            // Behind the just-in-time compiler's first seconds.
            if (begun.Step == 0 && now.ProcessorSeconds > 2) begun = now;
            if (begun.Step == 0 || now.ProcessorSeconds < begun.Seconds + 1) return;
            ended = now;
            child.Signal(WorkerProcess.Kill);
        });
        return (ended.Step - begun.Step) / (ended.Seconds - begun.Seconds) / 2;
    }

    /// <summary>Ends the leases of a worker that was killed or stopped, as time would: another one takes its runs.</summary>
    public Task TakeRunsOfAsync(WorkerProcess worker) => UntilAsync(async () =>
    {
        // Again and again: what it sent last may come after its end, and renew a lease or hold a row.
        await ScalarAsync<int>($"""
            with held as (select id from runs where lease_owner = '{worker.Name}' for no key update skip locked)
            update runs r set lease_expires_at = now() - interval '1 second', lease_ttl = '1 microsecond' from held where r.id = held.id
            """);
        await Queue.ExpireLeasesAsync(default);
        return await ScalarAsync<long>($"select count(*) from runs where lease_owner = '{worker.Name}'") == 0;
    }, $"the runs of worker {worker.Name} to be taken away");

    /// <summary>Waits for a final state.</summary>
    public async Task<Run> EndAsync(Guid id)
    {
        await UntilAsync(
            async () => (await RowAsync(id)).State is Runs.RunState.Succeeded or Runs.RunState.Failed or Runs.RunState.Cancelled,
            async () => $"run {id} to end; it is {JsonSerializer.Serialize(new { (await RowAsync(id)).State, Step = await StepAsync(id) })}");
        return await RowAsync(id);
    }

    /// <summary>SHA-256 of the final checkpoint.</summary>
    public async Task<string> FinalSha256Async(Guid run) =>
        await ScalarAsync<string>($"select sha256 from checkpoints where run_id = '{run}' and name = 'final'")
        ?? throw new InvalidOperationException($"Run {run} has no final checkpoint: {(await RowAsync(run)).ErrorDetail}");

    /// <summary>Each meta-step of the series is there exactly once.</summary>
    public async Task AssertEveryStepOnceAsync(Guid run, long steps) => Assert.Equal(
        (steps, steps, 1L, steps),
        (await ScalarAsync<long>(Points("count(*)", run)), await ScalarAsync<long>(Points("count(distinct p.step)", run)),
            await ScalarAsync<long>(Points("min(p.step)", run)), await StepAsync(run)));

    /// <summary>The same as a question.</summary>
    public Task<bool> HasEveryStepOnceAsync(Guid run, long steps) => ScalarAsync<bool>(Points(
        $"(count(*), count(distinct p.step), coalesce(min(p.step), 0), coalesce(max(p.step), "
        + $"0)) = ({steps}, {steps}, 1, {steps})", run));

    static string Points(string what, Guid run) =>
        $"select {what} from series_points p join series s on s.id = p.series_id where "
        + $"s.run_id = '{run}' and s.name = 'meta-loss'";

    /// <summary>
    /// Waits for a condition; gives up when <paramref name="what"/> has said the same for longer than
    /// <see cref="Patience.Limit"/>.
    /// </summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<Task<string>> what)
    {
        var (begun, before) = (Stopwatch.StartNew(), "");
        for (; !await condition(); await Task.Delay(20))
        {
            if (begun.Elapsed < Patience.Limit) continue;
            var now = await what();
            if (now == before) Assert.Fail($"Waited {Patience.Limit} for {now}");
            before = now;
            begun.Restart();
        }
    }

    public static Task UntilAsync(Func<Task<bool>> condition, string what) => UntilAsync(condition, () => Task.FromResult(what));
}

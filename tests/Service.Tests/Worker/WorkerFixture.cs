using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>Real worker processes on a database of their own. Tests use pools of their own; nothing survives the class.</summary>
public sealed class WorkerFixture : IAsyncLifetime
{
    /// <summary>How long a lease of these workers holds.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(3);

    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    readonly ConcurrentBag<WorkerProcess> _workers = [];
    ServiceProvider _services = null!;

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
    public static WorkerFixture On(string connectionString)
    {
        var fixture = new WorkerFixture();
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
            ["--pool", pool, "--name", name, "--threads", "1", "--lease-seconds", $"{Lease.TotalSeconds}", "--resume-seconds", "0.2", .. more]);
        _workers.Add(worker);
        return worker;
    }

    /// <summary>
    /// A small training run on 4-dimensional quadratics: 2 meta-steps a meta-epoch. Enough of them that computing takes the time,
    /// about a millisecond a step, and not the database.
    /// </summary>
    public Task<Guid> SubmitAsync(string pool, int metaEpochs, long seed = 1, int maxDeaths = 3, string? kind = null, string? spec = null, string owner = "ada")
    {
        spec ??= $$"""
            {"seed":{{seed}},"task":{"type":"quadratic","dimensions":4},"optimizer":{"type":"lstm","layers":[3]},
             "training":{"horizon":20,"unroll":10,"metaBatch":64,"validation":{"every":100,"instances":8},"metaEpochs":{{metaEpochs}} } }
            """;
        kind ??= "meta-training";
        var read = SpecReader.Read(kind, JsonElement.Parse(spec));
        return Queue.SubmitAsync(
            new NewRun(kind, "test", owner, SpecReader.Write(read)) { RequiredDataset = read.Task.RequiredDataset, Pool = pool, MaxDeaths = maxDeaths }, default);
    }

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
        $"select coalesce(max(p.step), 0) from series_points p join series s on s.id = p.series_id where s.run_id = '{run}' and s.name = 'meta-loss'");

    public Task<long> ResumeStepAsync(Guid run) => ScalarAsync<long>($"select step from resume_points where run_id = '{run}'");

    /// <summary>
    /// How many meta-epochs take about so long on this machine: a kill costs seconds, whatever the machine does in them, so a run
    /// of fixed length would be over before the kill on a fast one.
    /// </summary>
    public async Task<int> EpochsLastingAsync(TimeSpan duration)
    {
        var pool = Fresh("calibrate");
        using var worker = Start(pool);
        var id = await SubmitAsync(pool, 1_000_000);
        // Behind the just-in-time compiler's first seconds.
        await UntilAsync(async () => await StepAsync(id) > 500, "the first points");
        var (begun, from) = (Stopwatch.StartNew(), await StepAsync(id));
        await UntilAsync(async () => begun.Elapsed > TimeSpan.FromSeconds(4) && await StepAsync(id) > from, "more points");
        var speed = (await StepAsync(id) - from) / begun.Elapsed.TotalSeconds;
        await Queue.RequestCancelAsync(id, default);
        await EndAsync(id);
        return (int)Math.Ceiling(speed * duration.TotalSeconds / 2);
    }

    /// <summary>Waits for a final state.</summary>
    public async Task<Run> EndAsync(Guid id)
    {
        await UntilAsync(async () => (await RowAsync(id)).State is Runs.RunState.Succeeded or Runs.RunState.Failed or Runs.RunState.Cancelled,
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
        $"(count(*), count(distinct p.step), coalesce(min(p.step), 0), coalesce(max(p.step), 0)) = ({steps}, {steps}, 1, {steps})", run));

    static string Points(string what, Guid run) =>
        $"select {what} from series_points p join series s on s.id = p.series_id where s.run_id = '{run}' and s.name = 'meta-loss'";

    public static async Task UntilAsync(Func<Task<bool>> condition, Func<Task<string>> what)
    {
        for (var begun = Stopwatch.StartNew(); !await condition(); await Task.Delay(20))
            if (begun.Elapsed > s_patience) Assert.Fail($"Waited {s_patience} for {await what()}");
    }

    public static Task UntilAsync(Func<Task<bool>> condition, string what) => UntilAsync(condition, () => Task.FromResult(what));
}

/// <summary>A worker as a process, and its children.</summary>
public sealed partial class WorkerProcess : IDisposable
{
    public const int Kill = 9, Term = 15, Continue = 18, Stop = 19;

    readonly Process _process;
    readonly ConcurrentQueue<string> _log = new();

    public WorkerProcess(string name, string connectionString, IEnumerable<string> arguments, int nice = 0)
    {
        Name = name;
        var start = new ProcessStartInfo("nice", ["-n", $"{nice}", "dotnet", Path.Combine(AppContext.BaseDirectory, "metaopt-worker.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["METAOPT_DATABASE_URL"] = connectionString;
        // Its input ends when the tests do, however they end.
        start.Environment["METAOPT_STOP_AT_END_OF_INPUT"] = "1";
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, e) => _log.Enqueue(e.Data ?? "");
        _process.ErrorDataReceived += (_, e) => _log.Enqueue(e.Data ?? "");
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Name { get; }

    public string Log => string.Join('\n', _log);

    public bool HasExited => _process.HasExited;

    /// <summary>Process ids of the children that execute runs.</summary>
    public IReadOnlyList<int> Children => [.. Directory.EnumerateDirectories("/proc")
        .Select(d => int.TryParse(Path.GetFileName(d), out var id) ? id : 0).Where(id => id > 0 && IsChild(id))];

    public void Signal(int signal) => SignalProcess(_process.Id, signal);

    public static void SignalProcess(int process, int signal) => _ = kill(process, signal);

    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            foreach (var child in Children) SignalProcess(child, Kill);
            Signal(Kill);
            _process.WaitForExit();
        }
    }

    bool IsChild(int id)
    {
        try
        {
            // Behind the name in parentheses: state, parent.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1]) == _process.Id
                && File.ReadAllText($"/proc/{id}/cmdline").TrimEnd('\0').EndsWith("execute", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}

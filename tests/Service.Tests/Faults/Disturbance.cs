using System.Diagnostics;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage.Embedded;
using Xunit;

namespace MetaOpt.Service.Tests.Faults;

/// <summary>
/// Again and again something dies: a child, a worker (who gets a successor), or a worker stops for longer than its lease. Now and
/// then the database restarts. In the long form it happens each second, and leases run out; otherwise once for each run that
/// ended, to one that stored something to go on from, and leases are ended at once: then nothing depends on how fast the machine
/// is.
/// </summary>
sealed class Disturbance(WorkerFixture fixture, EmbeddedOptions database, string pool, List<WorkerProcess> workers)
{
    static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan s_away = TimeSpan.FromSeconds(1);
    static readonly TimeSpan s_stop = TimeSpan.FromSeconds(6);
    // A child hears its worker's silence after a lease and an eighth of it, twice looked at.
    static readonly TimeSpan s_silence = WorkerFixture.Lease * 1.25;

    readonly Random _random = new(1);
    readonly List<Task> _asleep = [];

    public int Children { get; private set; }
    public int Workers { get; private set; }
    public int Stops { get; private set; }
    public int Restarts { get; private set; }

    /// <summary>When the children of a worker that was killed or stopped died at the latest.</summary>
    public Dictionary<string, List<DateTime>> Ends { get; } = [];

    /// <summary>
    /// Goes on until so many runs of the pool have ended; the database restarts at even distances of their number.
    /// </summary>
    public async Task UntilEndedAsync(int runs, int restarts)
    {
        var (since, moved, ended) = (Stopwatch.StartNew(), Stopwatch.StartNew(), 0L);
        while (ended < runs)
        {
            Assert.True(moved.Elapsed < Patience.Limit, $"{ended} of {runs} runs ended, and none for {Patience.Limit}.");
            await Task.Delay(20);
            var before = ended;
            ended = await fixture.ScalarAsync<long>(
                $"select count(*) from runs where pool = '{pool}' and state not in ('queued', 'running')");
            if (ended > before) moved.Restart();
            if (LongForm.Wanted ? since.Elapsed < s_interval : ended < Children + Workers + Stops) continue;
            since.Restart();
            if (Restarts < restarts && ended >= runs * (Restarts + 1) / (restarts + 1)) await RestartAsync();
            else await DisturbAsync();
        }
        await Task.WhenAll(_asleep);
        // Those that slept through the loss of their runs notice it now; nobody writes any more.
        await WorkerFixture.UntilAsync(() => Task.FromResult(workers.All(w => w.Children.Count == 0)), "the workers to be idle");
    }

    async Task RestartAsync()
    {
        await EmbeddedPostgres.StopAsync(database, default);
        await Task.Delay(s_away);
        await EmbeddedPostgres.EnsureStartedAsync(database, default);
        fixture.Source.Clear();
        Restarts++;
    }

    async Task DisturbAsync()
    {
        var victim = _random.Next(workers.Count);
        var worker = workers[victim];
        if (!LongForm.Wanted && !await HasNewResumePointAsync(worker)) return;
        switch (_random.Next(10))
        {
            case < 6:
                if (worker.Children is not [var child, ..]) return;
                WorkerProcess.SignalProcess(child, WorkerProcess.Kill);
                Children++;
                break;
            case < 9:
                worker.Signal(WorkerProcess.Kill);
                Note(worker, TimeSpan.Zero);
                workers[victim] = fixture.Start(pool);
                if (!LongForm.Wanted) await fixture.TakeRunsOfAsync(worker);
                Workers++;
                break;
            default:
                worker.Signal(WorkerProcess.Stop);
                Note(worker, s_silence);
                _asleep.Add(ContinueAsync(worker));
                Stops++;
                break;
        }
    }

    async Task ContinueAsync(WorkerProcess worker)
    {
        if (LongForm.Wanted) await Task.Delay(s_stop);
        else await fixture.TakeRunsOfAsync(worker);
        worker.Signal(WorkerProcess.Continue);
    }

    Task<bool> HasNewResumePointAsync(WorkerProcess worker) => fixture.ScalarAsync<bool>($"""
        select count(*) > 0 from runs r join attempts a on a.run_id = r.id and a.number = r.attempt join resume_points p on p.run_id = r.id
        where r.lease_owner = '{worker.Name}' and a.facts <> '{"{}"}' and p.step > coalesce(a.resumed_from_step, 0)
        """);

    void Note(WorkerProcess worker, TimeSpan later)
    {
        if (!Ends.TryGetValue(worker.Name, out var ends)) Ends[worker.Name] = ends = [];
        ends.Add(DateTime.UtcNow + later);
    }
}

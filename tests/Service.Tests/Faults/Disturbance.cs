using System.Diagnostics;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage.Embedded;
using Xunit;

namespace MetaOpt.Service.Tests.Faults;

/// <summary>
/// At each interval something dies: a child, a worker (who gets a successor), or a worker stops for longer than its lease. Now and then
/// the database restarts.
/// </summary>
sealed class Disturbance(
    WorkerFixture fixture, EmbeddedOptions database, string pool, List<WorkerProcess> workers, TimeSpan interval)
{
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

    /// <summary>Goes on until so many runs of the pool have ended; the database restarts at even distances of their number.</summary>
    public async Task UntilEndedAsync(int runs, int restarts)
    {
        var (since, begun, ended) = (Stopwatch.StartNew(), Stopwatch.StartNew(), 0L);
        while (ended < runs)
        {
            Assert.True(begun.Elapsed < TimeSpan.FromSeconds(300 + 20 * runs), $"{ended} of {runs} runs ended in {begun.Elapsed}.");
            await Task.Delay(50);
            ended = await fixture.ScalarAsync<long>(
                $"select count(*) from runs where pool = '{pool}' and state not in ('queued', 'running')");
            if (since.Elapsed < interval) continue;
            since.Restart();
            if (Restarts < restarts && ended >= runs * (Restarts + 1) / (restarts + 1)) await RestartAsync();
            else Disturb();
        }
        await Task.WhenAll(_asleep);
        // Those that slept through the loss of their runs notice it now; nobody may write any more.
        await Task.Delay(WorkerFixture.Lease / 3);
    }

    async Task RestartAsync()
    {
        await EmbeddedPostgres.StopAsync(database, default);
        await Task.Delay(s_away);
        await EmbeddedPostgres.EnsureStartedAsync(database, default);
        fixture.Source.Clear();
        Restarts++;
    }

    void Disturb()
    {
        var victim = _random.Next(workers.Count);
        var worker = workers[victim];
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
                Workers++;
                break;
            default:
                worker.Signal(WorkerProcess.Stop);
                Note(worker, s_silence);
                _asleep.Add(Task.Delay(s_stop).ContinueWith(_ => worker.Signal(WorkerProcess.Continue), TaskScheduler.Default));
                Stops++;
                break;
        }
    }

    void Note(WorkerProcess worker, TimeSpan later)
    {
        if (!Ends.TryGetValue(worker.Name, out var ends)) Ends[worker.Name] = ends = [];
        ends.Add(DateTime.UtcNow + later);
    }
}

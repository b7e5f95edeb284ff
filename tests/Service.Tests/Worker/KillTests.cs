using MetaOpt.Runs;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>Whatever dies, and whenever: the run ends with the same bytes, and little is computed twice.</summary>
public class KillTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    // What was computed and not stored when a kill came, in seconds: the batch interval of the child, and the way to the database.
    const double Unstored = 0.6;

    readonly string _pool = Fresh("pool");

    [Fact]
    public async Task Ten_runs_killed_once_each_end_with_the_bytes_of_undisturbed_ones()
    {
        var epochs = await fixture.EpochsLastingAsync(TimeSpan.FromSeconds(10));
        var (undisturbed, steps) = (await UndisturbedAsync(epochs), 2L * epochs);
        var (resumed, computed) = (0, 0.0);
        var gate = new Lock();
        await Parallel.ForAsync(0, 10, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (i, _) =>
        {
            var pool = Fresh("kill");
            var worker = fixture.Start(pool);
            var id = await fixture.SubmitAsync(pool, epochs);
            var moment = Random.Shared.NextInt64(steps / 20, steps * 3 / 5);
            var done = await KillAsync(pool, worker, id, moment, child: i % 2 == 0);
            var run = await fixture.EndAsync(id);
            Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
            Assert.Equal(2, run.Attempts.Count);
            Assert.Equal(undisturbed, await fixture.FinalSha256Async(id));
            await fixture.AssertEveryStepOnceAsync(id, steps);
            lock (gate)
            {
                resumed += run.Attempts[1].ResumedFromStep > 0 ? 1 : 0;
                computed += done + steps - (run.Attempts[1].ResumedFromStep ?? 0);
            }
        });
        Assert.InRange(resumed, 8, 10);
        Assert.InRange(computed / (10 * steps), 1.0, 1.5);
    }

    [Fact]
    public async Task A_run_killed_ten_times_ends_with_the_bytes_of_an_undisturbed_one()
    {
        var epochs = await fixture.EpochsLastingAsync(TimeSpan.FromSeconds(30));
        var (undisturbed, steps) = (await UndisturbedAsync(epochs), 2L * epochs);
        var worker = fixture.Start(_pool);
        var id = await fixture.SubmitAsync(_pool, epochs, maxDeaths: 20);
        var (from, computed) = (0L, 0.0);
        for (var kill = 0; kill < 10; kill++)
        {
            var done = await KillAsync(_pool, worker, id, steps * (2 * kill + 1) / 22, child: kill % 2 == 0, replace: w => worker = w);
            computed += done - from;
            await UntilAsync(async () => (await fixture.RowAsync(id)).Attempts is { } a && a.Count == kill + 2 && a[^1].Facts.GetRawText() != "{}", "the next attempt");
            from = (await fixture.RowAsync(id)).Attempts[^1].ResumedFromStep ?? 0;
        }
        var run = await fixture.EndAsync(id);
        Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
        Assert.Equal(11, run.Attempts.Count);
        Assert.Equal(undisturbed, await fixture.FinalSha256Async(id));
        await fixture.AssertEveryStepOnceAsync(id, steps);
        Assert.InRange((computed + steps - from) / steps, 1.0, 1.5);
    }

    async Task<string> UndisturbedAsync(int epochs)
    {
        var pool = Fresh("undisturbed");
        using var worker = fixture.Start(pool);
        var id = await fixture.SubmitAsync(pool, epochs);
        await fixture.EndAsync(id);
        return await fixture.FinalSha256Async(id);
    }

    /// <summary>
    /// Kills the run's child or its worker, who gets a successor, once <paramref name="moment"/> is stored; how many steps were
    /// done by then at most.
    /// </summary>
    async Task<double> KillAsync(string pool, WorkerProcess worker, Guid id, long moment, bool child, Action<WorkerProcess>? replace = null)
    {
        await UntilAsync(async () =>
        {
            Assert.False((await fixture.RowAsync(id)).State is RunState.Succeeded, "The run ended before the kill: it is too short.");
            return await fixture.StepAsync(id) >= moment && worker.Children.Count == 1;
        }, $"step {moment}");
        if (child)
            WorkerProcess.SignalProcess(Assert.Single(worker.Children), WorkerProcess.Kill);
        else
            worker.Signal(WorkerProcess.Kill);
        var speed = (await fixture.RowAsync(id)).Progress?.GetProperty("stepsPerSecond").GetDouble() ?? 0;
        var done = await fixture.StepAsync(id) + Unstored * speed;
        if (!child)
        {
            var next = fixture.Start(pool);
            replace?.Invoke(next);
        }
        return done;
    }
}

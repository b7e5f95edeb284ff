using MetaOpt.Runs;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>Whatever dies, and whenever: the run ends with the same bytes, and little is computed twice.</summary>
public class KillTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    readonly string _pool = Fresh("pool");

    [Fact]
    public async Task Ten_runs_killed_once_each_end_with_the_bytes_of_undisturbed_ones()
    {
        var epochs = await EpochsLastingAsync(TimeSpan.FromSeconds(5));
        var (undisturbed, steps) = (await UndisturbedAsync(epochs), 2L * epochs);
        await Parallel.ForAsync(0, 10, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (i, _) =>
        {
            var pool = Fresh("kill");
            var worker = fixture.Start(pool);
            var id = await fixture.SubmitAsync(pool, epochs);
            var (stored, next) = await KillAsync(pool, worker, id, steps * (i + 1) / 25, child: i % 2 == 0);
            var run = await fixture.EndAsync(id);
            Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
            Assert.Equal(2, run.Attempts.Count);
            await AssertLittleIsComputedTwiceAsync(ComputedTwice(stored, run.Attempts[1].ResumedFromStep!.Value), 1);
            Assert.Equal(undisturbed, await fixture.FinalSha256Async(id));
            await fixture.AssertEveryStepOnceAsync(id, steps);
            next.Dispose();
        });
    }

    [Fact]
    public async Task A_run_killed_ten_times_ends_with_the_bytes_of_an_undisturbed_one()
    {
        var epochs = await EpochsLastingAsync(TimeSpan.FromSeconds(12));
        var (undisturbed, steps) = (await UndisturbedAsync(epochs), 2L * epochs);
        var worker = fixture.Start(_pool);
        var id = await fixture.SubmitAsync(_pool, epochs, maxDeaths: 20);
        var twice = 0L;
        for (var kill = 0; kill < 10; kill++)
        {
            (var stored, worker) = await KillAsync(_pool, worker, id, steps * (2 * kill + 1) / 30, child: kill % 2 == 0);
            await UntilAsync(
                async () => (await fixture.RowAsync(id)).Attempts is { } a && a.Count == kill + 2
                    && a[^1].Facts.GetRawText() != "{}", "the next attempt");
            twice += ComputedTwice(stored, (await fixture.RowAsync(id)).Attempts[^1].ResumedFromStep!.Value);
        }
        var run = await fixture.EndAsync(id);
        Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
        Assert.Equal(11, run.Attempts.Count);
        await AssertLittleIsComputedTwiceAsync(twice, 10);
        Assert.Equal(undisturbed, await fixture.FinalSha256Async(id));
        await fixture.AssertEveryStepOnceAsync(id, steps);
    }

    /// <summary>
    /// Steps that were stored and are computed again. A worker still stores what its killed child had sent, so a resume point may
    /// be newer.
    /// </summary>
    static long ComputedTwice(long stored, long resumedFrom) => Math.Max(0, stored - resumedFrom);

    /// <summary>
    /// What was stored and is computed again lies between two resume points: a fifth of a second, so certainly less than a whole
    /// one.
    /// </summary>
    static async Task AssertLittleIsComputedTwiceAsync(long steps, int kills) =>
        Assert.InRange(steps, 0, kills * 2 * await EpochsLastingAsync(TimeSpan.FromSeconds(1)));

    async Task<string> UndisturbedAsync(int epochs)
    {
        var pool = Fresh("undisturbed");
        using var worker = fixture.Start(pool);
        var id = await fixture.SubmitAsync(pool, epochs);
        await fixture.EndAsync(id);
        return await fixture.FinalSha256Async(id);
    }

    /// <summary>
    /// Kills the run's child or its worker, who gets a successor, once <paramref name="moment"/> and a new resume point are
    /// stored; the last step that is stored, and the worker that goes on.
    /// </summary>
    async Task<(long Stored, WorkerProcess Next)> KillAsync(string pool, WorkerProcess worker, Guid id, long moment, bool child)
    {
        var resumed = (await fixture.RowAsync(id)).Attempts.LastOrDefault()?.ResumedFromStep ?? 0;
        await UntilAsync(async () =>
        {
            Assert.False((await fixture.RowAsync(id)).State is RunState.Succeeded,
                "The run ended before the kill: it is too short.");
            return await fixture.StepAsync(id) >= moment && await fixture.ResumeStepAsync(id) > resumed
                && worker.Children.Count == 1;
        }, async () => $"step {moment}; it is at {await fixture.StepAsync(id)}");
        if (child)
        {
            WorkerProcess.SignalProcess(Assert.Single(worker.Children), WorkerProcess.Kill);
            return (await fixture.StepAsync(id), worker);
        }
        worker.Signal(WorkerProcess.Kill);
        await worker.ExitAsync();
        await fixture.TakeRunsOfAsync(worker);
        return (await fixture.StepAsync(id), fixture.Start(pool));
    }
}

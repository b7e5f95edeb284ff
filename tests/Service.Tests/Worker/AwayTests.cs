using MetaOpt.Runs;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>
/// A worker that sleeps, a database that restarts, a network that is cut: what was stored stays right, and no run is blamed for
/// it.
/// </summary>
public class AwayTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    readonly string _pool = Fresh("pool");

    [Fact]
    public async Task A_worker_that_was_stopped_past_its_lease_writes_nothing_when_it_goes_on()
    {
        var sleeper = fixture.Start(_pool);
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        await UntilAsync(async () => await fixture.ResumeStepAsync(id) > 0, "a resume point");
        sleeper.Signal(WorkerProcess.Stop);
        await fixture.TakeRunsOfAsync(sleeper);
        var other = fixture.Start(_pool);
        await UntilAsync(async () => (await fixture.RowAsync(id)).Attempts.Count == 2, "the other worker's attempt");
        sleeper.Signal(WorkerProcess.Continue);
        await UntilAsync(() => Task.FromResult(sleeper.Log.Contains("no longer ours")), "the sleeper to notice");
        await UntilAsync(() => Task.FromResult(sleeper.Children.Count == 0), "the sleeper's child to end");
        var run = await fixture.RowAsync(id);
        Assert.Equal((RunState.Running, 2), (run.State, run.Attempts.Count));
        await fixture.Queue.RequestCancelAsync(id, default);
        Assert.Equal(RunState.Cancelled, (await fixture.EndAsync(id)).State);
        await fixture.AssertEveryStepOnceAsync(id, await fixture.StepAsync(id));
        other.Dispose();
        sleeper.Dispose();
    }

    [Fact]
    public async Task A_database_that_restarts_in_mid_run_costs_no_attempt()
    {
        var epochs = await EpochsLastingAsync(TimeSpan.FromSeconds(5));
        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = TestFolders.New("restarted") };
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        await using (var source = Npgsql.NpgsqlDataSource.Create(connection)) await Migrations.ApplyAsync(source, default);
        var own = WorkerFixture.On(connection);
        try
        {
            var worker = own.Start(_pool);
            var id = await own.SubmitAsync(_pool, epochs);
            await UntilAsync(async () => await own.StepAsync(id) > 0, "the first points");
            await EmbeddedPostgres.StopAsync(options, default);
            await UntilAsync(() => Task.FromResult(worker.Log.Contains("is tried again")), "the worker to notice");
            await EmbeddedPostgres.EnsureStartedAsync(options, default);
            own.Source.Clear();
            var run = await own.EndAsync(id);
            Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
            Assert.Single(run.Attempts);
            Assert.Equal(0, run.Deaths);
            await own.AssertEveryStepOnceAsync(id, 2 * epochs);
        }
        finally
        {
            await own.DisposeAsync();
            await EmbeddedPostgres.StopAsync(options, default);
        }
    }

    [Theory]
    [InlineData(WorkerProcess.Term)]
    [InlineData(WorkerProcess.Kill)]
    public async Task A_worker_that_ends_while_the_database_is_away_costs_its_run_no_death(int signal)
    {
        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = TestFolders.New("away") };
        var own = On(await EmbeddedPostgres.EnsureStartedAsync(options, default));
        try
        {
            await Migrations.ApplyAsync(own.Source, default);
            var worker = own.Start(_pool, "--grace-seconds", "0");
            // One death would be one too many.
            var id = await own.SubmitAsync(_pool, 1_000_000, maxDeaths: 1);
            await UntilAsync(async () => await own.ResumeStepAsync(id) > 0, "a resume point");
            await EmbeddedPostgres.StopAsync(options, default);
            worker.Signal(signal);
            await worker.ExitAsync();
            await EmbeddedPostgres.EnsureStartedAsync(options, default);
            own.Source.Clear();
            await own.TakeRunsOfAsync(worker);
            own.Start(_pool);
            await UntilAsync(async () => await own.RowAsync(id) is { Attempts.Count: 2 } or { State: RunState.Failed },
                "the next attempt");
            var run = await own.RowAsync(id);
            Assert.Equal((RunState.Running, 0, "cut-off"), (run.State, run.Deaths, run.Attempts[0].Outcome));
            Assert.EndsWith("while the database was away", run.Attempts[0].Detail, StringComparison.Ordinal);
        }
        finally
        {
            await own.DisposeAsync();
            await EmbeddedPostgres.StopAsync(options, default);
        }
    }

    [Theory]
    [InlineData(false, 0, "cut-off")]
    [InlineData(true, 1, "lost")]
    public async Task A_worker_cut_off_past_its_lease_takes_the_death_back_if_its_child_lived(bool childDies, int deaths,
        string outcome)
    {
        using var network = new Network(fixture.ConnectionString);
        using var worker = fixture.StartThrough(network.ConnectionString, _pool);
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        await UntilAsync(async () => await fixture.ResumeStepAsync(id) > 0, "a resume point");
        network.Cut();
        await UntilAsync(() => Task.FromResult(worker.Log.Contains("a heartbeat failed")), "the worker to notice");
        if (childDies) WorkerProcess.SignalProcess(Assert.Single(worker.Children), WorkerProcess.Kill);
        await fixture.TakeRunsOfAsync(worker);
        var lost = await fixture.RowAsync(id);
        Assert.Equal((RunState.Queued, 1, "lost"), (lost.State, lost.Deaths, lost.Attempts[0].Outcome));
        // A second attempt's first resume point would forgive the death too.
        await fixture.Queue.PauseAsync(id, default);
        var stored = await fixture.StepAsync(id);

        network.Mend();
        await UntilAsync(() => Task.FromResult(worker.Log.Contains("no longer ours")), "the worker to come back");
        worker.Signal(WorkerProcess.Term);
        await worker.ExitAsync();
        var run = await fixture.RowAsync(id);
        Assert.Equal((RunState.Queued, deaths, outcome), (run.State, run.Deaths, Assert.Single(run.Attempts).Outcome));
        Assert.Equal(stored, await fixture.StepAsync(id));
        await fixture.Queue.RequestCancelAsync(id, default);
    }
}

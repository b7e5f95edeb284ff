using System.Diagnostics;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class LeaseTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task After_its_lease_expired_a_run_goes_elsewhere_and_the_first_worker_cannot_write()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        var zombie = storage.Of(await storage.ClaimAsync(pool));
        await zombie.AppendPointsAsync(Points("loss", 1, 3, 2), default);
        await storage.ExpireAsync(zombie.Lease);

        var second = await storage.ClaimAsync(pool);
        Assert.Equal((id, 2, 2L), (second.Lease.RunId, second.Attempt, second.Lease.Token));
        await storage.Of(second).BeginAttemptAsync([], default);
        await EveryWriteIsRefusedAsync(zombie);

        var row = await storage.RowAsync(id);
        Assert.Equal(["lost", null], row.Attempts.Select(a => a.Outcome));
        Assert.Equal((RunState.Running, 1), (row.State, row.Deaths));
        Assert.Equal(0, Assert.Single(await storage.Series.ListAsync(id, default)).Count);
        Assert.Empty(await storage.Checkpoints.ListAsync(id, default));
        Assert.Equal(Beat.Renewed, await storage.Queue.HeartbeatAsync(second.Lease, Ttl, default));
    }

    [Fact]
    public async Task After_the_final_state_nothing_more_can_be_written()
    {
        foreach (var leave in new Func<LeasedRun, Task>[]
        {
            r => r.FinishAsync(RunState.Succeeded, [], null, default),
            r => r.FinishAsync(RunState.Failed, null, new("spec", "impossible"), default),
            r => r.HandBackAsync(default),
            r => r.ReportDeathAsync("out of memory", default),
        })
        {
            var run = await storage.LeaseAsync();
            await leave(run);
            await EveryWriteIsRefusedAsync(run);
        }
    }

    async Task EveryWriteIsRefusedAsync(LeasedRun run)
    {
        foreach (var write in new Func<Task>[]
        {
            () => run.BeginAttemptAsync([], default),
            () => run.AppendPointsAsync(Points("loss", 3, 1), default),
            () => run.SetProgressAsync(new("meta-steps", 1, 2, 1, null), default),
            () => run.AddFactsAsync([], default),
            () => run.SaveResumePointAsync(3, [1], default),
            () => run.SaveCheckpointAsync("final", 3, [1], default),
            () => run.FinishAsync(RunState.Succeeded, [], null, default),
            () => run.HandBackAsync(default),
            () => run.ReportDeathAsync("killed", default),
        })
            await Assert.ThrowsAsync<LeaseLostException>(write);
        Assert.Equal(Beat.Lost, await storage.Queue.HeartbeatAsync(run.Lease, Ttl, default));
    }

    [Fact]
    public async Task A_lease_that_expired_but_was_not_reaped_is_renewed_and_still_writes()
    {
        var run = await storage.LeaseAsync();
        await storage.ExpireAsync(run.Lease);
        await run.AppendPointsAsync(Points("loss", 1, 1), default);
        Assert.Equal(Beat.Renewed, await storage.Queue.HeartbeatAsync(run.Lease, Ttl, default));
        await storage.Queue.ExpireLeasesAsync(default);
        Assert.Equal(RunState.Running, await storage.StateAsync(run.Lease.RunId));
    }

    [Fact]
    public async Task Nothing_is_reaped_until_a_whole_ttl_after_the_database_started()
    {
        var run = await storage.LeaseAsync();
        await storage.ExecuteAsync(
            $"""
            update runs set lease_expires_at = now() - interval '1 second', lease_ttl = '3650 days' where id = '{run.Lease.RunId}'
            """);
        await storage.Queue.ExpireLeasesAsync(default);
        Assert.Equal(RunState.Running, await storage.StateAsync(run.Lease.RunId));
        await storage.ExpireAsync(run.Lease);
        await storage.Queue.ExpireLeasesAsync(default);
        Assert.Equal(RunState.Queued, await storage.StateAsync(run.Lease.RunId));
    }

    [Fact]
    public async Task Three_deaths_in_a_row_fail_the_run_with_the_reason_and_a_lost_lease_is_one()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        await storage.Of(await storage.ClaimAsync(pool)).ReportDeathAsync("exit code 139", default);
        var lost = await storage.ClaimAsync(pool);
        await storage.ExpireAsync(lost.Lease);
        Assert.Equal(RunState.Running, await storage.StateAsync(id));
        await storage.Of(await storage.ClaimAsync(pool)).ReportDeathAsync("killed by signal 9", default);

        var row = await storage.RowAsync(id);
        Assert.Equal((RunState.Failed, 3, "died"), (row.State, row.Deaths, row.ErrorCode));
        Assert.Contains("3 deaths in a row", row.ErrorDetail);
        Assert.Contains("killed by signal 9", row.ErrorDetail);
        Assert.Equal(["died", "lost", "died"], row.Attempts.Select(a => a.Outcome));
        Assert.Null(await storage.Queue.ClaimAsync(Worker(pool), Ttl, default));
    }

    [Fact]
    public async Task A_lost_lease_can_be_the_last_death_too()
    {
        var run = await storage.LeaseAsync(maxDeaths: 1);
        await storage.ExpireAsync(run.Lease);
        await storage.Queue.ExpireLeasesAsync(default);
        var row = await storage.RowAsync(run.Lease.RunId);
        Assert.Equal((RunState.Failed, "died"), (row.State, row.ErrorCode));
        Assert.Contains(run.Lease.Worker, row.ErrorDetail);
    }

    [Fact]
    public async Task Only_a_new_resume_point_forgives_deaths()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        async Task<int> DieAfter(long step, byte state = 1)
        {
            var run = storage.Of(await storage.ClaimAsync(pool));
            await run.BeginAttemptAsync([], default);
            await run.SaveResumePointAsync(step, [state], default);
            await run.ReportDeathAsync("killed", default);
            return (await storage.RowAsync(id)).Deaths;
        }
        Assert.Equal(1, await DieAfter(0));
        Assert.Equal(1, await DieAfter(0, state: 2));
        Assert.Equal(2, await DieAfter(0, state: 2));
        Assert.Equal(1, await DieAfter(10));
        Assert.Equal(1, await DieAfter(20));
        Assert.Equal(2, await DieAfter(20));
        Assert.Equal(1, await DieAfter(30));
        Assert.Equal(2, await DieAfter(30));
        Assert.Equal(3, await DieAfter(30));
        Assert.Equal(RunState.Failed, await storage.StateAsync(id));
    }

    [Fact]
    public async Task A_death_is_taken_back_once_and_only_while_it_counts()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        async Task<Lease> LoseAsync()
        {
            var lease = (await storage.ClaimAsync(pool)).Lease;
            await storage.ExpireAsync(lease);
            await storage.Queue.ExpireLeasesAsync(default);
            return lease;
        }
        async Task<int> DeathsAfter(Lease report)
        {
            await storage.Queue.ReportCutOffAsync(report, default);
            return (await storage.RowAsync(id)).Deaths;
        }
        var (first, second) = (await LoseAsync(), await LoseAsync());
        Assert.Equal((1, 1), (await DeathsAfter(second), await DeathsAfter(second)));
        var third = storage.Of(await storage.ClaimAsync(pool));
        Assert.Equal(1, await DeathsAfter(third.Lease with { Token = 99 }));
        await third.SaveResumePointAsync(1, [1], default);
        await third.ReportDeathAsync("killed", default);
        // The resume point has forgiven the first; what counts now is the third's.
        Assert.Equal((1, 1), (await DeathsAfter(first), await DeathsAfter(third.Lease)));
        Assert.Equal(["cut-off", "cut-off", "died"], (await storage.RowAsync(id)).Attempts.Select(a => a.Outcome));
    }

    [Fact]
    public async Task An_attempt_handed_back_later_does_not_keep_a_death()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        var lost = (await storage.ClaimAsync(pool)).Lease;
        await storage.ExpireAsync(lost);
        await storage.Queue.ExpireLeasesAsync(default);
        await storage.Of(await storage.ClaimAsync(pool)).HandBackAsync(default);
        await storage.Queue.ReportCutOffAsync(lost, default);
        Assert.Equal(0, (await storage.RowAsync(id)).Deaths);
    }

    [Fact]
    public async Task A_run_that_failed_meanwhile_stays_failed_and_its_attempt_says_why()
    {
        var run = await storage.LeaseAsync(maxDeaths: 1);
        await storage.ExpireAsync(run.Lease);
        await storage.Queue.ExpireLeasesAsync(default);
        await storage.Queue.ReportCutOffAsync(run.Lease, default);
        var row = await storage.RowAsync(run.Lease.RunId);
        Assert.Equal((RunState.Failed, 1, "cut-off"), (row.State, row.Deaths, row.Attempts[0].Outcome));
        Assert.EndsWith("expired while it was cut off from the database", row.Attempts[0].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Handing_back_costs_nothing_however_often()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        for (var i = 0; i < 5; i++)
            await storage.Of(await storage.ClaimAsync(pool)).HandBackAsync(default);
        var row = await storage.RowAsync(id);
        Assert.Equal((RunState.Queued, 0, 5), (row.State, row.Deaths, row.Attempt));
        Assert.All(row.Attempts, a => Assert.Equal("handed-back", a.Outcome));
    }

    [Fact]
    public async Task A_queued_run_is_cancelled_at_once_and_a_running_one_by_its_worker()
    {
        var queued = await storage.SubmitAsync("nobody");
        Assert.Equal(RunState.Cancelled, await storage.Queue.RequestCancelAsync(queued, default));
        Assert.NotNull((await storage.RowAsync(queued)).FinishedAt);

        var run = await storage.LeaseAsync();
        Assert.Equal(RunState.Running, await storage.Queue.RequestCancelAsync(run.Lease.RunId, default));
        var asked = (await storage.RowAsync(run.Lease.RunId)).CancelRequestedAt;
        Assert.Equal(RunState.Running, await storage.Queue.RequestCancelAsync(run.Lease.RunId, default));
        Assert.Equal(asked, (await storage.RowAsync(run.Lease.RunId)).CancelRequestedAt);
        Assert.Equal(Beat.CancelRequested, await storage.Queue.HeartbeatAsync(run.Lease, Ttl, default));
        await run.FinishAsync(RunState.Cancelled, null, null, default);
        Assert.Equal(RunState.Cancelled, await storage.Queue.RequestCancelAsync(run.Lease.RunId, default));
        Assert.Null(await storage.Queue.RequestCancelAsync(Guid.NewGuid(), default));
    }

    [Fact]
    public async Task A_cancel_request_holds_when_the_worker_dies_loses_the_run_or_hands_it_back()
    {
        foreach (var leave in new Func<LeasedRun, Task>[]
        {
            async r => { await storage.ExpireAsync(r.Lease); await storage.Queue.ExpireLeasesAsync(default); },
            r => r.ReportDeathAsync("killed", default),
            r => r.HandBackAsync(default),
        })
        {
            var run = await storage.LeaseAsync();
            await storage.Queue.RequestCancelAsync(run.Lease.RunId, default);
            await leave(run);
            Assert.Equal(RunState.Cancelled, await storage.StateAsync(run.Lease.RunId));
        }
    }

    [Fact]
    public async Task Cancelling_and_finishing_at_once_leaves_a_run_that_finished()
    {
        for (var i = 0; i < 40; i++)
        {
            var run = await storage.LeaseAsync();
            var cancel = Task.Run(() => storage.Queue.RequestCancelAsync(run.Lease.RunId, default));
            var finish = Task.Run(() => run.FinishAsync(RunState.Succeeded, new JsonObject { ["x"] = 1 }, null, default));
            await finish;
            Assert.Contains(await cancel, new RunState?[] { RunState.Running, RunState.Succeeded });
            Assert.Equal(RunState.Succeeded, await storage.StateAsync(run.Lease.RunId));
        }
    }

    [Fact]
    public async Task Cancelling_and_claiming_at_once_never_leaves_a_cancelled_run_running()
    {
        for (var i = 0; i < 40; i++)
        {
            var pool = Fresh("pool");
            var id = await storage.SubmitAsync(pool);
            var cancel = Task.Run(() => storage.Queue.RequestCancelAsync(id, default));
            var claim = await storage.Queue.ClaimAsync(Worker(pool), Ttl, default);
            Assert.Equal(claim is null ? RunState.Cancelled : RunState.Running, await cancel);
            if (claim is not null)
                Assert.Equal(Beat.CancelRequested, await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default));
        }
    }

    [Fact]
    public async Task Reaping_and_finishing_at_once_ends_in_exactly_one_of_the_two()
    {
        for (var i = 0; i < 40; i++)
        {
            var run = await storage.LeaseAsync();
            await storage.ExpireAsync(run.Lease);
            var reap = Task.Run(() => storage.Queue.ExpireLeasesAsync(default));
            var lost = await Record.ExceptionAsync(() => run.FinishAsync(RunState.Succeeded, [], null, default));
            await reap;
            var row = await storage.RowAsync(run.Lease.RunId);
            if (lost is null)
                Assert.Equal((RunState.Succeeded, 0, "succeeded"), (row.State, row.Deaths, row.Attempts[0].Outcome));
            else
                Assert.Equal((typeof(LeaseLostException), RunState.Queued, 1, "lost"),
                    (lost.GetType(), row.State, row.Deaths, row.Attempts[0].Outcome));
        }
    }

    [Fact]
    public async Task The_reaper_and_the_scheduler_do_not_wait_for_a_write_in_progress()
    {
        var pool = Fresh("pool");
        await storage.SubmitAsync(pool);
        var run = storage.Of(await storage.ClaimAsync(pool));
        await storage.ExpireAsync(run.Lease);
        await using var connection = await storage.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        Assert.True(await LeasedRun.FenceAsync(connection, run.Lease, Fence.Share, default));

        Assert.Null(await storage.Queue.ClaimAsync(Worker(pool), Ttl, default));
        Assert.Equal(RunState.Running, await storage.StateAsync(run.Lease.RunId));
        await transaction.CommitAsync();
        Assert.Equal(run.Lease.RunId, (await storage.ClaimAsync(pool)).Lease.RunId);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_that_stops_in_the_middle_of_a_write_does_not_keep_its_run(bool blob)
    {
        var run = await storage.LeaseAsync();
        await storage.ExpireAsync(run.Lease);
        using var network = new Network(storage.ConnectionString);
        await using var cutOff = NpgsqlDataSource.Create(network.ConnectionString);
        network.CutAfter(100_000);
        var stopped = new LeasedRun(cutOff, run.Lease);
        _ = blob ? stopped.SaveCheckpointAsync("final", 1, new byte[1 << 20], default)
            : stopped.AppendPointsAsync(Points("loss", 1, new double[50_000]), default);
        await WorkerFixture.UntilAsync(() => Task.FromResult(network.IsCut), "the write to begin");
        await WorkerFixture.UntilAsync(async () => await StalledAsync() == 1, "the write to stall");
        // A slow write is not a stopped one: it has five seconds.
        var watch = Stopwatch.StartNew();
        var age = await storage.ScalarAsync<double>(
            "select extract(epoch from clock_timestamp() - min(xact_start))::float8 from pg_stat_activity where wait_event = "
            + "'ClientRead'");
        Assert.Equal(0, await storage.Queue.ExpireLeasesAsync(default));
        if (age + watch.Elapsed.TotalSeconds < 5)
            await WorkerFixture.UntilAsync(async () => await StalledAsync() == 1, "the write to go on stalling");
        await WorkerFixture.UntilAsync(async () => await storage.Queue.ExpireLeasesAsync(default) == 1,
            "the database to end the write");
        Assert.Equal(RunState.Queued, await storage.StateAsync(run.Lease.RunId));
    }

    [Fact]
    public async Task A_write_that_stalls_goes_on_while_its_lease_holds()
    {
        var run = await storage.LeaseAsync();
        using var network = new Network(storage.ConnectionString);
        await using var slow = NpgsqlDataSource.Create(network.ConnectionString);
        network.CutAfter(100_000);
        _ = new LeasedRun(slow, run.Lease).AppendPointsAsync(Points("loss", 1, new double[50_000]), default);
        await WorkerFixture.UntilAsync(async () => await StalledAsync("clock_timestamp() - interval '6 seconds'") == 1,
            "the write to stall");
        await storage.Queue.ExpireLeasesAsync(default);
        Assert.Equal(1, await StalledAsync());
    }

    /// <summary>Connections that wait for the rest of what a worker writes, since before a time.</summary>
    Task<long> StalledAsync(string since = "clock_timestamp()") => storage.ScalarAsync<long>($"""
        select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and wait_event = 'ClientRead' and xact_start <= {since}
        """);

    [Fact]
    public async Task Writes_and_beats_of_one_worker_at_once_do_not_deadlock()
    {
        var run = await storage.LeaseAsync();
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run<Task>(() => (i % 5) switch
        {
            0 => storage.Queue.HeartbeatAsync(run.Lease, Ttl, default),
            1 => run.AppendPointsAsync(Points($"series{i}", 1, 1, 2, 3), default),
            2 => run.SetProgressAsync(new("meta-steps", i, 100, 1, null), default),
            3 => run.SaveCheckpointAsync($"checkpoint{i}", i, new byte[1000], default),
            _ => run.AddFactsAsync(new JsonObject { [$"fact{i}"] = i }, default),
        }).Unwrap()));
        Assert.Equal(8, (await storage.Series.ListAsync(run.Lease.RunId, default)).Count);
        Assert.Equal(8, (await storage.Checkpoints.ListAsync(run.Lease.RunId, default)).Count);
    }

    [Fact]
    public async Task A_failed_run_needs_an_error_and_a_run_cannot_finish_as_queued()
    {
        var run = await storage.LeaseAsync();
        await Assert.ThrowsAsync<ArgumentException>(() => run.FinishAsync(RunState.Failed, null, null, default));
        await Assert.ThrowsAsync<ArgumentException>(() => run.FinishAsync(RunState.Queued, null, null, default));
        await run.FinishAsync(RunState.Failed, null, new("out-of-memory", "lower /training/metaBatch"), default);
        var row = await storage.RowAsync(run.Lease.RunId);
        Assert.Equal((RunState.Failed, "out-of-memory", "failed"), (row.State, row.ErrorCode, row.Attempts[0].Outcome));
    }
}

using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>Who may have how much, and runs that are kept from running: quotas, pauses, time limits, draining workers.</summary>
public class QuotaTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    readonly string _pool = Fresh("pool"), _owner = Fresh("owner");

    Task SetAsync(int? running = null, int? queued = null, long? stored = null, double? hours = null) =>
        storage.Get<QuotaStore>().SetAsync(
        new Quota { Owner = _owner, Running = running, Queued = queued, StoredBytes = stored, DeviceHours = hours }, default);

    Task<Guid> SubmitAsync() => storage.SubmitAsync(_pool, _owner);

    async Task<WaitReason> WaitingAsync(Guid id) => (await storage.Queue.WhyWaitingAsync(id, default))!;

    [Fact]
    public async Task Concurrent_claimers_never_exceed_the_runs_an_owner_may_have_at_once()
    {
        await SetAsync(running: 3);
        var last = Guid.Empty;
        for (var i = 0; i < 10; i++) last = await SubmitAsync();
        var other = await storage.SubmitAsync(_pool, Fresh("other"), priority: -100);
        await storage.Queue.RegisterWorkerAsync(Worker(_pool), default);
        var claims =
            await Task.WhenAll(Enumerable.Range(0, 8)
                .Select(_ => Task.Run(() => storage.Queue.ClaimAsync(Worker(_pool), Ttl, default))));
        Assert.Equal(4, claims.Count(c => c is not null));
        Assert.Contains(claims, c => c?.Lease.RunId == other);
        var reason = await WaitingAsync(last);
        Assert.Equal((WaitCause.Quota, false), (reason.Cause, reason.IsDue));
        Assert.Contains($"{_owner} has 3 of 3 runs at once", reason.Reason);
        await storage.Of(claims.First(c => c is not null && c.Lease.RunId != other)!)
            .FinishAsync(RunState.Succeeded, [], null, default);
        Assert.NotNull(await storage.Queue.ClaimAsync(Worker(_pool), Ttl, default));
    }

    [Fact]
    public async Task Submissions_and_retries_at_once_never_exceed_the_runs_an_owner_may_have_waiting()
    {
        await SetAsync(queued: 5);
        var cancelled = await SubmitAsync();
        await storage.Queue.RequestCancelAsync(cancelled, default);
        var refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(async () =>
        {
            var exception =
                await Record.ExceptionAsync(() => i == 0 ? storage.Queue.RetryAsync(cancelled, default) : SubmitAsync());
            if (exception is QuotaExceededException) Interlocked.Increment(ref refused);
            else Assert.Null(exception);
        })));
        Assert.Equal((7, 5L),
            (refused, await storage.ScalarAsync<long>(
                $"select count(*) from runs where owner = '{_owner}' and state = 'queued'")));
    }

    [Fact]
    public async Task A_batch_counts_as_all_its_runs()
    {
        await SetAsync(queued: 3);
        Task BatchAsync(int runs) => storage.Queue.SubmitAsync(
            [.. Enumerable.Range(0, runs).Select(_ => new NewRun("evaluation", "test", _owner, []) { Pool = _pool })], default);
        await Assert.ThrowsAsync<QuotaExceededException>(() => BatchAsync(4));
        Assert.Equal(0, await storage.ScalarAsync<long>($"select count(*) from runs where owner = '{_owner}'"));
        await BatchAsync(3);
        await Assert.ThrowsAsync<QuotaExceededException>(() => BatchAsync(1));
    }

    [Fact]
    public async Task Stored_bytes_and_device_hours_are_limited_by_an_own_limit_or_everybodys()
    {
        await SubmitAsync();
        var run = storage.Of(await storage.ClaimAsync(_pool));
        await run.SaveCheckpointAsync("final", 1, new byte[1000], default);
        await run.SaveResumePointAsync(1, new byte[500], default);
        var waiting = await SubmitAsync();
        var store = storage.Get<QuotaStore>();
        var usage = Assert.Single(await store.UsageAsync(_owner, default));
        Assert.Equal((1500, 1, 1), (usage.StoredBytes, usage.Running, usage.Queued));
        await SetAsync(stored: 1500);
        await Assert.ThrowsAsync<QuotaExceededException>(SubmitAsync);
        Assert.Null(await storage.Queue.ClaimAsync(Worker(_pool), Ttl, default));
        await SetAsync(stored: 1501, hours: 2);
        await storage.ExecuteAsync(
            $"update runs set lease_charged_at = now() - interval '2 hours' where id = '{run.Lease.RunId}'");
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        Assert.InRange((await store.UsageAsync(_owner, default))[0].DeviceHours, 2, 2.5);
        Assert.Null(await storage.Queue.ClaimAsync(Worker(_pool), Ttl, default));
        Assert.Contains("2.0 of 2 device hours", (await WaitingAsync(waiting)).Reason);
        await storage.ExecuteAsync($"update usage_days set day = day - 7 where owner = '{_owner}'");
        Assert.Equal(waiting, (await storage.ClaimAsync(_pool)).Lease.RunId);

        var nobody = Fresh("nobody");
        await store.SetAsync(new Quota { Owner = Quota.Everybody, Queued = 0 }, default);
        await Assert.ThrowsAsync<QuotaExceededException>(() => storage.SubmitAsync(_pool, nobody));
        await SetAsync(queued: 1);
        await SubmitAsync();
        await store.SetAsync(new Quota { Owner = Quota.Everybody }, default);
        await storage.SubmitAsync(_pool, nobody);
    }

    [Fact]
    public async Task A_reaped_lease_is_charged_to_the_day_too()
    {
        await SubmitAsync();
        var claim = await storage.ClaimAsync(_pool);
        await storage.ExecuteAsync(
            $"update runs set lease_charged_at = now() - interval '3 hours', lease_expires_at = now() - interval '1 hour', "
            + $"lease_ttl = '1 us' where id = '{claim.Lease.RunId}'");
        await storage.Queue.ExpireLeasesAsync(default);
        Assert.InRange((await storage.Get<QuotaStore>().UsageAsync(_owner, default))[0].DeviceHours, 1.99, 2.01);
    }

    [Fact]
    public async Task A_paused_run_is_handed_back_and_waits_until_it_is_resumed()
    {
        var id = await SubmitAsync();
        var claim = await storage.ClaimAsync(_pool);
        Assert.True(await storage.Queue.PauseAsync(id, default));
        Assert.Equal(Beat.YieldRequested, await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default));
        await storage.Of(claim).HandBackAsync(default);
        Assert.Null(await storage.Queue.ClaimAsync(Worker(_pool), Ttl, default));
        Assert.Equal(WaitCause.Paused, (await WaitingAsync(id)).Cause);
        Assert.True(await storage.Queue.ResumeAsync(id, default));
        Assert.False(await storage.Queue.ResumeAsync(id, default));
        claim = await storage.ClaimAsync(_pool);
        Assert.Equal(Beat.Renewed, await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default));

        // Whatever ends a paused run, it is not paused afterwards: a retry goes on at once.
        await storage.Queue.PauseAsync(id, default);
        await storage.Of(claim).HandBackAsync(default);
        await storage.Queue.RequestCancelAsync(id, default);
        Assert.False(await storage.Queue.PauseAsync(id, default));
        await storage.Queue.RetryAsync(id, default);
        Assert.Equal(id, (await storage.ClaimAsync(_pool)).Lease.RunId);
    }

    [Fact]
    public async Task A_run_that_yields_goes_to_the_end_of_the_queue_once()
    {
        var first = await SubmitAsync();
        Assert.False(await storage.Queue.YieldAsync(first, default));
        var claim = await storage.ClaimAsync(_pool);
        var second = await SubmitAsync();
        await storage.Queue.YieldAsync(first, default);
        Assert.Equal(Beat.YieldRequested, await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default));
        await storage.Of(claim).HandBackAsync(default);
        var next = await storage.ClaimAsync(_pool);
        Assert.Equal(second, next.Lease.RunId);
        // Handed back without having been asked to yield, it keeps its place.
        await storage.Of(next).HandBackAsync(default);
        Assert.Equal(second, (await storage.ClaimAsync(_pool)).Lease.RunId);
        Assert.Equal(first, (await storage.ClaimAsync(_pool)).Lease.RunId);
    }

    [Fact]
    public async Task What_ends_a_run_that_is_paused_or_to_yield_forgets_both()
    {
        foreach (var end in new Func<LeasedRun, Task>[]
        {
            r => r.FinishAsync(RunState.Succeeded, [], null, default),
            r => r.ReportDeathAsync("killed", default),
            async r => { await storage.Queue.RequestCancelAsync(r.Lease.RunId, default); await r.ReportDeathAsync("killed",
                default); },
            async r => { await storage.Queue.RequestCancelAsync(r.Lease.RunId, default); await r.HandBackAsync(default); },
            async r => { await storage.Queue.RequestCancelAsync(r.Lease.RunId,
                default); await storage.ExpireAsync(r.Lease); await storage.Queue.ExpireLeasesAsync(default); },
        })
        {
            var run = await storage.LeaseAsync(maxDeaths: 1);
            await storage.Queue.YieldAsync(run.Lease.RunId, default);
            await storage.Queue.PauseAsync(run.Lease.RunId, default);
            await end(run);
            Assert.False(
                await storage.ScalarAsync<bool>($"select paused or yield_requested from runs where id = '{run.Lease.RunId}'"));
        }
    }

    [Fact]
    public async Task A_run_is_out_of_time_when_its_attempts_together_took_longer_than_its_limit()
    {
        var id = await storage.Queue.SubmitAsync(
            new NewRun("evaluation", "test", _owner, new JsonObject()) { Pool = _pool, TimeLimit = TimeSpan.FromMinutes(10) },
            default);
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            var claim = await storage.ClaimAsync(_pool);
            Assert.Equal(Beat.Renewed, await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default));
            await storage.ExecuteAsync(
                $"update attempts set started_at = started_at - interval '6 minutes' where "
                + $"run_id = '{id}' and number = {attempt}");
            Assert.Equal(attempt == 1 ? Beat.Renewed : Beat.OutOfTime,
                await storage.Queue.HeartbeatAsync(claim.Lease, Ttl, default));
            await storage.Of(claim).HandBackAsync(default);
        }
    }

    [Fact]
    public async Task A_draining_worker_claims_nothing_until_it_may_again_and_waiting_runs_say_so()
    {
        var (worker, id) = (Worker(_pool), await SubmitAsync());
        await storage.Queue.RegisterWorkerAsync(worker, default);
        Assert.True(await storage.Queue.DrainAsync(worker.Name, true, default));
        Assert.Null(await storage.Queue.ClaimAsync(worker, Ttl, default));
        Assert.Equal(WaitCause.Draining, (await WaitingAsync(id)).Cause);
        await storage.Queue.DrainAsync(worker.Name, false, default);
        Assert.Equal(id, (await storage.Queue.ClaimAsync(worker, Ttl, default))!.Lease.RunId);
        Assert.False(await storage.Queue.DrainAsync("nobody", true, default));
    }
}

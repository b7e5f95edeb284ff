using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>Retries, runs that come after others, and who may be deleted.</summary>
public class RetryTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    readonly string _pool = Fresh("pool");

    [Fact]
    public async Task A_retried_run_keeps_its_attempts_and_its_deaths_are_forgiven()
    {
        var id = await storage.SubmitAsync(_pool, maxDeaths: 1);
        var run = storage.Of(await storage.ClaimAsync(_pool));
        await run.SaveResumePointAsync(7, [1], default);
        await run.ReportDeathAsync("killed", default);
        Assert.Equal(RunState.Failed, await storage.StateAsync(id));

        Assert.True(await storage.Queue.RetryAsync(id, default));
        var row = await storage.RowAsync(id);
        Assert.Equal((RunState.Queued, 0, 1, null, null),
            (row.State, row.Deaths, row.Attempts.Count, row.ErrorCode, row.FinishedAt));
        Assert.False(await storage.Queue.RetryAsync(id, default));
        run = storage.Of(await storage.ClaimAsync(_pool));
        Assert.Equal(7, (await run.BeginAttemptAsync([], default))!.Step);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        Assert.False(await storage.Queue.RetryAsync(id, default));
        Assert.Equal(2, (await storage.RowAsync(id)).Attempt);
    }

    [Fact]
    public async Task A_retry_does_not_wait_for_the_time_that_the_submission_named()
    {
        var id = await storage.SubmitAsync(_pool, notBefore: DateTimeOffset.UtcNow.AddHours(1));
        await storage.Queue.RequestCancelAsync(id, default);
        Assert.True(await storage.Queue.RetryAsync(id, default));
        Assert.Equal(id, (await storage.ClaimAsync(_pool)).Lease.RunId);
    }

    [Fact]
    public async Task Of_changes_of_the_same_version_at_once_one_is_made()
    {
        var id = await storage.SubmitAsync(_pool);
        var version = (await storage.RowAsync(id)).Version;
        var made = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
            storage.Queue.EditAsync(id, new($"name {i}", null, null, null, null), version, Unsigned.AuditEvent, default))));
        Assert.Single(made, true);
        Assert.False(
            await storage.Queue.EditAsync(id, new("late", null, null, null, null), version, Unsigned.AuditEvent, default));
        Assert.False(
            await storage.Queue.EditAsync(id, new("early", null, null, null, null), version + 2, Unsigned.AuditEvent, default));
        Assert.True(
            await storage.Queue.EditAsync(id, new("in time", null, null, null, null), version + 1, Unsigned.AuditEvent, default));
        Assert.Equal("in time", (await storage.RowAsync(id)).Name);
    }

    [Fact]
    public async Task A_run_waits_until_all_it_comes_after_have_succeeded_and_says_for_which()
    {
        var first = await storage.SubmitAsync(_pool);
        var second = await storage.SubmitAsync(_pool);
        var last = await SubmitAsync(priority: 100, after: [first, second]);
        Assert.Contains($"waits for 2 runs, first {first.ToString()[^8..]}", await ReasonAsync(last));
        var one = await storage.ClaimAsync(_pool);
        Assert.Equal(first, one.Lease.RunId);
        await storage.Of(one).FinishAsync(RunState.Succeeded, [], null, default);
        await storage.Queue.RequestCancelAsync(second, default);
        Assert.Null(await storage.Queue.ClaimAsync(Worker(_pool), Ttl, default));
        Assert.Contains($"run {second.ToString()[^8..]}, which was cancelled; retry", await ReasonAsync(last));
        Assert.Equal(WaitCause.After, (await storage.Queue.WhyWaitingAsync(last, default))!.Cause);

        await storage.Queue.RetryAsync(second, default);
        await storage.Of(await storage.ClaimAsync(_pool)).FinishAsync(RunState.Succeeded, [], null, default);
        Assert.Equal(last, (await storage.ClaimAsync(_pool)).Lease.RunId);
    }

    [Fact]
    public async Task Inputs_of_a_waiting_run_are_not_deleted_and_deleted_ones_are_refused()
    {
        var training = await storage.SubmitAsync(_pool);
        var run = storage.Of(await storage.ClaimAsync(_pool));
        Assert.Equal(Deletion.NotFinal, await storage.Queue.DeleteAsync(training, default));
        var checkpoint = await run.SaveCheckpointAsync("final", 1, [1], default);
        await run.FinishAsync(RunState.Succeeded, [], null, default);

        var reader = await SubmitAsync(inputs: [checkpoint]);
        Assert.Equal(Deletion.Needed, await storage.Queue.DeleteAsync(training, default));
        await storage.Queue.RequestCancelAsync(reader, default);
        var follower = await SubmitAsync(after: [training]);
        Assert.Equal(Deletion.Needed, await storage.Queue.DeleteAsync(training, default));
        await storage.Queue.RequestCancelAsync(follower, default);
        Assert.Equal(Deletion.Deleted, await storage.Queue.DeleteAsync(training, default));
        Assert.Equal(Deletion.Unknown, await storage.Queue.DeleteAsync(training, default));

        await Assert.ThrowsAsync<MissingInputException>(() => SubmitAsync(inputs: [checkpoint]));
        await Assert.ThrowsAsync<MissingInputException>(() => storage.Queue.RetryAsync(follower, default));
        Assert.Equal(RunState.Cancelled, await storage.StateAsync(follower));
    }

    [Fact]
    public async Task Submitting_and_deleting_at_once_never_leaves_a_run_without_its_input()
    {
        for (var round = 0; round < 30; round++)
        {
            var training = await storage.SubmitAsync(_pool);
            var run = storage.Of(await storage.ClaimAsync(_pool));
            var checkpoint = await run.SaveCheckpointAsync("final", 1, [1], default);
            await run.FinishAsync(RunState.Succeeded, [], null, default);
            var deleting = Task.Run(() => storage.Queue.DeleteAsync(training, default));
            var submitting = Task.Run(() => SubmitAsync(inputs: [checkpoint]));
            var deleted = await deleting == Deletion.Deleted;
            var refused = await Record.ExceptionAsync(() => submitting) is MissingInputException;
            Assert.Equal(deleted, refused);
            if (!refused) await storage.Queue.RequestCancelAsync(await submitting, default);
        }
    }

    [Fact]
    public async Task Several_runs_are_submitted_all_or_none()
    {
        NewRun Run(params Guid[] after) => new("evaluation", "test", "ada", []) { Pool = _pool, After = after };
        var batch = Guid.CreateVersion7();
        var ids = await storage.Queue.SubmitAsync([Run() with { Batch = batch }, Run() with { Batch = batch }], default);
        Assert.Equal(2, await storage.ScalarAsync<long>($"select count(*) from runs where batch = '{batch}'"));
        Assert.Equal(2, ids.Distinct().Count());
        await Assert.ThrowsAsync<MissingInputException>(() => storage.Queue.SubmitAsync([Run(), Run(Guid.NewGuid())], default));
        await storage.Queue.SubmitAsync(Run() with { IdempotencyKey = "k" }, default);
        await Assert.ThrowsAsync<IdempotencyConflictException>(() =>
            storage.Queue.SubmitAsync([Run(), Run() with { IdempotencyKey = "k", Name = "other" }], default));
        Assert.Equal(3, await storage.ScalarAsync<long>($"select count(*) from runs where pool = '{_pool}'"));
    }

    Task<Guid> SubmitAsync(int priority = 0, Guid[]? after = null, Guid[]? inputs = null) => storage.Queue.SubmitAsync(
        new NewRun("evaluation", "test", "ada", new JsonObject())
        {
            Pool = _pool,
            Priority = priority,
            After = after ?? [],
            Inputs = inputs ?? []
        }, default);

    async Task<string> ReasonAsync(Guid id) => (await storage.Queue.WhyWaitingAsync(id, default))!.Reason;
}

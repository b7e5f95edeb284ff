using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>What is kept and what is swept; models; logs.</summary>
public class RetentionTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    static readonly TimeSpan s_day = TimeSpan.FromDays(1);

    async Task<(Guid Run, Guid Checkpoint)> EndedAsync(RunState state = RunState.Succeeded, double days = 2)
    {
        var run = await storage.LeaseAsync();
        var checkpoint = await run.SaveCheckpointAsync("final", 1, [1, 2], default);
        await run.SaveResumePointAsync(1, [3], default);
        await run.AppendPointsAsync(Points("loss", 1, 1, 2), default);
        await run.AppendLogAsync(1, ["said"], default);
        await run.FinishAsync(state, null, state == RunState.Failed ? new("x", "y") : null, default);
        await storage.ExecuteAsync(
            FormattableString.Invariant(
                $"update runs set finished_at = now() - interval '{days} days' where id = '{run.Lease.RunId}'"));
        return (run.Lease.RunId, checkpoint);
    }

    async Task<(long Resume, long Logs, long Series, long Checkpoints)> LeftAsync(Guid run)
    {
        Task<long> Count(string table) => storage.ScalarAsync<long>($"select count(*) from {table} where run_id = '{run}'");
        Assert.Equal(await Count("resume_points"), await Count("resume_point_chunks"));
        Assert.Equal(await Count("checkpoints"), await Count("checkpoint_chunks"));
        return (await Count("resume_points"), await Count("run_logs"), await Count("series"), await Count("checkpoints"));
    }

    [Fact]
    public async Task Each_kind_is_swept_by_its_own_age_and_only_of_ended_runs()
    {
        var retention = storage.Get<Retention>();
        var (failed, _) = await EndedAsync(RunState.Failed);
        var (cancelled, _) = await EndedAsync(RunState.Cancelled);
        var (young, _) = await EndedAsync(RunState.Failed, days: 0.5);
        var running = await storage.LeaseAsync();
        await running.SaveCheckpointAsync("final", 1, [1], default);
        Assert.Equal(0, await retention.SweepAsync(new(null, null, null, null), default));
        Assert.Equal(0, await retention.SweepAsync(new(3 * s_day, 3 * s_day, 3 * s_day, 3 * s_day), default));
        Assert.Equal((1, 1, 1, 1), await LeftAsync(failed));
        await retention.SweepAsync(new(s_day, null, null, null), default);
        Assert.Equal((0, 1, 1, 1), await LeftAsync(failed));
        await retention.SweepAsync(new(null, s_day, null, null), default);
        Assert.Equal((0, 0, 1, 1), await LeftAsync(failed));
        await retention.SweepAsync(new(null, null, s_day, null), default);
        Assert.Equal((0, 0, 0, 1), await LeftAsync(failed));
        await retention.SweepAsync(new(s_day, s_day, s_day, s_day), default);
        Assert.Equal((0, 0, 0, 0), await LeftAsync(failed));
        Assert.Equal((0, 0, 0, 0), await LeftAsync(cancelled));
        Assert.Equal((1, 1, 1, 1), await LeftAsync(young));
        Assert.Equal((0, 0, 0, 1), await LeftAsync(running.Lease.RunId));
    }

    [Fact]
    public async Task A_promoted_checkpoint_and_one_that_a_waiting_run_reads_are_never_taken()
    {
        var (promoted, checkpoint) = await EndedAsync();
        var (read, input) = await EndedAsync();
        var (followed, _) = await EndedAsync();
        var (plain, _) = await EndedAsync();
        var model = await storage.Get<ModelStore>().PromoteAsync("kept", checkpoint, "", "ada", default);
        Assert.Equal(1, model!.Version);
        var pool = Fresh("pool");
        var reader =
            await storage.Queue.SubmitAsync(
                new NewRun("evaluation", "test", "ada", new JsonObject()) { Pool = pool, Inputs = [input], After = [followed] },
                default);
        var all = new RetentionPeriods(s_day, s_day, s_day, s_day);
        await storage.Get<Retention>().SweepAsync(all, default);
        Assert.Equal((1, 1, 1, 0), ((await LeftAsync(promoted)).Checkpoints, (await LeftAsync(read)).Checkpoints,
            (await LeftAsync(followed)).Checkpoints, (await LeftAsync(plain)).Checkpoints));
        Assert.Equal([1, 2], await storage.Checkpoints.ReadAllAsync(checkpoint, default));
        Assert.Equal(Deletion.Promoted, await storage.Queue.DeleteAsync(promoted, default));
        await Assert.ThrowsAsync<PostgresException>(
            () => storage.ExecuteAsync($"delete from checkpoints where id = '{checkpoint}'"));

        await storage.Queue.RequestCancelAsync(reader, default);
        Assert.True(await storage.Get<ModelStore>().DemoteAsync("kept", 1, default));
        await storage.Get<Retention>().SweepAsync(all, default);
        Assert.Equal(0,
            (await LeftAsync(promoted)).Checkpoints + (await LeftAsync(read)).Checkpoints
                + (await LeftAsync(followed)).Checkpoints);
        Assert.Equal(Deletion.Deleted, await storage.Queue.DeleteAsync(promoted, default));
    }

    [Fact]
    public async Task Promotions_at_once_get_a_version_each_and_only_what_succeeded_is_promoted()
    {
        var checkpoints = new List<Guid>();
        for (var i = 0; i < 4; i++) checkpoints.Add((await EndedAsync()).Checkpoint);
        var models = storage.Get<ModelStore>();
        // Each twice: a repetition, also at the same moment, is the same version.
        var versions =
            await Task.WhenAll(checkpoints.Concat(checkpoints)
                .Select(c => Task.Run(() => models.PromoteAsync("many", c, "", "ada", default))));
        Assert.Equal([1, 1, 2, 2, 3, 3, 4, 4], versions.Select(m => m!.Version).Order());
        Assert.Equal(versions[..4].Select(m => m!.Version), versions[4..].Select(m => m!.Version));
        Assert.Equal(4, (await models.ListAsync("many", default)).Count);
        Assert.Null(await models.PromoteAsync("many", (await EndedAsync(RunState.Failed)).Checkpoint, "", "ada", default));
        Assert.Null(await models.PromoteAsync("many", Guid.NewGuid(), "", "ada", default));
    }

    [Fact]
    public async Task A_log_keeps_its_newest_lines_and_takes_nothing_from_a_lost_lease()
    {
        var run = await storage.LeaseAsync();
        var logs = storage.Get<RunLogStore>();
        await run.AppendLogAsync(1, ["one", "two\0"], default);
        await run.AppendLogAsync(2, ["three"], default);
        var all = await logs.ReadAsync(run.Lease.RunId, null, 0, 10, default);
        Assert.Equal([(1, "one"), (1, "two "), (2, "three")], all.Select(l => (l.Attempt, l.Text)));
        Assert.Equal(["three"], (await logs.ReadAsync(run.Lease.RunId, null, all[1].Seq, 10, default)).Select(l => l.Text));
        Assert.Equal(["three"], (await logs.ReadAsync(run.Lease.RunId, 2, 0, 10, default)).Select(l => l.Text));
        Assert.Equal(["one"], (await logs.ReadAsync(run.Lease.RunId, null, 0, 1, default)).Select(l => l.Text));
        await run.AppendLogAsync(3, [.. Enumerable.Range(0, LeasedRun.MostLogLines).Select(i => $"{i}")], default);
        all = await logs.ReadAsync(run.Lease.RunId, null, 0, 10_000, default);
        Assert.Equal((LeasedRun.MostLogLines, "0"), (all.Count, all[0].Text));
        await run.HandBackAsync(default);
        await Assert.ThrowsAsync<LeaseLostException>(() => run.AppendLogAsync(1, ["late"], default));
    }
}

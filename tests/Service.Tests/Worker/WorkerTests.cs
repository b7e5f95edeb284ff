using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Workers;

public class WorkerTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    readonly string _pool = Fresh("pool");

    [Fact]
    public async Task A_run_succeeds_with_result_checkpoint_points_and_the_facts_of_its_attempt()
    {
        using var worker = fixture.Start(_pool);
        var id = await fixture.SubmitAsync(_pool, 200);
        var run = await fixture.EndAsync(id);
        Assert.True(run.State == RunState.Succeeded, $"{run.State}: {run.ErrorDetail}\n{worker.Log}");
        await fixture.AssertEveryStepOnceAsync(id, 400);
        Assert.Equal(64, (await fixture.FinalSha256Async(id)).Length);
        var facts = Assert.Single(run.Attempts).Facts;
        foreach (var name in (string[])["commit", "host", "os", "runtime", "kernels", "vectorBits", "threads", "seed"])
            Assert.True(facts.TryGetProperty(name, out _), $"{name} is missing in {facts}");
        Assert.Empty(worker.Children);
    }

    [Fact]
    public async Task A_running_run_is_cancelled_at_a_step_boundary_and_keeps_its_points()
    {
        using var worker = fixture.Start(_pool, "--resume-seconds", "1000");
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        await UntilAsync(async () => await fixture.StepAsync(id) > 0, "the first points");
        await fixture.Queue.RequestCancelAsync(id, default);
        var run = await fixture.EndAsync(id);
        Assert.Equal((RunState.Cancelled, "cancelled"), (run.State, Assert.Single(run.Attempts).Outcome));
        var stopped = await fixture.StepAsync(id);
        await fixture.AssertEveryStepOnceAsync(id, stopped);
        Assert.Empty(worker.Children);

        // And goes on from there when it is retried.
        await fixture.Queue.RetryAsync(id, default);
        await UntilAsync(async () => await fixture.StepAsync(id) > stopped, "more points");
        Assert.Equal(stopped, (await fixture.RowAsync(id)).Attempts[1].ResumedFromStep);
        await fixture.Queue.RequestCancelAsync(id, default);
        await fixture.EndAsync(id);
    }

    [Fact]
    public async Task A_specification_that_cannot_be_executed_fails_at_once_with_the_reason()
    {
        using var worker = fixture.Start(_pool);
        // Past the door that would have refused it.
        var wrong = await fixture.Queue.SubmitAsync(
            new NewRun("meta-training", "test", "ada", new JsonObject { ["seed"] = -1 }) { Pool = _pool }, default);
        var run = await fixture.EndAsync(wrong);
        Assert.Equal((RunState.Failed, "invalid-spec"), (run.State, run.ErrorCode));
        Assert.Contains("/seed", run.ErrorDetail);
        Assert.Single(run.Attempts);

        var checkpoint = Guid.NewGuid();
        var orphan = await fixture.SubmitAsync(_pool, 0, kind: "evaluation", spec:
            $$"""{"seed":1,"task":{"type":"quadratic"},"horizon":10,"instances":10,"contestants":[{"checkpoint":"{{checkpoint}}"}]}""");
        run = await fixture.EndAsync(orphan);
        Assert.Equal((RunState.Failed, "checkpoint-missing"), (run.State, run.ErrorCode));
        Assert.Contains(checkpoint.ToString(), run.ErrorDetail);
    }

    [Fact]
    public async Task A_training_whose_values_all_diverge_fails_as_diverged()
    {
        using var worker = fixture.Start(_pool);
        var id = await fixture.SubmitAsync(_pool, 0, spec: """
            {"seed":1,"task":{"type":"quadratic"},"optimizer":{"type":"learnable-sgd","initialLearningRate":100},
             "training":{"horizon":20,"unroll":20,"metaBatch":4,"metaEpochs":60} }
            """);
        var run = await fixture.EndAsync(id);
        Assert.Equal((RunState.Failed, "diverged"), (run.State, run.ErrorCode));
        Assert.Contains("Lower /training/metaOptimizer/learningRate", run.ErrorDetail);
        Assert.Single(run.Attempts);
    }

    [Fact]
    public async Task A_run_whose_dataset_no_worker_has_waits()
    {
        using var worker = fixture.Start(_pool, "--data", TestFolders.New("no-data"));
        var waiting = await fixture.SubmitAsync(_pool, 0, spec:
            """{"seed":1,"task":{"type":"mlp-classification","dataset":"mnist"},"optimizer":{"type":"lstm"}}""");
        // Claimed after it, by the same worker: it was passed over.
        var other = await fixture.SubmitAsync(_pool, 10);
        Assert.Equal(RunState.Succeeded, (await fixture.EndAsync(other)).State);
        Assert.Equal(RunState.Queued, (await fixture.RowAsync(waiting)).State);
        Assert.Contains("dataset 'mnist'", (await fixture.Queue.WhyWaitingAsync(waiting, default))!.Reason);
    }

    [Fact]
    public async Task A_worker_sees_a_dataset_that_is_put_in_its_place_while_it_works()
    {
        var folder = TestFolders.New("late-data");
        using var worker = fixture.Start(_pool, "--data", folder);
        var id = await fixture.SubmitAsync(_pool, 1, spec: """
            {"seed":1,"task":{"type":"character-model","dataset":"text","units":4,"length":4,"batch":2},"optimizer":{"type":"lstm","layers":[3]},
             "training":{"horizon":2,"unroll":2,"metaBatch":1,"metaEpochs":1,"validation":{"instances":1} } }
            """);
        await UntilAsync(async () => (await fixture.Queue.WhyWaitingAsync(id, default))?.Cause == WaitCause.NoDataset,
            "the worker to be seen");
        await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "text")).FullName, "text.txt"),
            string.Concat(Enumerable.Repeat("What is learned is how to learn. ", 1000)));
        var run = await fixture.EndAsync(id);
        Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
    }

    [Fact]
    public async Task Two_workers_execute_50_runs_exactly_once_each()
    {
        using var one = fixture.Start(_pool, "--slots", "2");
        using var other = fixture.Start(_pool, "--slots", "2");
        // Both are there and take runs: these fill all four slots.
        var endless = new List<Guid>();
        for (var i = 0; i < 4; i++) endless.Add(await fixture.SubmitAsync(_pool, 1_000_000));
        await UntilAsync(async () => await fixture.ScalarAsync<long>(
            $"select count(distinct lease_owner) from runs where "
            + $"pool = '{_pool}' having count(*) filter (where state = 'running') = 4") == 2, "both to be busy");
        var runs = new List<Guid>();
        for (var i = 0; i < 50; i++) runs.Add(await fixture.SubmitAsync(_pool, 2, seed: i));
        foreach (var id in endless) await fixture.Queue.RequestCancelAsync(id, default);
        foreach (var id in runs)
        {
            var run = await fixture.EndAsync(id);
            Assert.Equal(RunState.Succeeded, run.State);
            Assert.Single(run.Attempts);
            await fixture.AssertEveryStepOnceAsync(id, 4);
        }
    }

    [Fact]
    public async Task A_stopped_worker_hands_its_run_back_and_another_finishes_it_with_the_same_bits()
    {
        var epochs = await EpochsLastingAsync(TimeSpan.FromSeconds(5));
        using var first = fixture.Start(_pool, "--resume-seconds", "1000");
        var id = await fixture.SubmitAsync(_pool, epochs);
        await UntilAsync(async () => await fixture.StepAsync(id) > 100, "some points");
        first.Signal(WorkerProcess.Term);
        Assert.Equal(0, await first.ExitAsync());
        var handed = await fixture.RowAsync(id);
        Assert.Equal(RunState.Queued, handed.State);
        Assert.Equal(0, handed.Deaths);
        Assert.Equal(await fixture.StepAsync(id), await fixture.ResumeStepAsync(id));

        using var second = fixture.Start(_pool);
        var (resumed, least) = (await fixture.ResumeStepAsync(id), long.MaxValue);
        await UntilAsync(async () =>
        {
            // One that computed from the beginning would replace the points that are there.
            least = Math.Min(least, await fixture.StepAsync(id));
            return (await fixture.RowAsync(id)).State == RunState.Succeeded;
        }, "the second worker");
        Assert.Equal(resumed, least);
        Assert.Equal(resumed, (await fixture.RowAsync(id)).Attempts[^1].ResumedFromStep);
        await fixture.AssertEveryStepOnceAsync(id, 2 * epochs);
        var undisturbed = await fixture.SubmitAsync(_pool, epochs);
        await fixture.EndAsync(undisturbed);
        Assert.Equal(await fixture.FinalSha256Async(undisturbed), await fixture.FinalSha256Async(id));
    }

    [Fact]
    public async Task A_run_that_dies_three_times_without_a_new_resume_point_fails_with_the_reason()
    {
        using var worker = fixture.Start(_pool, "--resume-seconds", "1000");
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        var killed = new HashSet<int>();
        await UntilAsync(async () =>
        {
            foreach (var child in worker.Children)
                if (killed.Add(child)) WorkerProcess.SignalProcess(child, WorkerProcess.Kill);
            return (await fixture.RowAsync(id)).State == RunState.Failed;
        }, "the third death");
        var run = await fixture.RowAsync(id);
        Assert.Equal(("died", 3), (run.ErrorCode, run.Attempts.Count));
        Assert.Contains("signal 9", run.ErrorDetail);
    }

    [Fact]
    public async Task A_child_that_somebody_else_asks_to_stop_hands_its_run_back_and_goes_on()
    {
        using var worker = fixture.Start(_pool, "--resume-seconds", "1000");
        // One death would be one too many.
        var id = await fixture.SubmitAsync(_pool, 1_000_000, maxDeaths: 1);
        await UntilAsync(async () => await fixture.StepAsync(id) > 0, "the first points");
        WorkerProcess.SignalProcess(Assert.Single(worker.Children), WorkerProcess.Term);
        await UntilAsync(async () => await fixture.RowAsync(id) is { Attempts.Count: 2 } or { State: RunState.Failed },
            "the next attempt");
        var run = await fixture.RowAsync(id);
        Assert.Equal((RunState.Running, 0, "handed-back"), (run.State, run.Deaths, run.Attempts[0].Outcome));
        await fixture.Queue.RequestCancelAsync(id, default);
        Assert.True((await fixture.EndAsync(id)).Attempts[1].ResumedFromStep > 0);
    }

    [Fact]
    public async Task An_evaluation_waits_for_the_training_it_names_and_measures_what_that_learned()
    {
        var training = await fixture.SubmitAsync(_pool, 20);
        var evaluation =
            await fixture.Queue.SubmitAsync(
                new NewRun("evaluation", "test", "ada",
                    SpecReader.Write(Catalog.RunKinds.Read("evaluation", System.Text.Json.JsonElement.Parse(
            $$"""{"seed":1,"task":{"type":"quadratic"},"horizon":10,"instances":10,"contestants":[{"run":"{{training}}"},{"optimizer":{"type":"sgd","learningRate":0.01} }]}"""))))
                { Pool = _pool, Priority = 100, After = [training] }, default);
        using var worker = fixture.Start(_pool);
        var run = await fixture.EndAsync(evaluation);
        Assert.True(run.State == RunState.Succeeded, run.ErrorDetail);
        Assert.True(run.StartedAt >= (await fixture.RowAsync(training)).FinishedAt);
        Assert.Equal("lstm", run.Result!.Value.GetProperty("contestants")[0].GetProperty("name").GetString());
    }

    [Fact]
    public async Task A_paused_run_stops_at_a_resume_point_and_goes_on_from_there_when_it_is_resumed()
    {
        using var worker = fixture.Start(_pool, "--resume-seconds", "1000");
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        await UntilAsync(async () => await fixture.StepAsync(id) > 0, "the first points");
        await fixture.Queue.PauseAsync(id, default);
        await UntilAsync(async () => (await fixture.RowAsync(id)).State == RunState.Queued, "the hand-back");
        var stopped = await fixture.StepAsync(id);
        Assert.Equal((stopped, 0), (await fixture.ResumeStepAsync(id), (await fixture.RowAsync(id)).Deaths));
        // Its worker is free for others, and passes it over.
        Assert.Equal(RunState.Succeeded, (await fixture.EndAsync(await fixture.SubmitAsync(_pool, 2))).State);
        Assert.Equal(RunState.Queued, (await fixture.RowAsync(id)).State);
        await fixture.Queue.ResumeAsync(id, default);
        await UntilAsync(async () => await fixture.StepAsync(id) > stopped, "more points");
        Assert.Equal(stopped, (await fixture.RowAsync(id)).Attempts[1].ResumedFromStep);

        // It yields to a run that came later, and then goes on.
        var later = await fixture.SubmitAsync(_pool, 2);
        await fixture.Queue.YieldAsync(id, default);
        Assert.Equal(RunState.Succeeded, (await fixture.EndAsync(later)).State);
        await UntilAsync(async () => (await fixture.RowAsync(id)).Attempt == 3, "its third attempt");
        await fixture.Queue.RequestCancelAsync(id, default);
        await fixture.EndAsync(id);
    }

    [Fact]
    public async Task A_run_out_of_time_fails_with_its_resume_point_and_goes_on_with_more_time()
    {
        using var worker = fixture.Start(_pool, "--resume-seconds", "1000");
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        await UntilAsync(async () => await fixture.StepAsync(id) > 0, "the first points");
        await fixture.ScalarAsync<int>($"update runs set time_limit = '1 us' where id = '{id}'");
        var run = await fixture.EndAsync(id);
        Assert.Equal((RunState.Failed, "time-limit"), (run.State, run.ErrorCode));
        var stopped = await fixture.ResumeStepAsync(id);
        Assert.Equal(await fixture.StepAsync(id), stopped);
        await fixture.ScalarAsync<int>($"update runs set time_limit = '1 hour' where id = '{id}'");
        await fixture.Queue.RetryAsync(id, default);
        await UntilAsync(async () => await fixture.StepAsync(id) > stopped, "more points");
        await fixture.Queue.RequestCancelAsync(id, default);
        await fixture.EndAsync(id);
    }
}

using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Workers.WorkerFixture;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>What a worker gives its runs: devices, memory; and the log it keeps of them.</summary>
public class ResourceTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    readonly string _pool = Fresh("pool");

    [Fact]
    public async Task Each_slot_has_its_device_and_the_run_sees_no_other()
    {
        using var worker = fixture.Start(_pool, "--devices", "3,GPU-8c2f");
        var runs = new[] { await fixture.SubmitAsync(_pool, 1_000_000), await fixture.SubmitAsync(_pool, 1_000_000) };
        foreach (var run in runs) await UntilAsync(async () => await fixture.StepAsync(run) > 0, "the first points");
        var environments = worker.Children.Select(child => File.ReadAllText($"/proc/{child}/environ").Split('\0')).ToList();
        var seen = environments.Select(e => e.Single(v => v.StartsWith("CUDA_VISIBLE_DEVICES=", StringComparison.Ordinal)));
        Assert.Equal(["CUDA_VISIBLE_DEVICES=3", "CUDA_VISIBLE_DEVICES=GPU-8c2f"], seen.Order());
        // Nor does it know how to reach the database or the server.
        Assert.DoesNotContain(environments.SelectMany(e => e), v =>
            v.StartsWith("METAOPT_DATABASE_URL", StringComparison.Ordinal)
                || v.Contains(WorkerProcess.Secret, StringComparison.Ordinal));
        var facts = new List<string?>();
        foreach (var run in runs) facts.Add((await fixture.RowAsync(run)).Attempts[0].Facts.GetProperty("device").GetString());
        Assert.Equal(["3", "GPU-8c2f"], facts.Order());
        Assert.Equal(2, await fixture.ScalarAsync<int>($"select slots from workers where pool = '{_pool}'"));
    }

    [Fact]
    public async Task A_slot_whose_device_has_too_little_free_memory_claims_nothing()
    {
        // No such device, here or anywhere: nobody knows of any free memory.
        using var worker = fixture.Start(_pool, "--devices", "63", "--device-memory-mb", "1");
        var id = await fixture.SubmitAsync(_pool, 2);
        await UntilAsync(() => Task.FromResult(worker.Log.Contains("Device 63 must have 1 MiB free")), "the worker to say so");
        await UntilAsync(async () => await fixture.ScalarAsync<long>($"select count(*) from workers where pool = '{_pool}'") == 1,
            "it to register all the same");
        Assert.Equal((RunState.Queued, 0), ((await fixture.RowAsync(id)).State, (await fixture.RowAsync(id)).Attempt));
    }

    [Fact]
    public async Task A_run_that_takes_too_much_memory_fails_at_once_and_says_what_to_lower()
    {
        using var worker = fixture.Start(_pool, "--memory-mb", "24");
        var run = await fixture.EndAsync(await fixture.SubmitAsync(_pool, 1_000_000));
        Assert.Equal((RunState.Failed, "out-of-memory"), (run.State, run.ErrorCode));
        Assert.Contains("24 MiB", run.ErrorDetail);
        Assert.Single(run.Attempts);
        using var larger = fixture.Start(_pool + "2", "--memory-mb", "8000");
        Assert.Equal(RunState.Succeeded, (await fixture.EndAsync(await fixture.SubmitAsync(_pool + "2", 20))).State);
    }

    [Fact]
    public async Task The_log_tells_each_attempt_from_its_start_to_its_end()
    {
        using var worker = fixture.Start(_pool, "--resume-seconds", "1000");
        var id = await fixture.SubmitAsync(_pool, 1_000_000);
        await UntilAsync(async () => await fixture.StepAsync(id) > 0, "the first points");
        WorkerProcess.SignalProcess(Assert.Single(worker.Children), WorkerProcess.Kill);
        await UntilAsync(async () => (await fixture.RowAsync(id)).Attempt == 2 && await fixture.StepAsync(id) > 0,
            "the second attempt");
        await fixture.Queue.RequestCancelAsync(id, default);
        await fixture.EndAsync(id);
        var lines = await new RunLogStore(fixture.Source).ReadAsync(id, null, 0, 100, default);
        Assert.Equal([1, 1, 2, 2], lines.Select(l => l.Attempt));
        Assert.Contains("attempt 1 starts at the beginning", lines[0].Text);
        Assert.Contains("attempt 1 ended: died: the child was killed by signal 9", lines[1].Text);
        Assert.Contains("attempt 2 ended: cancelled", lines[3].Text);
    }
}

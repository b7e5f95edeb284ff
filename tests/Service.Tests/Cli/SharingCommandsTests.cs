using MetaOpt.Runs;
using MetaOpt.Service.Tests.Api;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>A grid of runs is queued, put aside and looked at, and what one learned is kept: all from the command line.</summary>
public sealed class SharingCommandsTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    readonly string home = TestFolders.New("sharing");

    async Task<string[]> RunAsync(string arguments, string? input = null)
    {
        var (code, output) = await CommandLine.RunAsync(home, "", arguments, input);
        Assert.True(code == 0, $"{arguments}: {code}\n{output}");
        return output.Trim().Split('\n');
    }

    [Fact]
    public async Task A_grid_is_queued_and_a_run_of_it_paused_resumed_finished_and_promoted()
    {
        await RunAsync($"login {api.App.Urls.First()}", api.AdminToken);
        var file = Path.Combine(home, "grid.json");
        await File.WriteAllTextAsync(file, $$"""{"run":{{ApiFixture.Training}},"grid":[{"field":"/seed","values":[7,8]}]}""");
        var ids = (await RunAsync($"batch {file}")).Select(line => line[..36]).ToList();
        Assert.Equal(2, ids.Distinct().Count());
        // Lists show the end of the id, and every command takes it.
        var (first, second) = (ids[0][^8..], ids[1][^8..]);
        var queue = await RunAsync("queue");
        Assert.All([first, second],
            id => Assert.Contains("no live worker", queue.Single(line => line.StartsWith(id, StringComparison.Ordinal)),
                StringComparison.OrdinalIgnoreCase));
        Assert.Single(await RunAsync("runs"), line => line.StartsWith(first + " ", StringComparison.Ordinal));
        Assert.Contains(await RunAsync($"show {first}"), line => line.Contains(ids[0], StringComparison.Ordinal));

        Assert.Equal(["queued"], await RunAsync($"pause {first}"));
        Assert.Contains("paused", (await RunAsync("queue")).Single(line => line.StartsWith(first, StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Equal(["queued"], await RunAsync($"pause {ids[1]}"));
        Assert.Equal(["queued"], await RunAsync($"resume {first}"));

        var run = await api.ClaimAsync(Guid.Parse(ids[0]));
        Assert.Equal(["running until its next resume point"], await RunAsync($"yield {first}"));
        await run.AppendLogAsync(1, ["hello", "there"], default);
        await run.SaveCheckpointAsync("final", 5, new byte[100], default);
        await run.FinishAsync(RunState.Succeeded, null, null, default);
        var checkpoint = (await RunAsync($"checkpoints {first}"))
            .Single(line => line.Contains("final", StringComparison.Ordinal))[..36];
        Assert.Equal(["mine@1"], await RunAsync($"promote {checkpoint} mine"));
        Assert.StartsWith("mine@1 ", Assert.Single(await RunAsync("models")));
        Assert.Equal([""], await RunAsync($"logs {second}"));
        Assert.Equal(["hello", "there"], (await RunAsync($"logs {first}")).Select(line => line.Split(' ')[^1]));
        Assert.Equal(36, (await RunAsync($"fork {first} --name again"))[0].Length);
    }

    [Fact]
    public async Task Watch_exits_with_what_became_of_a_run_and_lists_and_series_show_its_numbers()
    {
        await RunAsync($"login {api.App.Urls.First()}", api.AdminToken);
        var body = ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, ",\"pool\":\"watched\"");
        var id = await api.SubmitAsync(body);
        var run = await api.ClaimAsync(id, "watched");
        await run.AppendPointsAsync([new("loss", 1, 0.5), new("loss", 2, 0.25)], default);
        await run.SetProgressAsync(new("train", 3, 4, 1, 1), default);
        Assert.Equal(["running, will stop at its next step"], await RunAsync($"cancel {id}"));
        await run.FinishAsync(RunState.Cancelled, null, null, default);
        Assert.Equal((1, true), await WatchAsync(id, "The run cancelled"));

        Assert.Equal(["queued"], await RunAsync($"retry {id}"));
        await (await api.ClaimAsync(id, "watched"))
            .FinishAsync(RunState.Failed, null, new("out-of-memory", "lower metaBatch"), default);
        Assert.Equal((1, true), await WatchAsync(id, "The run failed: lower metaBatch"));
        Assert.Contains(" 75 %",
            Assert.Single(await RunAsync("runs --state failed --owner admin"),
                line => line.Contains($"{id}"[^8..], StringComparison.Ordinal)));
        Assert.Single(await RunAsync("runs --owner nobody"));
        Assert.Equal(2, (await RunAsync("runs --limit 1")).Length);

        Assert.Equal(["queued"], await RunAsync($"retry {id}"));
        await (await api.ClaimAsync(id, "watched")).FinishAsync(RunState.Succeeded, [], null, default);
        Assert.Equal((0, true), await WatchAsync(id, "succeeded  3 of 4 (75 %)"));
        run = await api.ClaimAsync(await api.SubmitAsync(body), "watched");
        await run.AppendPointsAsync([new("loss", 1, 0.5), new("loss", 2, 0.25)], default);
        Assert.Equal(["1\t0.5", "2\t0.25"], await RunAsync($"series {run.Lease.RunId} loss"));
        Assert.Equal(["1\t0.25\t0.5\t0.375"], await RunAsync($"series {run.Lease.RunId} loss --max-points 1"));
        Assert.Matches("^loss +2 points, last step 2$", Assert.Single(await RunAsync($"series {run.Lease.RunId}")));
        await run.FinishAsync(RunState.Cancelled, null, null, default);

        async Task<(int, bool)> WatchAsync(Guid watched, string said)
        {
            var (code, output) = await CommandLine.RunAsync(home, "", $"watch {watched}");
            return (code, output.Contains(said, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_end_of_an_id_that_several_runs_share_is_refused_with_the_candidates()
    {
        await RunAsync($"login {api.App.Urls.First()}", api.AdminToken);
        foreach (var id in (string[])["00000000-0000-7000-8000-0000deadbeef", "00000000-0000-7000-8000-0001deadbeef"])
        {
            var submitted =
                await api.SubmitAsync(ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, ",\"pool\":\"elsewhere\""));
            await using var renamed = api.Database.CreateCommand($"update runs set id = '{id}' where id = '{submitted}'");
            await renamed.ExecuteNonQueryAsync();
        }
        var (code, output) = await CommandLine.RunAsync(home, "", "cancel deadbeef");
        Assert.Equal(1, code);
        Assert.Equal(["Several runs have an id that ends in \"deadbeef\"; give more of it:",
            "00000000-0000-7000-8000-0000deadbeef", "00000000-0000-7000-8000-0001deadbeef"],
            output.Split('\n').Take(3).Select((line, i) => i == 0 ? line : line.Trim().Split(' ')[0])
                .Order(StringComparer.Ordinal).OrderBy(line => line[0] == '0'));
        Assert.Equal(["cancelled"], await RunAsync("cancel 1DEADBEEF"));
        Assert.Contains("No run has an id that ends in \"abcdabcd\"",
            (await CommandLine.RunAsync(home, "", "watch abcdabcd")).Output, StringComparison.Ordinal);
        Assert.Contains("must be a run's id or at least its last 4 characters",
            (await CommandLine.RunAsync(home, "", "logs xyz")).Output, StringComparison.Ordinal);
    }
}

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
        var queue = await RunAsync("queue");
        Assert.All(ids, id => Assert.Contains("no live worker", queue.Single(line => line.StartsWith(id, StringComparison.Ordinal)), StringComparison.OrdinalIgnoreCase));

        Assert.Equal(["queued"], await RunAsync($"pause {ids[0]}"));
        Assert.Contains("paused", (await RunAsync("queue")).Single(line => line.StartsWith(ids[0], StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(["queued"], await RunAsync($"pause {ids[1]}"));
        Assert.Equal(["queued"], await RunAsync($"resume {ids[0]}"));

        var run = await api.ClaimAsync(Guid.Parse(ids[0]));
        Assert.Equal(["running until its next resume point"], await RunAsync($"yield {ids[0]}"));
        await run.AppendLogAsync(1, ["hello", "there"], default);
        await run.SaveCheckpointAsync("final", 5, new byte[100], default);
        await run.FinishAsync(RunState.Succeeded, null, null, default);
        var checkpoint = (await RunAsync($"checkpoints {ids[0]}")).Single(line => line.Contains("final", StringComparison.Ordinal))[..36];
        Assert.Equal(["mine@1"], await RunAsync($"promote {checkpoint} mine"));
        Assert.StartsWith("mine@1 ", Assert.Single(await RunAsync("models")));
        Assert.Equal([""], await RunAsync($"said {ids[1]}"));
        Assert.Equal(["hello", "there"], (await RunAsync($"said {ids[0]}")).Select(line => line.Split(' ')[^1]));
    }
}

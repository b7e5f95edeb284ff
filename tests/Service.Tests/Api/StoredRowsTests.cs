using MetaOpt.Runs;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Whatever rows the database holds, lists show the others and say which they left out.</summary>
public sealed class StoredRowsTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    readonly SmallRuns _small = new(api);

    static readonly string[] s_lists =
    [
        "/api/v1/runs", "/api/v1/queue", "/api/v1/leaderboards", "/api/v1/workers", "/api/v1/catalogue", "/api/v1/models",
        "/api/v1/quotas",
        "/api/v1/users", "/api/v1/audit", "/api/v1/me/tokens", "/api/v1/me/usage", "/api/v1/presets", "/metrics",
    ];

    async Task<Guid> RunningAsync()
    {
        var pool = $"rows-{Guid.NewGuid():N}"[..30];
        var id = await api.SubmitAsync(ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, $",\"pool\":\"{pool}\""));
        await api.ClaimAsync(id, pool);
        return id;
    }

    [Fact]
    public async Task Lists_stay_alive_with_every_kind_of_run_and_every_way_to_name_a_contestant()
    {
        var (runs, contestants) = await _small.ExecuteAllAsync();
        var all = runs[^1];
        foreach (var list in s_lists) Assert.True((await api.Admin.GetAsync(list)).IsSuccessStatusCode, list);
        foreach (var run in runs)
            foreach (var part in (string[])["", "/series", "/checkpoints", "/logs", "/preset"])
                await api.GetAsync($"/api/v1/runs/{run}{part}");
        await api.GetAsync($"/api/v1/compare?runs={string.Join(',', runs.TakeLast(8))}");

        var drawn = await api.GetAsync($"/api/v1/runs/{all}/trajectory");
        Assert.Equal(contestants.Count, drawn["response"]!["updates"]!.AsArray().Count);
        Assert.Empty(drawn["leftOut"]!.AsArray());

        var listed = await api.GetAsync("/api/v1/leaderboards");
        Assert.DoesNotContain(listed["leftOut"]!.AsArray(), left => runs.Contains(Guid.Parse((string)left!["id"]!)));
        var board = listed["items"]!.AsArray().Single(b => (int?)b!["horizon"] == 4 && (int?)b["task"]!["dimensions"] == 2)!;
        // By run, checkpoint and model it is one optimizer.
        Assert.Equal(2, (await api.GetAsync($"/api/v1/leaderboards/{board["id"]}"))["entries"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("spec = '[]'")]
    [InlineData("spec = '\"x\"'")]
    [InlineData("spec = 'null'")]
    [InlineData("spec = '{}'")]
    [InlineData("""spec = '{"task":7,"horizon":"x","instances":[],"contestants":{}}'""")]
    [InlineData("""spec = spec || '{"task":"quadratic"}'""")]
    [InlineData("""spec = spec || '{"horizon":1e99}'""")]
    [InlineData("""spec = spec || '{"contestants":[{"oracle":1}]}'""", false)]
    [InlineData("""spec = spec || '{"contestants":[7]}'""")]
    [InlineData("result = null")]
    [InlineData("result = 'null'")]
    [InlineData("result = '[]'")]
    [InlineData("""result = '{"contestants":{}}'""")]
    [InlineData("""result = '{"contestants":[]}'""")]
    [InlineData("""result = '{"contestants":["x"]}'""")]
    [InlineData("""result = '{"contestants":[{"name":7}]}'""")]
    [InlineData("kind = 'alchemy', spec = '[]'", false)]
    [InlineData("""progress = '"x"'""", false)]
    [InlineData("""progress = '{"secondsLeft":1e999,"stepsPerSecond":"x","done":[],"total":{}}'""", false)]
    [InlineData("""progress = '{"secondsLeft":1e308}'""", false)]
    public async Task A_row_that_cannot_be_read_is_left_out_and_named_and_the_others_stay(string change, bool named = true)
    {
        const string adam = """{"optimizer":{"type":"adam","learningRate":0.1} }""";
        var (good, bad) = (await _small.ExecuteAsync("evaluation", SmallRuns.SpecOf("evaluation", adam)),
            await _small.ExecuteAsync("evaluation", SmallRuns.SpecOf("evaluation", adam)));
        // One that waits and one that runs are in the queue's list.
        var (queued, running) = (await api.SubmitAsync(), await RunningAsync());
        await using (var spoil = api.Database.CreateCommand($"update runs set {change} where id = '{bad}'"))
            await spoil.ExecuteNonQueryAsync();
        if (!change.Contains("result", StringComparison.Ordinal))
        {
            await using var more = api.Database.CreateCommand($"update runs set {change} where id in ('{queued}', '{running}')");
            await more.ExecuteNonQueryAsync();
        }
        await using (var worker = api.Database.CreateCommand(
            """
            insert into workers (name, pool, datasets, facts, first_seen_at, last_seen_at)
            values ('odd', 'cpu', '{}', '[1]', now(), now()), ('odder', 'cpu', '{}', '{"networks":[7,{"name":1},{"name":"n"}]}', now(), now())
            on conflict do nothing
            """))
            await worker.ExecuteNonQueryAsync();
        try
        {
            foreach (var list in s_lists) Assert.True((await api.Admin.GetAsync(list)).IsSuccessStatusCode, list);
            Assert.Contains((await api.GetAsync("/api/v1/runs?limit=200"))["items"]!.AsArray(),
                r => (string?)r!["id"] == bad.ToString());
            foreach (var part in (string[])["", "/series", "/preset", "/trajectory", "/logs"])
                Assert.InRange((int)(await api.Admin.GetAsync($"/api/v1/runs/{bad}{part}")).StatusCode, 200, 499);
            Assert.InRange((int)(await api.Admin.PostAsync($"/api/v1/runs/{bad}/fork", ApiFixture.Json("{}"))).StatusCode, 200,
                499);
            await api.GetAsync($"/api/v1/compare?runs={good},{bad}");
            var boards = await api.GetAsync("/api/v1/leaderboards");
            Assert.Equal(named,
                boards["leftOut"]!.AsArray().Any(r => (string?)r!["id"] == bad.ToString() && ((string)r["reason"]!).Length > 10));
            foreach (var board in boards["items"]!.AsArray()) await api.GetAsync($"/api/v1/leaderboards/{board!["id"]}");
        }
        finally
        {
            await using var remove =
                api.Database.CreateCommand($"delete from runs where id in ('{bad}', '{queued}', '{running}')");
            await remove.ExecuteNonQueryAsync();
        }
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("a%2Fb")]
    [InlineData("a%252Fb")]
    [InlineData("../../checkpoints")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("?x#y")]
    [InlineData("a&name=b+c d")]
    [InlineData("two\r\nlines")]
    [InlineData("\U0001F600")]
    public async Task A_series_is_read_under_its_name_and_never_another_whatever_it_is_called(string name)
    {
        var pool = $"rows-{Guid.NewGuid():N}"[..30];
        var id = await api.SubmitAsync(ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, $",\"pool\":\"{pool}\""));
        var run = await api.ClaimAsync(id, pool);
        string[] names = [name, "a/b", "a%2Fb", "a%252Fb", "b", "checkpoints"];
        await run.AppendPointsAsync([.. names.Distinct().Select((n, i) => new RunEvent.Point(n, 1, n == name ? 7 : 100 + i))],
            default);
        var read = await api.GetAsync($"/api/v1/runs/{id}/series?name={Uri.EscapeDataString(name)}&maxPoints=10");
        Assert.Equal((name, 7), ((string?)read["name"], (double)read["points"]![0]!["value"]!));
        using var client = new MetaOpt.Cli.Client.ApiClient(new Uri(api.App.Urls.First()), api.AdminToken);
        var points = await MetaOpt.Cli.Client.ResultCommands.ReadSeriesAsync(client, id.ToString(), name, 10, default);
        Assert.Equal(7, points.Single().GetProperty("value").GetDouble());
        var compared = await api.GetAsync($"/api/v1/compare?runs={id}&series={Uri.EscapeDataString(name)}");
        Assert.Equal(7, (double)compared["runs"]![0]!["points"]![0]!["value"]!);
        // A path holds every name but those that are steps in it.
        if (name.Split('/').Any(part => part is "." or "..")) return;
        Assert.Equal(7,
            (double)(await api.GetAsync($"/api/v1/runs/{id}/series/{Uri.EscapeDataString(name)}"))["points"]![0]!["value"]!);
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("..")]
    public async Task A_worker_is_drained_whatever_it_is_called(string name)
    {
        await api.App.Services.GetRequiredService<MetaOpt.Storage.RunQueue>()
            .RegisterWorkerAsync(new(name, "rows", [], []), default);
        foreach (var (verb, draining) in new[] { ("drain", true), ("undrain", false) })
        {
            Assert.Equal(204,
                (int)(await api.Admin.PostAsync($"/api/v1/workers:{verb}?name={Uri.EscapeDataString(name)}", null)).StatusCode);
            var worker = (await api.GetAsync("/api/v1/workers"))["items"]!.AsArray().Single(w => (string?)w!["name"] == name)!;
            Assert.Equal(draining, (bool)worker["draining"]!);
        }
        Assert.Equal(404, (int)(await api.Admin.PostAsync("/api/v1/workers:drain?name=nobody", null)).StatusCode);
        Assert.Equal(400, (int)(await api.Admin.PostAsync("/api/v1/workers:drain", null)).StatusCode);
    }
}

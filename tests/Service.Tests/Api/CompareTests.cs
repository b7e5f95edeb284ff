using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>What the dashboard asks of several runs: curves side by side, differences, ranking, and what optimizers do.</summary>
public sealed class CompareTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    int pools;

    /// <summary>A run of a pool of its own, with points, as a worker would have left it.</summary>
    async Task<Guid> RunAsync(string spec, IEnumerable<double> losses, string kind = "meta-training", string series = "meta-loss",
        JsonObject? result = null)
    {
        var pool = $"compare-{Interlocked.Increment(ref pools)}-{Guid.NewGuid():N}"[..30];
        var id = await api.SubmitAsync($$"""{"kind":"{{kind}}","pool":"{{pool}}","spec":{{spec}}}""");
        var run = await api.ClaimAsync(id, pool);
        await run.AppendPointsAsync([.. losses.Select((v, i) => new RunEvent.Point(series, i + 1, v))], default);
        if (result is not null) await run.FinishAsync(RunState.Succeeded, result, null, default);
        return id;
    }

    static string Lstm(int seed, int layers) =>
        $$"""{"seed":{{seed}},"task":{"type":"quadratic"},"optimizer":{"type":"lstm","layers":[{{layers}}]} }""";

    [Fact]
    public async Task Runs_stand_side_by_side_with_exact_statistics_and_their_differences()
    {
        var a = await RunAsync(Lstm(1, 5), Enumerable.Range(1, 3000).Select(i => (double)i));
        var b = await RunAsync(Lstm(2, 7), [8, 2, double.NaN, 5]);
        var answer = await api.GetAsync($"/api/v1/compare?runs={a},{b}&maxPoints=100");
        Assert.Equal("meta-loss", (string?)answer["series"]);
        var runs = answer["runs"]!.AsArray();
        Assert.InRange(runs[0]!["points"]!.AsArray().Count, 50, 100);
        var statistics = runs.Select(r => r!["statistics"]!)
            .Select(s => ((double?)s["final"], (double?)s["lowest"], (double?)s["average"], (long)s["diverged"]!)).ToList();
        Assert.Equal([(3000, 1, 1500.5, 0), (5, 2, 5, 1)], statistics);
        var differences = answer["differences"]!.AsArray()
            .ToDictionary(d => (string)d!["pointer"]!, d => d!["values"]!.ToJsonString());
        Assert.Equal(new Dictionary<string, string> { ["/seed"] = "[1,2]", ["/optimizer/layers"] = "[[5],[7]]" }, differences);

        var deleted = Guid.NewGuid();
        var rest = await api.GetAsync($"/api/v1/compare?runs={a},{deleted},{b}");
        Assert.Equal($"[\"{deleted}\"]", rest["missing"]!.ToJsonString());
        Assert.Equal([a.ToString(), b.ToString()], rest["runs"]!.AsArray().Select(r => (string)r!["id"]!));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?runs=")]
    [InlineData("?runs=x")]
    [InlineData("?runs=00000000-0000-0000-0000-000000000000")]
    public async Task What_is_no_list_of_runs_is_refused(string query) =>
        Assert.Contains((await api.Admin.GetAsync($"/api/v1/compare{query}")).StatusCode,
            new[] { HttpStatusCode.BadRequest, HttpStatusCode.NotFound });

    [Fact]
    public async Task Differences_name_the_innermost_fields_and_entries_of_lists()
    {
        static string Spec(string contestants) => $$"""{"task":{"type":"quadratic"},"contestants":[{{contestants}}] }""";
        const string adam = """{"optimizer":{"type":"adam","learningRate":0.1}}""",
            faster = """{"optimizer":{"type":"adam","learningRate":0.2}}""";
        var ids = await Task.WhenAll(RunAsync(Spec(adam), [1], "evaluation"),
            RunAsync(Spec($"{faster},{adam}"), [1], "evaluation"));
        var found = (await api.GetAsync($"/api/v1/compare?runs={ids[0]},{ids[1]}"))["differences"]!.AsArray();
        Assert.Equal("/contestants/0/optimizer/learningRate", (string?)found[0]!["pointer"]);
        Assert.All(found.Skip(1), d => Assert.StartsWith("/contestants/1/optimizer/", (string?)d!["pointer"]));
        Assert.Contains(found, d => d!["values"]!.ToJsonString() == "[null,0.1]");
        Assert.Equal("[0.1,0.2]", found[0]!["values"]!.ToJsonString());
    }

    [Fact]
    public async Task A_run_is_measured_against_the_preset_that_is_nearest()
    {
        var preset = (await api.GetAsync("/api/v1/presets/learnable"))["trainings"]![0]!["spec"]!.DeepClone();
        preset["seed"] = 5;
        preset["training"]!["unroll"] = 10;
        var id = await api.SubmitAsync(new JsonObject { ["kind"] = "meta-training", ["spec"] = preset }.ToJsonString());
        var nearest = (await api.GetAsync($"/api/v1/runs/{id}/preset"))["nearest"]!;
        Assert.Equal("learnable", (string?)nearest["preset"]);
        var difference = Assert.Single(nearest["differences"]!.AsArray())!;
        Assert.Equal(("/training/unroll", 10, 20),
            ((string?)difference["pointer"], (int)difference["run"]!, (int)difference["preset"]!));
        var other = await api.SubmitAsync(
            """{"kind":"meta-training","spec":{"task":{"type":"ackley"},"optimizer":{"type":"lstm"}}}""");
        Assert.Null((await api.GetAsync($"/api/v1/runs/{other}/preset"))["nearest"]);
    }

    [Fact]
    public async Task An_evaluation_is_measured_against_its_preset_with_its_contestants()
    {
        var preset = await api.GetAsync("/api/v1/presets/learnable");
        var spec = preset["evaluations"]![0]!["spec"]!;
        var learned = preset["trainings"]!.AsArray().SelectMany(t => t!["seeds"]!.AsArray().Select(seed => $"{t["name"]}/{seed}"))
            .ToList();
        var training = await api.SubmitAsync();
        async Task<List<string>> DifferencesAsync(IEnumerable<JsonNode?> contestants)
        {
            var changed = spec.DeepClone();
            (changed["seed"], changed["contestants"]) = (9, new JsonArray([.. contestants.Select(c => c!.DeepClone())]));
            var id = await api.SubmitAsync(
                new JsonObject { ["kind"] = "evaluation", ["pool"] = "nobody", ["spec"] = changed }.ToJsonString());
            var nearest = (await api.GetAsync($"/api/v1/runs/{id}/preset"))["nearest"]!;
            Assert.Equal("learnable", (string?)nearest["preset"]);
            return [.. nearest["differences"]!.AsArray().Select(d => (string)d!["pointer"]!)];
        }
        // What ./metaopt reproduce submits; which checkpoints the learned ones have, no preset can say.
        IEnumerable<JsonNode?> baselines = spec["contestants"]!.AsArray();
        IEnumerable<JsonNode?> all = [
            .. learned.Select(name => new JsonObject { ["name"] = name, ["run"] = training.ToString() }), .. baselines];
        Assert.Empty(await DifferencesAsync(all));
        var slower = baselines.Last()!.DeepClone();
        slower["optimizer"]!["learningRate"] = 0.125;
        Assert.Equal([$"/contestants/{learned.Count + 1}/optimizer/learningRate"],
            await DifferencesAsync([.. all.SkipLast(1), slower]));
        Assert.Equal(learned.Select((_, i) => $"/contestants/{i + 2}/name"), await DifferencesAsync(baselines));
    }

    static JsonObject Contestant(string name, double final, double rate) => new()
    {
        ["name"] = name,
        ["learned"] = false,
        ["finalMean"] = final,
        ["finalMeanCi95"] = new JsonArray(final, final),
        ["averageLoss"] = final,
        ["averageLossCi95"] = new JsonArray(final, final),
        ["learningRate"] = rate,
        ["secondsPerStep"] = 0.5,
        ["diverged"] = 0,
        ["targets"] = new JsonArray(),
    };

    [Fact]
    public async Task A_leaderboard_ranks_each_optimizer_of_a_task_once_with_steps_to_the_target()
    {
        const string task = """{"type":"quadratic","dimensions":7}""";
        static string Spec(int instances, string contestants) =>
            $$"""{"task":{{task}},"horizon":4,"instances":{{instances}},"contestants":[{{contestants}}] }""";
        const string adam = """{"optimizer":{"type":"adam"}}""", sgd = """{"optimizer":{"type":"sgd"}}""";
        await RunAsync(Spec(10, adam), [9, 8, 7, 6], "evaluation", "adam/mean",
            new() { ["contestants"] = new JsonArray(Contestant("adam", 6, 0.1)) });
        var many = await RunAsync(Spec(50, $"{adam},{sgd}"), [9, 3, 2, 1], "evaluation", "adam/mean",
            new()
            {
                ["contestants"] = new JsonArray(Contestant("adam", 1, 0.2), Contestant("sgd", 2, 0.3)),
                ["notes"] = new JsonArray("Not the published mnist.")
            });
        var board = (await api.GetAsync("/api/v1/leaderboards"))["items"]!.AsArray()
            .Single(b => (int?)b!["task"]!["dimensions"] == 7)!;
        var entries = (await api.GetAsync($"/api/v1/leaderboards/{board["id"]}?target=2.5"))["entries"]!.AsArray();
        Assert.Equal(["adam", "sgd"], entries.Select(e => (string)e!["name"]!));
        Assert.Equal((many.ToString(), 3, 1.5),
            ((string?)entries[0]!["run"]!["id"], (int)entries[0]!["stepsToTarget"]!, (double)entries[0]!["secondsToTarget"]!));
        Assert.Null(entries[1]!["stepsToTarget"]);
        Assert.All(entries, e => Assert.Equal("Not the published mnist.", (string?)Assert.Single(e!["notes"]!.AsArray())));
        Assert.Equal(1, (double)(await api.GetAsync($"/api/v1/leaderboards/{board["id"]}"))["target"]!);
        Assert.Equal(HttpStatusCode.NotFound, (await api.Admin.GetAsync("/api/v1/leaderboards/none")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest,
            (await api.Admin.GetAsync($"/api/v1/leaderboards/{board["id"]}?target=x")).StatusCode);
    }

    [Fact]
    public async Task Gradient_descents_response_is_a_line_with_the_found_rate_as_its_slope()
    {
        var id = await RunAsync(
            """{"task":{"type":"rosenbrock"},"horizon":20,"instances":10,"contestants":[{"optimizer":{"type":"sgd"}},{"optimizer":{"type":"adam"}}]}""",
            [1], "evaluation", "sgd/mean",
            new() { ["contestants"] = new JsonArray(Contestant("sgd", 1, 0.0005), Contestant("adam", 1, 0.25)) });
        var answer = await api.GetAsync($"/api/v1/runs/{id}/trajectory?step=5&instance=3");
        var gradient = answer["response"]!["gradient"]!.AsArray().Select(v => (double)v!).ToList();
        var update = answer["response"]!["updates"]![0]!["update"]!.AsArray().Select(v => (double)v!).ToList();
        for (var i = 0; i < gradient.Count; i++)
            Assert.Equal(-0.0005 * gradient[i], update[i], 1e-5 * Math.Abs(gradient[i]) * 0.0005 + 1e-12);
        Assert.Equal((5, 21, 4096),
            (answer["gradients"]!.AsArray().Count, answer["path"]!["paths"]![1]!["x"]!.AsArray().Count,
                answer["path"]!["loss"]!.AsArray().Count));
        Assert.Equal(HttpStatusCode.BadRequest, (await api.Admin.GetAsync($"/api/v1/runs/{id}/trajectory?step=21")).StatusCode);
        Assert.Equal(HttpStatusCode.Conflict,
            (await api.Admin.GetAsync($"/api/v1/runs/{await api.SubmitAsync()}/trajectory")).StatusCode);
    }
}

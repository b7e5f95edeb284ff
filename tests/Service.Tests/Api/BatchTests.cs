using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Grids of runs, models, and logs over HTTP.</summary>
public sealed class BatchTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    const string Run =
        """{"kind":"meta-training","name":"grid","tags":["g"],"spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm","layers":[4,5]}}}""";

    async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(string path, string body, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = ApiFixture.Json(body) };
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        var answer = await api.Admin.SendAsync(request);
        return (answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }

    [Fact]
    public async Task A_grid_becomes_a_run_for_each_combination_once()
    {
        const string body =
            $$"""{"run":{{Run}},"grid":[{"field":"/seed","values":[1,2,3]},{"field":"/training/metaOptimizer/learningRate","values":[0.001,0.01]},{"field":"/optimizer/layers/1","values":[7]}]}""";
        var (status, batch) = await PostAsync("/api/v1/runs:batch", body, "grid-1");
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal(
            ["grid seed=1 learningRate=0.001 1=7", "grid seed=1 learningRate=0.01 1=7", "grid seed=2 learningRate=0.001 1=7"],
            batch["runs"]!.AsArray().Take(3).Select(r => (string)r!["name"]!));
        var listed = (await api.GetAsync($"/api/v1/runs?batch={batch["batch"]}"))["items"]!.AsArray();
        Assert.Equal(batch["runs"]!.AsArray().Select(r => (string)r!["id"]!).Reverse(), listed.Select(r => (string)r!["id"]!));
        var last = (await api.GetAsync($"/api/v1/runs/{listed[0]!["id"]}"))["spec"]!;
        Assert.Equal((3, 0.01, "[4,7]"),
            ((int)last["seed"]!, (double)last["training"]!["metaOptimizer"]!["learningRate"]!,
                last["optimizer"]!["layers"]!.ToJsonString()));
        var again = await PostAsync("/api/v1/runs:batch", body, "grid-1");
        Assert.Equal(batch["runs"]!.ToJsonString(), again.Body["runs"]!.ToJsonString());
    }

    [Theory]
    [InlineData("""[{"field":"/seed","values":[1,-2]}]""", "/grid/0/values/1")]
    [InlineData("""[{"field":"/seeds","values":[1]}]""", "/grid/0/values/0")]
    [InlineData("""[{"field":"/task/type/x","values":[1]}]""", "/grid/0/field")]
    [InlineData("""[{"field":"/optimizer/layers/2","values":[1]}]""", "/grid/0/field")]
    [InlineData("""[{"field":"seed","values":[1]}]""", "/grid/0/field")]
    [InlineData("""[{"field":"/seed","values":[1]},{"field":"/seed","values":[2]}]""", "/grid/1/field")]
    [InlineData("""[{"field":"/seed","values":[]}]""", "/grid/0/values")]
    [InlineData("[]", "/grid")]
    [InlineData("""[{"field":"/seed","values":[1,2]},{"field":"/training/metaEpochs","values":[4,0]}]""", "/grid/1/values/1")]
    public async Task A_wrong_grid_is_refused_whole_with_the_place(string grid, string pointer)
    {
        var tag = Guid.NewGuid().ToString("N");
        var (status, problem) = await PostAsync("/api/v1/runs:batch",
            $$"""{"run":{{Run.Replace("\"g\"", $"\"{tag}\"")}},"grid":{{grid}}}""");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, pointer), (status, (string?)problem["errors"]![0]!["pointer"]));
        var (checkedOnly, same) = await PostAsync("/api/v1/runs:validate-batch", $$"""{"run":{{Run}},"grid":{{grid}}}""");
        Assert.Equal((status, pointer), (checkedOnly, (string?)same["errors"]![0]!["pointer"]));
        Assert.Empty((await api.GetAsync($"/api/v1/runs?tag={tag}"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_grid_is_checked_without_queueing_it()
    {
        var tag = Guid.NewGuid().ToString("N");
        var grid = """[{"field":"/seed","values":[1,2]},{"field":"/training/metaEpochs","values":[10,20,30]}]""";
        var (status, answer) = await PostAsync("/api/v1/runs:validate-batch",
            $$"""{"run":{{Run.Replace("\"g\"", $"\"{tag}\"")}},"grid":{{grid}}}""");
        Assert.Equal((HttpStatusCode.OK, 6), (status, (int?)answer["runs"]));
        Assert.True((double)answer["prediction"]!["seconds"]! >= 0);
        Assert.Empty((await api.GetAsync($"/api/v1/runs?tag={tag}"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_grid_is_bounded_and_a_mistake_in_the_common_part_is_told_there()
    {
        var values = string.Join(",", Enumerable.Range(0, 30));
        var (_, many) = await PostAsync("/api/v1/runs:batch",
            $$"""{"run":{{Run}},"grid":[{"field":"/seed","values":[{{values}}]},{"field":"/training/metaEpochs","values":[{{values}}]}]}""");
        Assert.Contains("900 runs", (string?)many["errors"]![0]!["detail"]);
        var (twice, _) = await PostAsync("/api/v1/runs:batch",
            """{"run":{"kind":"evaluation","spec":{"seed":1,"seed":2}},"grid":[{"field":"/seed","values":[1]}]}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, twice);
        var (_, wrong) = await PostAsync("/api/v1/runs:batch",
            $$"""{"run":{{Run.Replace("[4,5]", "[400]")}},"grid":[{"field":"/seed","values":[1]}]}""");
        Assert.Equal("/run/spec/optimizer/layers/0", (string?)wrong["errors"]![0]!["pointer"]);
    }

    [Fact]
    public async Task A_checkpoint_is_promoted_used_by_its_name_downloaded_and_keeps_its_run()
    {
        var id = await api.SubmitAsync(ApiFixture.Training.Insert(1, "\"pool\":\"models\","));
        var queue = api.App.Services.GetRequiredService<RunQueue>();
        var claim = await queue.ClaimAsync(new WorkerIdentity("m", "models", [], []), TimeSpan.FromMinutes(5), default);
        var run = new LeasedRun(api.Database, claim!.Lease);
        var best = await run.SaveCheckpointAsync("best", 5, [1, 2], default);
        var checkpoint = await run.SaveCheckpointAsync("final", 7, [1, 2, 3], default);
        await run.AppendLogAsync(1, ["hello", "world"], default);
        Assert.Equal(HttpStatusCode.Conflict,
            (await PostAsync($"/api/v1/checkpoints/{checkpoint}/promote", """{"name":"first"}""")).Status);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        Assert.Equal(HttpStatusCode.UnprocessableEntity,
            (await PostAsync($"/api/v1/checkpoints/{checkpoint}/promote", """{"name":"No"}""")).Status);
        foreach (var (promoted, status, version) in new[] { (best, 201, 1), (checkpoint, 201, 2), (checkpoint, 200, 2),
            (best, 200, 1) })
        {
            var answer = await PostAsync($"/api/v1/checkpoints/{promoted}/promote", """{"name":"first"}""");
            Assert.Equal((status, $"first@{version}"), ((int)answer.Status, (string?)answer.Body["id"]));
        }
        Assert.Equal(["first@2", "first@1"],
            (await api.GetAsync("/api/v1/models"))["items"]!.AsArray().Select(m => (string)m!["id"]!));
        Assert.Equal([1, 2, 3], await api.Admin.GetByteArrayAsync("/api/v1/models/first@2/content"));
        Assert.Equal(HttpStatusCode.NotFound, (await api.Admin.GetAsync("/api/v1/models/first@3")).StatusCode);

        const string evaluation =
            """{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{"checkpoint":"first@2"}]}}""";
        var (_, submitted) = await PostAsync("/api/v1/runs", evaluation);
        Assert.Equal(checkpoint.ToString(), (string?)submitted["spec"]!["contestants"]![0]!["checkpoint"]);
        var (refusal, unknown) = await PostAsync("/api/v1/runs", evaluation.Replace("first@2", "first@9"));
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "/spec/contestants/0/checkpoint"),
            (refusal, (string?)unknown["errors"]![0]!["pointer"]));
        var fork = await PostAsync($"/api/v1/runs/{id}/fork", """{"spec":{"start":"first@1"}}""");
        Assert.Equal(best.ToString(), (string?)fork.Body["spec"]!["start"]);
        foreach (var waiting in (string[])[(string)submitted["id"]!, (string)fork.Body["id"]!])
            await queue.RequestCancelAsync(Guid.Parse(waiting), default);

        var kept = await api.Admin.DeleteAsync($"/api/v1/runs/{id}");
        Assert.Equal((HttpStatusCode.Conflict, "promoted"),
            (kept.StatusCode, (string?)JsonNode.Parse(await kept.Content.ReadAsStringAsync())!["code"]));
        foreach (var version in (int[])[1, 2])
            Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync($"/api/v1/models/first@{version}")).StatusCode);

        var log = await api.GetAsync($"/api/v1/runs/{id}/logs");
        Assert.Equal(["hello", "world"], log["items"]!.AsArray().Select(l => (string)l!["text"]!));
        Assert.Equal("world",
            (string?)Assert.Single((await api.GetAsync($"/api/v1/runs/{id}/logs?after={log["items"]![0]!["seq"]}"))["items"]!
                .AsArray())!["text"]);
        Assert.Empty((await api.GetAsync($"/api/v1/runs/{id}/logs?after={log["last"]}"))["items"]!.AsArray());
        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync($"/api/v1/runs/{id}")).StatusCode);
    }
}

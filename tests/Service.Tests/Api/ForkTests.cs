using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Retry, fork, priority, and runs that come after others, over HTTP.</summary>
public sealed class ForkTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    [Fact]
    public async Task A_cancelled_run_is_retried_and_no_other()
    {
        var id = await api.SubmitAsync();
        Assert.Equal((409, "not-retryable"), await ProblemAsync(HttpMethod.Post, $"/api/v1/runs/{id}/retry"));
        await api.Admin.PostAsync($"/api/v1/runs/{id}/cancel", null);
        Assert.Equal("queued", (string?)(await PostAsync($"/api/v1/runs/{id}/retry"))["state"]);
        await api.Admin.PostAsync($"/api/v1/runs/{id}/cancel", null);
        Assert.Equal((404, "not-found"), await ProblemAsync(HttpMethod.Post, $"/api/v1/runs/{Guid.NewGuid()}/retry"));
    }

    [Fact]
    public async Task A_fork_has_the_old_specification_with_the_changes()
    {
        var old = await api.SubmitAsync(ApiFixture.Training.Insert(1, "\"tags\":[\"a\"],\"name\":\"old\",\"priority\":-3,"));
        var fork = await PostAsync($"/api/v1/runs/{old}/fork",
            """{"spec":{"seed":9,"training":{"metaEpochs":7,"metaBatch":null},"optimizer":{"type":"learnable-sgd"}}}""");
        Assert.Equal(("old", 0, old.ToString(), "queued"),
            ((string?)fork["name"], (int)fork["priority"]!, (string?)fork["forkedFrom"], (string?)fork["state"]));
        Assert.Equal((9, 7, 32, "learnable-sgd"), ((int)fork["spec"]!["seed"]!, (int)fork["spec"]!["training"]!["metaEpochs"]!,
            (int)fork["spec"]!["training"]!["metaBatch"]!, (string?)fork["spec"]!["optimizer"]!["type"]));
        Assert.Equal("a", (string?)fork["tags"]![0]);
        Assert.Equal((422, "/spec/training/metaEpochs"),
            await WrongAsync($"/api/v1/runs/{old}/fork", """{"spec":{"training":{"metaEpochs":0}}}"""));
        Assert.Equal((422, "/spec"), await WrongAsync($"/api/v1/runs/{old}/fork", """{"spec":7}"""));
        Assert.Equal((422, "/pool"), await WrongAsync($"/api/v1/runs/{old}/fork", """{"pool":"GPU!"}"""));
        Assert.Equal((422, "/spec/start"),
            await WrongAsync($"/api/v1/runs/{old}/fork", $$"""{"checkpoint":"{{Guid.NewGuid()}}"}"""));
    }

    [Fact]
    public async Task A_fork_begins_with_a_checkpoint_and_an_evaluation_waits_for_its_training()
    {
        await DrainAsync();
        var training = await api.SubmitAsync();
        var run = await api.ClaimAsync(training);
        var checkpoint = await run.SaveCheckpointAsync("final", 7, [1, 2, 3], default);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        var fork = await PostAsync($"/api/v1/runs/{training}/fork", $$"""{"checkpoint":"{{checkpoint}}","name":"on and on"}""");
        Assert.Equal((checkpoint.ToString(), "on and on"), ((string?)fork["spec"]!["start"], (string?)fork["name"]));
        Assert.Equal((409, "needed"), await ProblemAsync(HttpMethod.Delete, $"/api/v1/runs/{training}"));

        var evaluation =
            $$$"""{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{"run":"{{{fork["id"]}}}"},{"optimizer":{"type":"adam"}}]}}""";
        var waiting = await PostAsync("/api/v1/runs", evaluation);
        Assert.Equal((string?)fork["id"], (string?)waiting["after"]![0]);
        Assert.Contains($"waits for run {((string)fork["id"]!)[^8..]}", (string?)waiting["waitingFor"]!["reason"]);
        Assert.Equal((422, "/spec/contestants/0/run"),
            await WrongAsync("/api/v1/runs", evaluation.Replace((string)fork["id"]!, Guid.NewGuid().ToString())));
        Assert.Equal((422, "/spec/contestants/0/run"),
            await WrongAsync("/api/v1/runs", evaluation.Replace((string)fork["id"]!, (string)waiting["id"]!)));
        Assert.Equal((422, "/after/0"),
            await WrongAsync("/api/v1/runs", ApiFixture.Training.Insert(1, $"\"after\":[\"{Guid.NewGuid()}\"],")));
        Assert.Equal((422, "/checkpoint"),
            await WrongAsync($"/api/v1/runs/{waiting["id"]}/fork", $$"""{"checkpoint":"{{checkpoint}}"}"""));

        foreach (var id in (string[])[(string)fork["id"]!, (string)waiting["id"]!])
            await api.Admin.PostAsync($"/api/v1/runs/{id}/cancel", null);
        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync($"/api/v1/runs/{training}")).StatusCode);
        Assert.Equal((409, "input-deleted"), await ProblemAsync(HttpMethod.Post, $"/api/v1/runs/{fork["id"]}/retry"));
    }

    [Fact]
    public async Task The_priority_of_a_waiting_run_is_changed()
    {
        var id = await api.SubmitAsync();
        await api.Admin.PatchAsync($"/api/v1/runs/{id}", ApiFixture.Json("""{"priority":42}"""));
        Assert.Equal(42, (int)(await api.GetAsync($"/api/v1/runs/{id}"))["priority"]!);
        var refused = await api.Admin.PatchAsync($"/api/v1/runs/{id}", ApiFixture.Json("""{"priority":1000}"""));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
    }

    async Task<JsonNode> PostAsync(string path, string? body = null)
    {
        var answer = await api.Admin.PostAsync(path, body is null ? null : ApiFixture.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, $"{path}: {answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    async Task<(int, string?)> ProblemAsync(HttpMethod method, string path)
    {
        var answer = await api.Admin.SendAsync(new HttpRequestMessage(method, path));
        return ((int)answer.StatusCode, (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())?["code"]);
    }

    async Task<(int, string?)> WrongAsync(string path, string body)
    {
        var answer = await api.Admin.PostAsync(path, ApiFixture.Json(body));
        return ((int)answer.StatusCode,
            (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())?["errors"]?[0]?["pointer"]);
    }

    async Task DrainAsync()
    {
        var queue = api.App.Services.GetRequiredService<RunQueue>();
        while ((await api.GetAsync("/api/v1/runs?state=queued&limit=200"))["items"]!.AsArray() is { Count: > 0 } waiting)
            foreach (var run in waiting) await queue.RequestCancelAsync(Guid.Parse((string)run!["id"]!), default);
    }
}

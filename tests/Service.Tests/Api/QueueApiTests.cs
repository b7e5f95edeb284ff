using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>What the queue tells, and who may have how much, over HTTP.</summary>
public sealed class QueueApiTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    RunQueue Queue => api.App.Services.GetRequiredService<RunQueue>();

    async Task<HttpClient> MemberAsync(string name)
    {
        var users = api.App.Services.GetRequiredService<UserStore>();
        var user = await users.CreateUserAsync(name, UserRole.Member, default);
        return api.WithToken((await users.CreateTokenAsync(user.Id, "test", Scopes.All, null, default)).Text);
    }

    static Task<HttpResponseMessage> SubmitAsync(HttpClient client, string more = "\"pool\":\"elsewhere\"") =>
        client.PostAsync("/api/v1/runs", ApiFixture.Json(ApiFixture.Training.Insert(1, more + ",")));

    static async Task<JsonNode> ReadAsync(HttpResponseMessage answer) =>
        JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;

    [Fact]
    public async Task The_queue_tells_each_waiting_runs_position_reason_and_start()
    {
        using var ada = await MemberAsync("ada");
        var ids = new List<string>();
        for (var i = 0; i < 4; i++) ids.Add((string)(await ReadAsync(await SubmitAsync(ada, "\"pool\":\"forecast\"")))["id"]!);
        await Queue.ClaimAsync(new WorkerIdentity("f1", "forecast", [], [], 1), TimeSpan.FromMinutes(5), default);
        await api.Admin.PostAsync($"/api/v1/runs/{ids[1]}/pause", null);

        var queue = await api.GetAsync("/api/v1/queue");
        var items = queue["items"]!.AsArray().Where(i => (string)i!["pool"]! == "forecast").ToList();
        Assert.Equal(["running", "queued", "queued", "queued"], items.Select(i => (string)i!["state"]!));
        Assert.Equal([ids[0], ids[2], ids[3], ids[1]], items.Select(i => (string)i!["id"]!));
        Assert.Equal([1, 2, 3], items.Skip(1).Select(i => (int)i!["waitingFor"]!["position"]!));
        Assert.Equal(["position", "position", "paused"], items.Skip(1).Select(i => (string)i!["waitingFor"]!["cause"]!));
        var (first, second) = ((DateTimeOffset)items[1]!["estimatedStart"]!, (DateTimeOffset)items[2]!["estimatedStart"]!);
        Assert.True(first > TimeProvider.System.GetUtcNow() && second > first, $"{first} {second}");
        Assert.Null(items[3]!["estimatedStart"]);
        var usage = Assert.Single(queue["usage"]!.AsArray(), u => (string)u!["name"]! == "ada")!;
        Assert.Equal((1, 3), ((int)usage["running"]!, (int)usage["queued"]!));
        var pool = Assert.Single(queue["pools"]!.AsArray(), p => (string)p!["name"]! == "forecast")!;
        Assert.Equal((1, 1, 1), ((int)pool["workers"]!, (int)pool["slots"]!, (int)pool["running"]!));

        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.PostAsync("/api/v1/workers/f1/drain", null)).StatusCode);
        Assert.Equal("draining", (string)(await api.GetAsync($"/api/v1/runs/{ids[2]}"))["waitingFor"]!["cause"]!);
        Assert.Equal(HttpStatusCode.Conflict, (await api.Admin.PostAsync($"/api/v1/runs/{ids[2]}/yield", null)).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await api.Admin.PostAsync($"/api/v1/runs/{ids[0]}/yield", null)).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.PostAsync("/api/v1/workers/f1/undrain", null)).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await api.Admin.PostAsync($"/api/v1/runs/{ids[1]}/resume", null)).StatusCode);
    }

    [Fact]
    public async Task A_quota_refuses_what_is_too_much_and_says_what()
    {
        using var bob = await MemberAsync("bob");
        Assert.Equal(HttpStatusCode.OK,
            (await api.Admin.PutAsync("/api/v1/quotas/bob", ApiFixture.Json("""{"queued":1}"""))).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await SubmitAsync(bob)).StatusCode);
        var refused = await SubmitAsync(bob);
        Assert.Equal((HttpStatusCode.Forbidden, "quota-exceeded"),
            (refused.StatusCode, (string?)(await ReadAsync(refused))["code"]));
        Assert.Contains("1 of 1 waiting runs", (string?)(await ReadAsync(refused))["detail"]);
        var own = await ReadAsync(await bob.GetAsync("/api/v1/me/usage"));
        Assert.Equal((1, 1), ((int)own["queued"]!, (int)own["limits"]!["queued"]!));
        Assert.Equal("bob", (string?)(await api.GetAsync("/api/v1/quotas"))["items"]!.AsArray().Single()!["name"]);
        Assert.Equal(HttpStatusCode.NotFound,
            (await api.Admin.PutAsync("/api/v1/quotas/nobody", ApiFixture.Json("{}"))).StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity,
            (await api.Admin.PutAsync("/api/v1/quotas", ApiFixture.Json("""{"running":-1}"""))).StatusCode);
    }

    [Fact]
    public async Task Members_may_make_their_runs_less_urgent_than_others_and_not_more()
    {
        using var eve = await MemberAsync("eve");
        var refused = await SubmitAsync(eve, "\"priority\":1");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "/priority"),
            (refused.StatusCode, (string?)(await ReadAsync(refused))["errors"]![0]!["pointer"]));
        // What only checks says the same.
        var run = ApiFixture.Training.Insert(1, "\"priority\":1,");
        foreach (var (path, body, pointer) in new[]
        {
            ("runs:validate", run, "/priority"),
            ("runs:validate-batch", $$"""{"run":{{run}},"grid":[{"field":"/seed","values":[1]}]}""", "/run/priority"),
            ("runs:batch", $$"""{"run":{{run}},"grid":[{"field":"/seed","values":[1]}]}""", "/run/priority"),
        })
        {
            var answer = await eve.PostAsync($"/api/v1/{path}", ApiFixture.Json(body));
            Assert.Equal((HttpStatusCode.UnprocessableEntity, pointer),
                (answer.StatusCode, (string?)(await ReadAsync(answer))["errors"]![0]!["pointer"]));
        }
        Assert.Equal(HttpStatusCode.OK, (await api.Admin.PostAsync("/api/v1/runs:validate", ApiFixture.Json(run))).StatusCode);
        var id = (string)(await ReadAsync(await SubmitAsync(eve, "\"priority\":-1")))["id"]!;
        Assert.Equal(HttpStatusCode.UnprocessableEntity,
            (await eve.PatchAsync($"/api/v1/runs/{id}", ApiFixture.Json("""{"priority":1}"""))).StatusCode);
        Assert.Equal(HttpStatusCode.OK,
            (await eve.PatchAsync($"/api/v1/runs/{id}", ApiFixture.Json("""{"priority":0,"timeLimitSeconds":60}"""))).StatusCode);
        Assert.Equal(60, (double)(await api.GetAsync($"/api/v1/runs/{id}"))["timeLimitSeconds"]!);
    }
}

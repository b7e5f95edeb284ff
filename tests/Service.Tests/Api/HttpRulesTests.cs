using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Conditional requests, filters by time, and the limit on requests.</summary>
public sealed class HttpRulesTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string header, string value, string? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation(header, value);
        if (body is not null) request.Content = ApiFixture.Json(body);
        return await api.Admin.SendAsync(request);
    }

    async Task<string> TagAsync(string path) => (await api.Admin.GetAsync(path)).Headers.ETag!.Tag;

    /// <summary>Changes that take nothing but their address.</summary>
    static readonly string[] s_bare =
    [
        "/api/v1/runs/{id}/cancel", "/api/v1/runs/{id}/retry", "/api/v1/runs/{id}/pause", "/api/v1/runs/{id}/resume",
        "/api/v1/runs/{id}/yield", "/api/v1/subscriptions/{id}/test",
        "/api/v1/workers/{name}/drain", "/api/v1/workers/{name}/undrain", "/api/v1/workers:drain", "/api/v1/workers:undrain",
    ];

    [Fact]
    public async Task Swagger_says_what_every_change_takes_and_what_its_example_does()
    {
        var paths = JsonNode.Parse(await api.Nobody.GetStringAsync("/swagger/v1/swagger.json"))!["paths"]!.AsObject();
        var changes =
            paths.SelectMany(p => p.Value!.AsObject().Where(o => o.Key is "post" or "put" or "patch")
                .Select(o => (Path: p.Key, Operation: o.Value!))).ToList();
        Assert.Equal(s_bare.Order(StringComparer.Ordinal),
            changes.Where(c => c.Operation["requestBody"] is null).Select(c => c.Path).Order(StringComparer.Ordinal));
        foreach (var (path, operation) in changes.Where(c => c.Operation["requestBody"] is not null))
        {
            var examples = operation["requestBody"]!["content"]!["application/json"]!["examples"]?.AsObject();
            foreach (var (name, example) in examples ?? [])
                Assert.True(((string?)example!["description"])?.Length > 5
                    && (string?)operation["requestBody"]!["description"] == (string?)example["description"], $"{path}: {name}");
            if (path.StartsWith("/api/v1/quotas", StringComparison.Ordinal))
                Assert.StartsWith("WARNING", (string?)operation["requestBody"]!["description"]);
        }
    }

    [Fact]
    public async Task What_the_client_has_is_not_sent_again_however_it_names_it()
    {
        var path = $"/api/v1/runs/{await api.SubmitAsync(Elsewhere)}";
        var tag = await TagAsync(path);
        foreach (var (known, status) in new[]
        {
            (tag, 304), ("*", 304), ($"W/{tag}", 304), ($"\"other\", W/{tag}", 304), ($"\"a\",{tag} , \"b\"", 304),
            ("\"other\"", 200), ($"\"other\", W/\"{tag.Trim('"')}x\"", 200), ("nonsense", 200), (tag.Trim('"'), 200),
        })
            Assert.True(status == (int)(await SendAsync(HttpMethod.Get, path, "If-None-Match", known)).StatusCode, known);
    }

    [Fact]
    public async Task The_tag_covers_what_is_said_of_attempts()
    {
        var id = await api.SubmitAsync();
        var path = $"/api/v1/runs/{id}";
        var queue = api.App.Services.GetRequiredService<RunQueue>();
        var claim = await queue.ClaimAsync(new WorkerIdentity("test", "cpu", [], []), TimeSpan.FromMinutes(5), default);
        Assert.Equal(id, claim!.Lease.RunId);
        var tag = await TagAsync(path);
        await new LeasedRun(api.Database, claim.Lease).BeginAttemptAsync(new JsonObject { ["host"] = "somewhere" }, default);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, path, "If-None-Match", tag)).StatusCode);
        Assert.NotEqual(tag, await TagAsync(path));
        // But nobody changed the run itself: the tag is still good for a change.
        Assert.Equal(HttpStatusCode.OK,
            (await SendAsync(HttpMethod.Patch, path, "If-Match", tag, """{"name":"renamed"}""")).StatusCode);
    }

    [Fact]
    public async Task A_change_of_what_the_client_has_not_seen_is_refused()
    {
        var path = $"/api/v1/runs/{await api.SubmitAsync(Elsewhere)}";
        var old = await TagAsync(path);
        Assert.Equal(HttpStatusCode.OK,
            (await SendAsync(HttpMethod.Patch, path, "If-Match", $"\"x\", {old}", """{"name":"one"}""")).StatusCode);
        foreach (var stale in new[] { old, $"W/{await TagAsync(path)}", "\"0\"", "nonsense" })
        {
            Assert.Equal(HttpStatusCode.PreconditionFailed,
                (await SendAsync(HttpMethod.Patch, path, "If-Match", stale, """{"name":"two"}""")).StatusCode);
            Assert.Equal(HttpStatusCode.PreconditionFailed,
                (await SendAsync(HttpMethod.Post, path + "/cancel", "If-Match", stale)).StatusCode);
            Assert.Equal(HttpStatusCode.PreconditionFailed,
                (await SendAsync(HttpMethod.Delete, path, "If-Match", stale)).StatusCode);
        }
        Assert.Equal(("one", "queued"),
            ((string)(await api.GetAsync(path))["name"]!, (string)(await api.GetAsync(path))["state"]!));
        Assert.Equal(HttpStatusCode.Accepted,
            (await SendAsync(HttpMethod.Post, path + "/cancel", "If-Match", await TagAsync(path))).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(HttpMethod.Delete, path, "If-Match", "*")).StatusCode);
    }

    [Fact]
    public async Task Runs_are_found_by_when_they_were_submitted()
    {
        var tag = Guid.NewGuid().ToString("N");
        var body = Elsewhere.Insert(Elsewhere.Length - 1, $",\"tags\":[\"{tag}\"]");
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++) ids.Add(await api.SubmitAsync(body));
        await using (var age = api.Database.CreateCommand(
            $"update runs set created_at = timestamptz '2026-01-01T00:00:00Z' + interval '1 day' * "
            + $"array_position(array['{string.Join("','", ids)}']::uuid[], id) where '{tag}' = any(tags)"))
            Assert.Equal(3, await age.ExecuteNonQueryAsync());
        async Task<IEnumerable<Guid>> Found(string filter) =>
            (await api.GetAsync($"/api/v1/runs?tag={tag}&{filter}"))["items"]!.AsArray().Select(r => (Guid)r!["id"]!).Reverse();
        Assert.Equal(ids[1..], await Found("createdAfter=2026-01-03T00:00:00Z"));
        Assert.Equal(ids[..1], await Found("createdBefore=2026-01-03"));
        Assert.Equal(ids[1..2], await Found("createdAfter=2026-01-03&createdBefore=2026-01-04T01:00:00%2B02:00"));
        Assert.Equal(ids[1..2], await Found($"id={ids[1].ToString()[^8..]}"));
        Assert.Equal(ids[1..2], await Found($"id={ids[1].ToString().ToUpperInvariant()}"));
        Assert.Empty(await Found($"id={ids[1].ToString()[..8]}"));
        foreach (var wrong in (string[])["abc", "____", "%25%25%25%25", $"0{ids[1]}"])
            Assert.Equal("id",
                (string)JsonNode.Parse(
                    await (await api.Admin.GetAsync($"/api/v1/runs?id={wrong}")).Content.ReadAsStringAsync())!["parameter"]!);
        var refused = await api.Admin.GetAsync("/api/v1/runs?createdAfter=yesterday");
        Assert.Equal("createdAfter", (string)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["parameter"]!);
    }

    [Fact]
    public async Task A_user_who_asks_without_end_is_told_to_wait_and_the_others_are_not()
    {
        var strict = new ApiFixture();
        await strict.StartAsync(await PostgresFixture.CreateDatabaseAsync(), 0, "--METAOPT_MAX_REQUESTS_PER_SECOND=2");
        try
        {
            var users = strict.App.Services.GetRequiredService<UserStore>();
            var ada = await users.CreateUserAsync("ada", UserRole.Viewer, default);
            using var other = strict.WithToken((await users.CreateTokenAsync(ada.Id, "t", Scopes.All, null, default)).Text);
            // Two tokens of one user share the limit.
            using var second = strict.WithToken(await strict.TokenAsync(Scopes.RunsRead));
            var (begun, sent) = (Stopwatch.StartNew(), 0);
            HttpResponseMessage? refused = null;
            for (; refused is null; sent++)
                if (await (sent % 2 == 0 ? strict.Admin : second).GetAsync("/api/v1/me") is { IsSuccessStatusCode: false } answer)
                    refused = answer;
            Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
            // Ten at once, two a second more, and the one that was refused.
            Assert.InRange(sent, 1, 10 + 2 * (begun.Elapsed.TotalSeconds + 1) + 1);
            Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
            Assert.Equal("too-many-requests", (string)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["code"]!);
            Assert.Equal(HttpStatusCode.OK, (await other.GetAsync("/api/v1/me")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await strict.Nobody.GetAsync("/healthz/live")).StatusCode);
        }
        finally
        {
            await strict.DisposeAsync();
        }
    }

    [Fact]
    public async Task Pages_hold_each_run_once_and_a_full_last_page_is_the_last()
    {
        var runs = new List<string>();
        for (var i = 0; i < 4; i++)
            runs.Insert(0, $"{await api.SubmitAsync(Elsewhere.Insert(Elsewhere.Length - 1, ",\"tags\":[\"pages\"]"))}");
        foreach (var limit in (int[])[1, 2, 3, 4, 5])
        {
            var (seen, pages, cursor) = (new List<string>(), 0, "");
            do
            {
                var page = await api.GetAsync($"/api/v1/runs?tag=pages&limit={limit}{cursor}");
                seen.AddRange(page["items"]!.AsArray().Select(r => (string)r!["id"]!));
                cursor = page["nextCursor"] is { } next ? $"&cursor={next}" : null;
                pages++;
            }
            while (cursor is not null);
            Assert.Equal(runs, seen);
            Assert.Equal((4 + limit - 1) / limit, pages);
        }
    }

    [Fact]
    public async Task A_text_in_the_query_has_at_most_200_characters()
    {
        Assert.Equal(HttpStatusCode.OK, (await api.Admin.GetAsync($"/api/v1/runs?owner={new string('a', 200)}")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest,
            (await api.Admin.GetAsync($"/api/v1/runs?owner={new string('a', 201)}")).StatusCode);
    }

    /// <summary>In a pool that no test claims from.</summary>
    static string Elsewhere => ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, ",\"pool\":\"elsewhere\"");
}

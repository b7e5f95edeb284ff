using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using MetaOpt.Api.Schedules;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Schedules;

/// <summary>Schedules over HTTP, and what their occurrences submit.</summary>
public sealed class SchedulesTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    static JsonObject Body(string name, string cron = "0 3 * * *", string missed = "all", string? more = null)
    {
        var body = new JsonObject
        {
            ["name"] = name,
            ["cron"] = cron,
            ["missed"] = missed,
            ["run"] = JsonNode.Parse(ApiFixture.Training)
        };
        body["run"]!["name"] = name;
        foreach (var (field, value) in more is null ? [] : JsonNode.Parse(more)!.AsObject()) body[field] = value?.DeepClone();
        return body;
    }

    static async Task<JsonNode> ReadAsync(HttpResponseMessage answer, int status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode}: {text}");
        return text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!;
    }

    async Task<string> CreateAsync(JsonObject body, HttpClient? by = null) =>
        (string)(await ReadAsync(await (by ?? api.Admin).PostAsync("/api/v1/schedules", ApiFixture.Json(body.ToJsonString())),
            201))["id"]!;

    /// <summary>As if so long an outage had been.</summary>
    Task RewindAsync(string id, string interval) =>
        ExecuteAsync($"update schedules set next_at = next_at - interval '{interval}' where id = '{id}'");

    Task RoundAsync() => ActivatorUtilities.CreateInstance<ScheduleRounds>(api.App.Services).SubmitDueAsync(default);

    async Task<int> RunsAsync(string name) =>
        (int)(await ScalarAsync<long>($"select count(*) from runs where name = '{name}' or name like '{name} %'"));

    async Task<HttpClient> UserAsync(string name, UserRole role = UserRole.Member)
    {
        var users = api.App.Services.GetRequiredService<UserStore>();
        var user = await users.CreateUserAsync(name, role, default);
        return api.WithToken((await users.CreateTokenAsync(user.Id, "test", Scopes.Of(role), null, default)).Text);
    }

    async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = api.Database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    async Task ExecuteAsync(string sql)
    {
        await using var command = api.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    [Fact]
    public async Task A_schedule_is_created_read_changed_and_deleted()
    {
        var created = await api.Admin.PostAsync("/api/v1/schedules",
            ApiFixture.Json(Body("life", more: """{"timeZone":"Europe/Berlin","grid":[{"field":"/seed","values":[1,2]}]}""")
                .ToJsonString()));
        var schedule = await ReadAsync(created, 201);
        var (address, etag) = (created.Headers.Location!.ToString(), created.Headers.ETag!);
        Assert.Equal("life", (string)schedule["run"]!["name"]!);
        Assert.Equal("/seed", (string)schedule["grid"]![0]!["field"]!);
        Assert.Equal(schedule["nextAt"]!.GetValue<DateTimeOffset>(),
            (await api.GetAsync($"{address}/occurrences?limit=1"))["items"]![0]!.GetValue<DateTimeOffset>());
        Assert.Equal(7, (await api.GetAsync($"{address}/occurrences?limit=7"))["items"]!.AsArray().Count);

        using var known = new HttpRequestMessage(HttpMethod.Get, address) { Headers = { IfNoneMatch = { etag } } };
        Assert.Equal(304, (int)(await api.Admin.SendAsync(known)).StatusCode);

        async Task<HttpResponseMessage> PatchAsync(string change, EntityTagHeaderValue? tag = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Patch, address) { Content = ApiFixture.Json(change) };
            if (tag is not null) request.Headers.IfMatch.Add(tag);
            return await api.Admin.SendAsync(request);
        }
        var disabled = await ReadAsync(await PatchAsync("""{"enabled":false,"name":"rests"}""", etag), 200);
        Assert.Equal(("rests", false, null, "0 3 * * *"),
            ((string)disabled["name"]!, (bool)disabled["enabled"]!, disabled["nextAt"], (string)disabled["cron"]!));
        Assert.Empty((await api.GetAsync($"{address}/occurrences"))["items"]!.AsArray());
        await ReadAsync(await PatchAsync("""{"enabled":true}""", etag), 412);
        var enabled =
            await ReadAsync(
                await PatchAsync(
                    """{"enabled":true,"missed":"none","run":{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm"}}}}"""), 200);
        Assert.Equal((true, null), (enabled["nextAt"] is not null, enabled["grid"]));
        Assert.Equal("schedule.change",
            (string)(await api.GetAsync($"/api/v1/audit?subject={schedule["id"]}"))["items"]![0]!["action"]!);

        Assert.Equal(204, (int)(await api.Admin.DeleteAsync(address)).StatusCode);
        Assert.Equal(404, (int)(await api.Admin.GetAsync(address)).StatusCode);
    }

    [Fact]
    public async Task Lists_go_on_by_cursor()
    {
        using var lister = await UserAsync("lister");
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Insert(0, await CreateAsync(Body($"list-{i}", more: i == 0 ? """{"enabled":false}""" : null), lister));
        var (found, cursor) = (new List<string>(), "");
        do
        {
            var page = await api.GetAsync(
                $"/api/v1/schedules?owner=lister&limit=2{(cursor.Length > 0 ? "&cursor=" + cursor : "")}");
            found.AddRange(page["items"]!.AsArray().Select(s => (string)s!["id"]!));
            cursor = (string?)page["nextCursor"] ?? "";
        }
        while (cursor.Length > 0);
        Assert.Equal(ids, found);
        Assert.Equal(ids[^1],
            (string)(await api.GetAsync("/api/v1/schedules?owner=lister&enabled=false"))["items"]!.AsArray().Single()!["id"]!);
    }

    [Fact]
    public async Task What_is_wrong_is_told_with_its_pointer()
    {
        var grid = new JsonObject
        {
            ["grid"] = new JsonArray(
            new JsonObject
            {
                ["field"] = "/seed",
                ["values"] = new JsonArray([.. Enumerable.Range(0, 500).Select(i => (JsonNode)i)])
            }, new JsonObject { ["field"] = "/task/dimensions", ["values"] = new JsonArray(2, 3) })
        };
        foreach (var (more, pointer) in new[]
        {
            ("""{"cron":"soon"}""", "/cron"), ("""{"timeZone":"Atlantis/Centre"}""", "/timeZone"),
            ("""{"missed":"some"}""", "/missed"), (grid.ToJsonString(), "/grid"),
            ("""{"run":{"kind":"meta-training","spec":{"task":{"type":"cubic"},"optimizer":{"type":"lstm"}}}}""",
                "/run/spec/task/type"),
            ("""{"run":{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{"checkpoint":"0198c0de-0000-7000-8000-000000000000"}]}}}""", "/run/spec/contestants/0/checkpoint"),
            ("""{"colour":"red"}""", "/colour"),
        })
            foreach (var address in new[] { "/api/v1/schedules", "/api/v1/schedules:validate" })
            {
                var problem = await ReadAsync(
                    await api.Admin.PostAsync(address, ApiFixture.Json(Body("wrong", more: more).ToJsonString())), 422);
                Assert.Contains(pointer, problem["errors"]!.AsArray().Select(e => (string)e!["pointer"]!));
            }
        using var member = await UserAsync("eager");
        var body = Body("wrong");
        body["run"]!["priority"] = 5;
        Assert.Equal("/run/priority",
            (string)(await ReadAsync(await member.PostAsync("/api/v1/schedules", ApiFixture.Json(body.ToJsonString())),
                422))["errors"]![0]!["pointer"]!);
        var valid = await ReadAsync(
            await api.Admin.PostAsync("/api/v1/schedules:validate", ApiFixture.Json(Body("right").ToJsonString())), 200);
        Assert.Equal(5, valid["occurrences"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_user_has_a_bounded_number_of_schedules()
    {
        using var keen = await UserAsync("keen");
        await ExecuteAsync($"""
            insert into schedules (id, name, owner, cron, time_zone, missed, enabled, submission, last_runs, skipped, version)
            select gen_random_uuid(), 's', 'keen', '0 3 * * *', 'UTC', 'one', false, '{"{}"}', array[]::uuid[], 0, 1 from generate_series(2, {ScheduleStore.MostPerOwner})
            """);
        await CreateAsync(Body("last"), keen);
        Assert.Equal("quota-exceeded",
            (string)(await ReadAsync(await keen.PostAsync("/api/v1/schedules", ApiFixture.Json(Body("one more").ToJsonString())),
                403))["code"]!);
    }

    [Theory]
    [InlineData("all", 4, 0)]
    [InlineData("one", 1, 3)]
    [InlineData("none", 0, 4)]
    public async Task Each_occurrence_is_one_run_and_missed_ones_are_made_up_for_as_it_says(string missed, int runs, int skipped)
    {
        var (name, noon) = ($"missed-{missed}", DateTimeOffset.UtcNow.AddHours(-2));
        var id = await CreateAsync(Body(name, $"{noon.Minute} {noon.Hour} * * *", missed));
        await RewindAsync(id, "4 days");
        await Task.WhenAll(RoundAsync(), RoundAsync());
        await RoundAsync();
        Assert.Equal(runs, await RunsAsync(name));
        var schedule = await api.GetAsync($"/api/v1/schedules/{id}");
        Assert.Equal((skipped, null), ((int)schedule["skipped"]!, schedule["lastError"]));
        Assert.True(schedule["nextAt"]!.GetValue<DateTimeOffset>() > DateTimeOffset.UtcNow);
        if (runs > 0) Assert.Equal(name, (string)(await api.GetAsync($"/api/v1/runs/{schedule["lastRuns"]![0]}"))["name"]!);
        // An occurrence stays one run, even if it came again, and whatever the schedule submits by then.
        await ExecuteAsync(
            $"update schedules set submission = jsonb_set(submission, '{"{run,notes}"}', '\"changed\"') where id = '{id}'");
        await RewindAsync(id, "4 days");
        await RoundAsync();
        Assert.Equal(runs, await RunsAsync(name));
        Assert.Null((await api.GetAsync($"/api/v1/schedules/{id}"))["lastError"]);
    }

    [Fact]
    public async Task A_grid_is_submitted_as_a_batch()
    {
        var id = await CreateAsync(Body("grid", more: """{"grid":[{"field":"/seed","values":[1,2,3]}]}"""));
        await RewindAsync(id, "2 days");
        await RoundAsync();
        var schedule = await api.GetAsync($"/api/v1/schedules/{id}");
        Assert.Equal(3, schedule["lastRuns"]!.AsArray().Count);
        Assert.Equal(6, await RunsAsync("grid"));
        Assert.Equal(2L, await ScalarAsync<long>("select count(distinct batch) from runs where name like 'grid %'"));
    }

    [Fact]
    public async Task A_refused_occurrence_says_why_and_the_next_ones_go_on()
    {
        using var limited = await UserAsync("limited");
        var full = await CreateAsync(Body("full"), limited);
        await ReadAsync(await api.Admin.PutAsync("/api/v1/quotas/limited", ApiFixture.Json("""{"queued":1}""")), 200);
        await RewindAsync(full, "3 days");
        using var leaver = await UserAsync("leaver");
        var left = await CreateAsync(Body("left"), leaver);
        await RewindAsync(left, "1 day");
        await ReadAsync(await api.Admin.PatchAsync("/api/v1/users/leaver", ApiFixture.Json("""{"disabled":true}""")), 200);
        using var watcher = await UserAsync("watcher");
        var watches = await CreateAsync(Body("watches"), watcher);
        await RewindAsync(watches, "1 day");
        await ReadAsync(await api.Admin.PatchAsync("/api/v1/users/watcher", ApiFixture.Json("""{"role":"viewer"}""")), 200);
        // A row that no program of ours wrote.
        var broken = await CreateAsync(Body("broken"));
        await ExecuteAsync(
            $"update schedules set time_zone = 'Gone/Away', next_at = now() - interval '1 day' where id = '{broken}'");
        var odd = await CreateAsync(Body("odd"));
        await ExecuteAsync($"update schedules set submission = '{"{}"}', next_at = now() - interval '1 day' where id = '{odd}'");
        await RoundAsync();

        var items = (await api.GetAsync("/api/v1/schedules?limit=200"))["items"]!.AsArray()
            .ToDictionary(s => (string)s!["id"]!, s => (string?)s!["lastError"]);
        Assert.Contains("1 of 1 waiting runs", items[full], StringComparison.Ordinal);
        Assert.Contains("disabled", items[left], StringComparison.Ordinal);
        Assert.Contains("viewer", items[watches], StringComparison.Ordinal);
        Assert.Contains("Gone/Away", items[broken], StringComparison.Ordinal);
        Assert.Equal((1, 0, 0), (await RunsAsync("full"), await RunsAsync("left"), await RunsAsync("watches")));
        Assert.Contains(odd, items.Keys);
        Assert.True(
            (await api.GetAsync($"/api/v1/schedules/{full}"))["nextAt"]!.GetValue<DateTimeOffset>() > DateTimeOffset.UtcNow);

        Assert.Equal(204, (int)(await api.Admin.DeleteAsync("/api/v1/users/leaver")).StatusCode);
        Assert.Equal(404, (int)(await api.Admin.GetAsync($"/api/v1/schedules/{left}")).StatusCode);
    }

    [Fact]
    public async Task Runs_of_a_schedule_are_in_the_audit_trail_as_the_owners()
    {
        using var ada = await UserAsync("ada");
        var id = await CreateAsync(Body("audit"), ada);
        await RewindAsync(id, "1 day");
        await RoundAsync();
        var run = (string)(await api.GetAsync($"/api/v1/schedules/{id}"))["lastRuns"]![0]!;
        var entry = (await api.GetAsync($"/api/v1/audit?subject={run}"))["items"]!.AsArray().Single()!;
        Assert.Equal(("ada", "run.submit"), ((string)entry["actor"]!, (string)entry["action"]!));
    }
}

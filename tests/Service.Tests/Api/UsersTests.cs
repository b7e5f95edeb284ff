using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using static MetaOpt.Service.Tests.Api.ApiFixture;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Administrators look after people; roles bound what tokens can do; every change is in the audit trail.</summary>
public sealed class UsersTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    static int s_count;

    static async Task<JsonNode> BodyAsync(HttpResponseMessage answer, int status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(status == (int)answer.StatusCode, $"{(int)answer.StatusCode} instead of {status}: {text}");
        return JsonNode.Parse(text)!;
    }

    async Task<string> UserAsync(string role)
    {
        var name = $"{role}-{Interlocked.Increment(ref s_count)}";
        await BodyAsync(await api.Admin.PostAsync("/api/v1/users", Json($$"""{"name":"{{name}}","role":"{{role}}"}""")), 201);
        return name;
    }

    async Task<HttpClient> ClientAsync(string name, string body = """{"name":"laptop"}""") =>
        api.WithToken(
            (string)(await BodyAsync(await api.Admin.PostAsync($"/api/v1/users/{name}/tokens", Json(body)), 201))["token"]!);

    Task<HttpResponseMessage> ChangeAsync(string name, string body) => api.Admin.PatchAsync($"/api/v1/users/{name}", Json(body));

    [Fact]
    public async Task A_user_is_added_listed_changed_disabled_and_enabled_again()
    {
        var created = await api.Admin.PostAsync("/api/v1/users", Json("""{"name":"grace.h","weight":2}"""));
        Assert.Equal("/api/v1/users/grace.h", created.Headers.Location!.ToString());
        Assert.Equal("member", (string)(await BodyAsync(created, 201))["role"]!);
        Assert.Equal("name-taken",
            (string)(await BodyAsync(await api.Admin.PostAsync("/api/v1/users", Json("""{"name":"grace.h"}""")), 409))["code"]!);
        Assert.Contains((await api.GetAsync("/api/v1/users"))["items"]!.AsArray(),
            u => (string)u!["name"]! == "grace.h" && (double)u["weight"]! == 2);

        using var grace = await ClientAsync("grace.h");
        Assert.Equal("grace.h", (string)JsonNode.Parse(await grace.GetStringAsync("/api/v1/me"))!["name"]!);
        Assert.Equal(0.5, (double)(await BodyAsync(await ChangeAsync("grace.h", """{"weight":0.5}"""), 200))["weight"]!);
        await BodyAsync(await ChangeAsync("grace.h", """{"disabled":true}"""), 200);
        Assert.Equal(HttpStatusCode.Unauthorized, (await grace.GetAsync("/api/v1/me")).StatusCode);
        await BodyAsync(await ChangeAsync("grace.h", """{"disabled":false}"""), 200);
        Assert.Equal(HttpStatusCode.OK, (await grace.GetAsync("/api/v1/me")).StatusCode);
        Assert.Equal(0.5, (double)(await api.GetAsync("/api/v1/users/grace.h"))["weight"]!);
    }

    [Fact]
    public async Task A_role_bounds_new_tokens_and_also_those_from_before()
    {
        var name = await UserAsync("member");
        var refused = await BodyAsync(
            await api.Admin.PostAsync($"/api/v1/users/{name}/tokens", Json("""{"name":"t","scopes":["admin"]}""")), 422);
        Assert.Equal("/scopes/0", (string)refused["errors"]![0]!["pointer"]!);
        using var client = await ClientAsync(name);
        await BodyAsync(await client.PostAsync("/api/v1/runs", Json(ApiFixture.Training)), 202);

        await BodyAsync(await ChangeAsync(name, """{"role":"viewer"}"""), 200);
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsync("/api/v1/runs", Json(ApiFixture.Training))).StatusCode);
        Assert.Equal("""["runs:read"]""", JsonNode.Parse(await client.GetStringAsync("/api/v1/me"))!["scopes"]!.ToJsonString());
        // Who may only look still looks after tokens of their own.
        var own = await BodyAsync(await client.PostAsync("/api/v1/me/tokens", Json("""{"name":"script"}""")), 201);
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync($"/api/v1/me/tokens/{own["id"]}")).StatusCode);
        await BodyAsync(await ChangeAsync(name, """{"role":"admin"}"""), 200);
        // The token itself was never given the scope.
        Assert.Equal(HttpStatusCode.Forbidden, (await client.GetAsync("/api/v1/users")).StatusCode);
    }

    [Fact]
    public async Task Somebody_stays_administrator()
    {
        Assert.Equal("last-admin", (string)(await BodyAsync(await ChangeAsync("admin", """{"role":"member"}"""), 409))["code"]!);
        Assert.Equal("last-admin", (string)(await BodyAsync(await ChangeAsync("admin", """{"disabled":true}"""), 409))["code"]!);
        var name = await UserAsync("admin");
        using var other = await ClientAsync(name);
        await BodyAsync(await other.PatchAsync("/api/v1/users/admin", Json("""{"role":"member"}""")), 200);
        Assert.Equal(HttpStatusCode.Forbidden, (await api.Admin.GetAsync("/api/v1/users")).StatusCode);
        await BodyAsync(await other.PatchAsync("/api/v1/users/admin", Json("""{"role":"admin"}""")), 200);
        await BodyAsync(await api.Admin.PatchAsync($"/api/v1/users/{name}", Json("""{"disabled":true}""")), 200);
    }

    [Fact]
    public async Task An_administrator_revokes_the_token_of_somebody_else_under_that_name_only()
    {
        var (name, other) = (await UserAsync("member"), await UserAsync("member"));
        using var client = await ClientAsync(name, """{"name":"old laptop","expiresInDays":7}""");
        var token = (await api.GetAsync($"/api/v1/users/{name}/tokens"))["items"]!.AsArray().Single()!;
        Assert.Equal(("old laptop", false), ((string)token["name"]!, (bool)token["session"]!));
        Assert.InRange((DateTimeOffset)token["expiresAt"]!, DateTimeOffset.UtcNow.AddDays(6.9),
            DateTimeOffset.UtcNow.AddDays(7.1));
        Assert.Equal(HttpStatusCode.NotFound,
            (await api.Admin.DeleteAsync($"/api/v1/users/{other}/tokens/{token["id"]}")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/me")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent,
            (await api.Admin.DeleteAsync($"/api/v1/users/{name}/tokens/{token["id"]}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/me")).StatusCode);
    }

    [Fact]
    public async Task A_token_is_refused_once_it_has_expired()
    {
        var name = await UserAsync("member");
        using var client = await ClientAsync(name, """{"name":"t","expiresInDays":1}""");
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/me")).StatusCode);
        await using (var expire = api.Database.CreateCommand(
            $"update tokens set expires_at = expires_at - interval '1 day' where user_id = (select id from users where "
            + $"name = '{name}')"))
            Assert.Equal(1, await expire.ExecuteNonQueryAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/me")).StatusCode);
    }

    [Fact]
    public async Task A_user_is_deleted_with_tokens_and_sessions_while_runs_and_audit_events_stay()
    {
        var name = await UserAsync("admin");
        using var client = await ClientAsync(name);
        var run = await BodyAsync(await client.PostAsync("/api/v1/runs", Json(ApiFixture.Training)), 202);
        await api.Admin.PutAsync($"/api/v1/quotas/{name}", Json("""{"running":1}"""));
        Assert.Equal("own-account", (string)(await BodyAsync(await client.DeleteAsync($"/api/v1/users/{name}"), 409))["code"]!);
        Assert.Equal(HttpStatusCode.NotFound, (await api.Admin.DeleteAsync("/api/v1/users/nobody")).StatusCode);
        // Whoever deletes may have been disabled meanwhile, which only the database knows.
        await using (var disable =
            api.Database.CreateCommand(
                $"update users set disabled_at = now() where role = 'admin' and name not in ('admin', '{name}')"))
            await disable.ExecuteNonQueryAsync();

        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync($"/api/v1/users/{name}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/me")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await api.Admin.GetAsync($"/api/v1/users/{name}")).StatusCode);
        Assert.DoesNotContain((await api.GetAsync("/api/v1/quotas"))["items"]!.AsArray(), q => (string)q!["name"]! == name);
        Assert.Equal(name, (string)(await api.GetAsync($"/api/v1/runs/{run["id"]}"))["owner"]!);
        var events = (await api.GetAsync($"/api/v1/audit?subject={name}"))["items"]!.AsArray();
        Assert.Equal(("user.delete", "admin"), ((string)events[0]!["action"]!, (string)events[0]!["actor"]!));
        Assert.Equal("run.submit", (string)(await api.GetAsync($"/api/v1/audit?actor={name}"))["items"]![0]!["action"]!);
        var users = api.App.Services.GetRequiredService<MetaOpt.Storage.UserStore>();
        await Assert.ThrowsAsync<MetaOpt.Storage.LastAdminException>(
            () => users.DeleteUserAsync("admin", new(name, "user.delete"), default));
        await api.GetAsync("/api/v1/me");
    }

    [Fact]
    public async Task The_audit_trail_is_read_between_times_and_an_empty_change_is_not_an_event()
    {
        var name = await UserAsync("member");
        await ChangeAsync(name, """{"weight":3}""");
        await ChangeAsync(name, """{"weight":3}""");
        await ChangeAsync(name, "{}");
        var events = (await api.GetAsync($"/api/v1/audit?subject={name}"))["items"]!.AsArray();
        Assert.Equal(["user.change", "user.create"], events.Select(e => (string)e!["action"]!));
        var (changed, created) = (Uri.EscapeDataString((string)events[0]!["at"]!),
            Uri.EscapeDataString((string)events[1]!["at"]!));
        async Task<List<string>> Between(string times) =>
            [.. (await api.GetAsync($"/api/v1/audit?subject={name}&{times}"))["items"]!.AsArray()
                .Select(e => (string)e!["action"]!)];
        Assert.Equal(["user.change"], await Between($"from={changed}"));
        Assert.Equal(["user.create"], await Between($"to={changed}"));
        Assert.Equal(["user.create"], await Between($"from={created}&to={changed}"));
        Assert.Equal(HttpStatusCode.BadRequest, (await api.Admin.GetAsync("/api/v1/audit?from=yesterday")).StatusCode);
    }

    [Theory]
    [InlineData("POST", "", """{"role":"member"}""", "/name")]
    [InlineData("PATCH", "/admin", """{"weight":null}""", "/weight")]
    [InlineData("PATCH", "/admin", """{"weight":"abc"}""", "/weight")]
    [InlineData("POST", "", """{"name":"ada","weight":null}""", "/weight")]
    [InlineData("POST", "", """{"name":"ada","weight":"abc"}""", "/weight")]
    [InlineData("POST", "", """{"name":"Ada"}""", "/name")]
    [InlineData("POST", "", """{"name":"a/b"}""", "/name")]
    [InlineData("POST", "", """{"name":"ada","role":"owner"}""", "/role")]
    [InlineData("POST", "", """{"name":"ada","weight":0}""", "/weight")]
    [InlineData("PATCH", "/admin", """{"weight":1001}""", "/weight")]
    [InlineData("PATCH", "/admin", """{"disabled":1}""", "/disabled")]
    [InlineData("PATCH", "/admin", """{"name":"root"}""", "/name")]
    [InlineData("POST", "/admin/tokens", """{"name":"t","expiresInDays":0}""", "/expiresInDays")]
    public async Task A_wrong_field_is_named(string method, string path, string body, string pointer)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), "/api/v1/users" + path) { Content = Json(body) };
        var problem = await BodyAsync(await api.Admin.SendAsync(request), 422);
        Assert.Equal(pointer, (string)problem["errors"]!.AsArray().Single()!["pointer"]!);
    }

    [Fact]
    public async Task Every_change_is_in_the_audit_trail_which_is_read_in_pages()
    {
        var name = await UserAsync("member");
        using var client = await ClientAsync(name);
        var run = await BodyAsync(await client.PostAsync("/api/v1/runs", Json(ApiFixture.Training)), 202);
        await client.PatchAsync($"/api/v1/runs/{run["id"]}", Json("""{"name":"renamed"}"""));
        await client.PostAsync($"/api/v1/runs/{run["id"]}/cancel", null);
        await client.DeleteAsync($"/api/v1/runs/{run["id"]}");
        await ChangeAsync(name, """{"weight":3}""");

        var ofRun = (await api.GetAsync($"/api/v1/audit?subject={run["id"]}&actor={name}"))["items"]!.AsArray();
        Assert.Equal(["run.delete", "run.cancel", "run.change", "run.submit"], ofRun.Select(e => (string)e!["action"]!));
        var ofUser = (await api.GetAsync($"/api/v1/audit?subject={name}"))["items"]!.AsArray();
        Assert.Equal(["user.change", "user.create"], ofUser.Select(e => (string)e!["action"]!));
        Assert.Equal(3, (double)ofUser[0]!["detail"]!["weight"]!);

        List<long> paged = [];
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await api.GetAsync($"/api/v1/audit?actor={name}&limit=3{cursor}");
            paged.AddRange(page["items"]!.AsArray().Select(e => (long)e!["id"]!));
            cursor = page["nextCursor"] is { } next ? $"&cursor={next}" : null;
        }
        Assert.Equal(4, paged.Count);
        Assert.Equal(paged.OrderDescending().Distinct(), paged);
    }
}

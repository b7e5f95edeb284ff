using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Storage;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>A browser signs in with a token and is safe from other sites' pages; its pages are public and strict.</summary>
public sealed class BrowserSessionTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    static HttpRequestMessage Request(HttpMethod method, string path, string? cookie,
        params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path);
        if (cookie is not null) request.Headers.Add("Cookie", cookie);
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return request;
    }

    async Task<HttpResponseMessage> SignInAsync(string token, string path = "/api/v1/session")
    {
        using var request = Request(HttpMethod.Post, path, null, ("X-MetaOpt", "1"));
        request.Content = ApiFixture.Json(new JsonObject { ["token"] = token }.ToJsonString());
        return await api.Nobody.SendAsync(request);
    }

    /// <summary>Name and value of the session's cookie.</summary>
    async Task<string> CookieAsync(string token)
    {
        var answer = await SignInAsync(token);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
    }

    async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path, string? cookie,
        params (string Name, string Value)[] headers)
    {
        using var request = Request(method, path, cookie, headers);
        return (await api.Nobody.SendAsync(request)).StatusCode;
    }

    Task<HttpStatusCode> MeAsync(string cookie) => StatusAsync(HttpMethod.Get, "/api/v1/me", cookie);

    [Fact]
    public async Task A_browser_signs_in_reads_changes_and_signs_out()
    {
        var token = await api.TokenAsync(Scopes.RunsRead, Scopes.RunsWrite);
        var answer = await SignInAsync(token);
        var setCookie = answer.Headers.GetValues("Set-Cookie").Single();
        Assert.Contains("httponly", setCookie);
        Assert.Contains("samesite=strict", setCookie);
        Assert.DoesNotContain("secure", setCookie);
        var expires = DateTimeOffset.Parse(setCookie.Split("expires=")[1].Split(';')[0],
            System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(expires, DateTimeOffset.UtcNow.AddDays(29), DateTimeOffset.UtcNow.AddDays(31));
        Assert.DoesNotContain(token[12..], setCookie);
        Assert.Equal("admin", (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["name"]!);

        var cookie = setCookie.Split(';')[0];
        using var me = Request(HttpMethod.Get, "/api/v1/me", cookie);
        var whoami = JsonNode.Parse(await (await api.Nobody.SendAsync(me)).Content.ReadAsStringAsync())!;
        Assert.Equal([Scopes.RunsRead, Scopes.RunsWrite], whoami["scopes"]!.AsArray().Select(s => (string)s!));
        using var submit = Request(HttpMethod.Post, "/api/v1/runs", cookie, ("X-MetaOpt", "1"));
        submit.Content = ApiFixture.Json(ApiFixture.Training);
        Assert.Equal(HttpStatusCode.Accepted, (await api.Nobody.SendAsync(submit)).StatusCode);

        Assert.Equal(HttpStatusCode.NoContent,
            await StatusAsync(HttpMethod.Delete, "/api/v1/session", cookie, ("X-MetaOpt", "1")));
        Assert.Equal(HttpStatusCode.Unauthorized, await MeAsync(cookie));
        using var again = api.WithToken(token);
        Assert.Equal(HttpStatusCode.OK, (await again.GetAsync("/api/v1/me")).StatusCode);
    }

    [Theory]
    [InlineData(null, null, null, 403)]
    [InlineData("1", null, null, 204)]
    [InlineData("1", "same-origin", null, 204)]
    [InlineData("1", "same-origin", "own", 204)]
    [InlineData("2", "same-origin", "own", 403)]
    [InlineData("1", "same-site", null, 403)]
    [InlineData("1", "cross-site", null, 403)]
    [InlineData("1", null, "https://elsewhere.example", 403)]
    [InlineData("1", null, "null", 403)]
    public async Task A_change_with_the_cookie_is_accepted_from_our_own_pages_only(string? header, string? site, string? origin,
        int status)
    {
        var victim = await api.TokenAsync(Scopes.RunsRead);
        var cookie = await CookieAsync(await api.TokenAsync(Scopes.RunsRead, Scopes.RunsWrite));
        List<(string, string)> headers = [];
        if (header is not null) headers.Add(("X-MetaOpt", header));
        if (site is not null) headers.Add(("Sec-Fetch-Site", site));
        if (origin is not null) headers.Add(("Origin", origin == "own" ? api.App.Urls.First() : origin));
        var path = $"/api/v1/me/tokens/{victim.Split('_')[1]}";
        Assert.Equal(status, (int)await StatusAsync(HttpMethod.Delete, path, cookie, [.. headers]));
        Assert.Equal(status, (int)await StatusAsync(HttpMethod.Delete, "/api/v1/session", cookie, [.. headers]));
        using var client = api.WithToken(victim);
        Assert.Equal(status == 403, (await client.GetAsync("/api/v1/me")).IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_session_ends_with_its_token_and_in_time_and_is_no_bearer_token()
    {
        var token = await api.TokenAsync(Scopes.RunsRead);
        var cookie = await CookieAsync(token);
        var secret = cookie.Split('=')[1];
        using (var bearer = api.WithToken(secret))
            Assert.Equal(HttpStatusCode.Unauthorized, (await bearer.GetAsync("/api/v1/me")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await MeAsync($"metaopt-session={token}"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync(secret)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, await MeAsync(cookie));

        await api.Admin.DeleteAsync($"/api/v1/me/tokens/{token.Split('_')[1]}");
        Assert.Equal(HttpStatusCode.Unauthorized, await MeAsync(cookie));

        var late = await CookieAsync(await api.TokenAsync(Scopes.RunsRead));
        await ExecuteAsync($"update tokens set expires_at = now() where id = '{late.Split('_')[1]}'");
        Assert.Equal(HttpStatusCode.Unauthorized, await MeAsync(late));

        var parent = await api.TokenAsync(Scopes.RunsRead);
        var child = await CookieAsync(parent);
        await ExecuteAsync($"update tokens set expires_at = now() where id = '{parent.Split('_')[1]}'");
        Assert.Equal(HttpStatusCode.Unauthorized, await MeAsync(child));
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync(parent)).StatusCode);
    }

    [Fact]
    public async Task Sessions_are_listed_and_revoked_like_tokens()
    {
        var cookie = await CookieAsync(await api.TokenAsync(Scopes.RunsRead));
        var id = cookie.Split('_')[1];
        var listed = (await api.GetAsync("/api/v1/me/tokens"))["items"]!.AsArray().Single(t => (string)t!["id"]! == id)!;
        Assert.True((bool)listed["session"]!);
        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync($"/api/v1/me/tokens/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await MeAsync(cookie));
    }

    [Fact]
    public async Task Signing_in_is_refused_with_a_wrong_token_without_the_header_and_from_elsewhere()
    {
        Assert.Equal(HttpStatusCode.Unauthorized,
            (await SignInAsync("mo_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await SignInAsync("")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await SignInAsync("x", "/api/v1/session?next=elsewhere")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(HttpMethod.Post, "/api/v1/session", null));
        Assert.Equal(HttpStatusCode.Forbidden,
            await StatusAsync(HttpMethod.Post, "/api/v1/session", null, ("X-MetaOpt", "1"),
                ("Origin", "https://elsewhere.example")));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(HttpMethod.Delete, "/api/v1/session", null));
    }

    [Fact]
    public async Task Pages_are_public_strict_and_not_cached_blindly()
    {
        var answer = await api.Nobody.GetAsync("/robots.txt");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(answer.Headers.CacheControl!.NoCache);
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'; script-src 'self'; style-src 'self'", policy);
        Assert.DoesNotContain("unsafe", policy);
        Assert.Equal(HttpStatusCode.NotFound, (await api.Nobody.GetAsync("/../appsettings.json")).StatusCode);
        Assert.Equal("default-src 'none'; frame-ancestors 'none'",
            (await api.Nobody.GetAsync("/api/v1/me")).Headers.GetValues("Content-Security-Policy").Single());
    }

    async Task ExecuteAsync(string sql)
    {
        await using var command = api.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

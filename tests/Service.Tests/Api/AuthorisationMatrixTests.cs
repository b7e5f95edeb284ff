using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Storage;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>
/// Every route, for everybody: who is refused, and how. Made from the route table: a route without a rule fails, and so does one
/// with a parameter that nobody here knows how to fill.
/// </summary>
public sealed partial class AuthorisationMatrixTests : IAsyncLifetime
{
    /// <summary>Public; reads; writes what is the caller's own; changes what exists; one's own tokens; administration.</summary>
    enum Rule { Public, Read, Submit, Own, Tokens, Admin }

    enum Caller { Nobody, Disabled, Viewer, Reader, Member, Owner, OtherSite, AdminWithoutScope, Admin }

    /// <summary>Refusals of ours; any other answer means that the caller was let through.</summary>
    static readonly string[] s_refusals = ["unauthorized", "forbidden", "not-yours", "missing-header"];

    /// <summary>Changes nothing, though it is posted.</summary>
    static readonly string[] s_reading = ["POST /api/v1/runs:validate", "POST /api/v1/runs:validate-batch",
        "POST /api/v1/schedules:validate"];

    /// <summary>Makes something new of the caller's own from what belongs to somebody.</summary>
    static readonly string[] s_submitting = ["POST /api/v1/runs/{id:guid}/fork"];

    readonly ApiFixture api = new();
    readonly Dictionary<Caller, HttpClient> clients = [];
    Guid checkpoint;

    static Rule RuleOf(string route, bool hasTarget, EndpointMetadataCollection metadata)
    {
        if (metadata.GetMetadata<IAllowAnonymous>() is not null) return Rule.Public;
        var policies = metadata.GetOrderedMetadata<IAuthorizeData>().Select(a => a.Policy).ToList();
        if (policies.Contains(Scopes.Admin)) return Rule.Admin;
        if (policies.Contains("own-tokens")) return Rule.Tokens;
        if (policies.Contains(Scopes.RunsWrite)) return hasTarget && !s_submitting.Contains(route) ? Rule.Own : Rule.Submit;
        Assert.True(policies.Contains(Scopes.RunsRead), $"{route} has no rule: give it RequireAuthorization or AllowAnonymous.");
        Assert.True(route.StartsWith("GET ", StringComparison.Ordinal) || route.StartsWith("HEAD ", StringComparison.Ordinal)
            || s_reading.Contains(route),
            $"{route} changes something, and everybody who reads may: give it RequireAuthorization(Scopes.RunsWrite) or another "
            + "rule.");
        return Rule.Read;
    }

    /// <summary>The refusal's code; null: let through.</summary>
    static string? Expected(Rule rule, Caller caller, bool reads) => (rule, caller) switch
    {
        (Rule.Public, Caller.OtherSite) => reads ? null : "missing-header",
        (Rule.Public, _) => null,
        (_, Caller.Nobody or Caller.Disabled) => "unauthorized",
        (_, Caller.OtherSite) when !reads => "missing-header",
        (Rule.Admin, not Caller.Admin) => "forbidden",
        (Rule.Submit or Rule.Own, Caller.Viewer or Caller.Reader) or (Rule.Tokens, Caller.Reader) => "forbidden",
        (Rule.Own, Caller.Member or Caller.AdminWithoutScope) => "not-yours",
        _ => null,
    };

    public async Task InitializeAsync()
    {
        await api.InitializeAsync();
        var users = api.App.Services.GetRequiredService<UserStore>();
        var admin = (await users.FindUserAsync("admin", default))!;
        var owner = await users.CreateUserAsync("owner", UserRole.Member, default);
        var member = await users.CreateUserAsync("member", UserRole.Member, default);
        var viewer = await users.CreateUserAsync("viewer", UserRole.Viewer, default);
        var disabled = await users.CreateUserAsync("disabled", UserRole.Admin, default);
        async Task<HttpClient> With(User user, IReadOnlyList<string> scopes) =>
            api.WithToken((await users.CreateTokenAsync(user.Id, "test", scopes, null, default)).Text);
        clients[Caller.Nobody] = api.Nobody;
        clients[Caller.Disabled] = await With(disabled, Scopes.All);
        await users.ChangeUserAsync("disabled", new UserChange(null, null, Disabled: true), default);
        // More scopes than the role has: they must not count.
        clients[Caller.Viewer] = await With(viewer, Scopes.All);
        clients[Caller.Member] = await With(member, Scopes.All);
        clients[Caller.Reader] = await With(owner, [Scopes.RunsRead]);
        clients[Caller.Owner] = await With(owner, Scopes.All);
        clients[Caller.AdminWithoutScope] = await With(admin, [Scopes.RunsRead, Scopes.RunsWrite]);
        clients[Caller.Admin] = api.Admin;
        var session = await users.CreateSessionAsync(
            new(owner.Id, owner.Name, owner.Role,
                (await users.CreateTokenAsync(owner.Id, "test", Scopes.All, null, default)).Token.Id, Scopes.All),
            TimeSpan.FromDays(1), default);
        clients[Caller.OtherSite] =
            new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = new Uri(api.App.Urls.First()) };
        clients[Caller.OtherSite].DefaultRequestHeaders.Add("Cookie", $"metaopt-session={session.Text}");

        var run = await SubmitAsync();
        var leased = await api.ClaimAsync(run);
        checkpoint = await leased.SaveCheckpointAsync("final", 1, new byte[100], default);
        await leased.FinishAsync(MetaOpt.Runs.RunState.Succeeded, [], null, default);
    }

    public Task DisposeAsync() => api.DisposeAsync();

    async Task<Guid> SubmitAsync()
    {
        var answer = await clients[Caller.Owner].PostAsync("/api/v1/runs", ApiFixture.Json(ApiFixture.Training));
        return Guid.Parse((string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["id"]!);
    }

    async Task<Guid> SubscriptionAsync()
    {
        var id = Guid.CreateVersion7();
        await using var insert = api.Database.CreateCommand($"""
            insert into subscriptions (id, owner, address, secret, events, wait_minutes, enabled, created_at)
            values ('{id}', 'owner', 'http://127.0.0.1:9/', '', array[]::text[], 60, true, now())
            """);
        await insert.ExecuteNonQueryAsync();
        return id;
    }

    async Task<Guid> ScheduleAsync()
    {
        var id = Guid.CreateVersion7();
        await using var insert = api.Database.CreateCommand($"""
            insert into schedules (id, name, owner, cron, time_zone, missed, enabled, submission, last_runs, skipped, version)
            values ('{id}', 's', 'owner', '0 3 * * *', 'UTC', 'one', false, '{"{}"}', array[]::uuid[], 0, 1)
            """);
        await insert.ExecuteNonQueryAsync();
        return id;
    }

    /// <summary>
    /// An address whose parameters name something of the owner's, made anew: the last call may have deleted it.
    /// </summary>
    async Task<string> AddressAsync(string pattern)
    {
        foreach (var parameter in Parameter().Matches(pattern).Select(m => m.Value))
            pattern = pattern.Replace(parameter,
                (Before: pattern[..pattern.IndexOf(parameter, StringComparison.Ordinal)], parameter) switch
                {
                    { Before: "/api/v1/runs/" } => (await SubmitAsync()).ToString(),
                    { Before: "/api/v1/subscriptions/" } => (await SubscriptionAsync()).ToString(),
                    { Before: "/api/v1/schedules/" } => (await ScheduleAsync()).ToString(),
                    { Before: "/api/v1/checkpoints/" } => checkpoint.ToString(),
                    { Before: "/api/v1/presets/" } => "quadratics",
                    // One of its own each time: it may be deleted.
                    { Before: "/api/v1/users/" } when pattern == "/api/v1/users/{name}" =>
                        (await api.App.Services.GetRequiredService<UserStore>()
                            .CreateUserAsync($"u{Guid.NewGuid():N}", UserRole.Member, default)).Name,
                    { Before: "/api/v1/users/" or "/api/v1/quotas/" } => "owner",
                    { Before: "/api/v1/workers/" } => "test",
                    { Before: "/api/v1/leaderboards/" } => "aaaaaaaaaaaa",
                    { Before: "/api/v1/models/" } => "model",
                    { parameter: "{version:int}" } =>
                        $"{(await api.App.Services.GetRequiredService<ModelStore>().PromoteAsync("model", checkpoint, "", "owner", default))!.Version}",
                    { Before: var before } when before.EndsWith("/tokens/", StringComparison.Ordinal) => "aaaaaaaa",
                    { Before: var before } when before.EndsWith("/series/", StringComparison.Ordinal) => "meta-loss",
                    var other => throw new InvalidOperationException($"Say here what {other.parameter} of {pattern} stands for."),
                });
        return pattern;
    }

    [Fact]
    public async Task Everybody_is_let_in_where_the_rules_say_so_and_nowhere_else()
    {
        var paths = JsonNode.Parse(await api.Nobody.GetStringAsync("/swagger/v1/swagger.json"))!["paths"]!;
        var wrong = new List<string>();
        var rules = new HashSet<Rule>();
        foreach (var (method, pattern, metadata) in api.Routes())
        {
            var route = $"{method} {pattern}";
            var rule = RuleOf(route, pattern.Contains('{', StringComparison.Ordinal), metadata);
            rules.Add(rule);
            var body = paths[Constraint().Replace(pattern, "}")
                .Replace("{*", "{", StringComparison.Ordinal)]?[method.ToLowerInvariant()]?
                ["requestBody"]?["content"]?["application/json"]?["examples"]?.AsObject().First().Value!["value"]!.ToJsonString();
            foreach (var caller in Enum.GetValues<Caller>())
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), await AddressAsync(pattern));
                if (body is not null) request.Content = ApiFixture.Json(body);
                // A stream would go on; what matters is its status.
                using var answer = await clients[caller].SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                var code = await CodeAsync(method, answer);
                var expected = Expected(rule, caller, method is "GET" or "HEAD");
                // Signing in and out asks for the header from everybody.
                if (pattern == "/api/v1/session") expected = "missing-header";
                if ((s_refusals.Contains(code) ? code : null) != expected || (int)answer.StatusCode >= 500)
                    wrong.Add($"{route} ({rule}) for {caller}: {(int)answer.StatusCode} {code}, expected {expected ?? "to be let in"}");
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.Equal(Enum.GetValues<Rule>(), rules.Order());
    }

    /// <summary>They are a middleware, and so in no route table.</summary>
    [Fact]
    public async Task Hangfires_pages_are_for_administrators_only()
    {
        foreach (var address in new[] { "/hangfire", "/hangfire/recurring", "/hangfire/jobs/succeeded", "/hangfire/servers" })
            foreach (var caller in Enum.GetValues<Caller>())
            {
                using var answer = await clients[caller].GetAsync(address);
                var expected = caller switch { Caller.Admin => 200, Caller.Nobody or Caller.Disabled => 401, _ => 403 };
                Assert.True((int)answer.StatusCode == expected,
                    $"{address} for {caller}: {(int)answer.StatusCode}, expected {expected}");
            }
    }

    [Fact]
    public async Task No_route_takes_a_query_parameter_that_it_does_not_know()
    {
        var wrong = new List<string>();
        foreach (var (method, pattern, _) in api.Routes().Where(r => r.Pattern.StartsWith("/api/", StringComparison.Ordinal)))
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), await AddressAsync(pattern) + "?colour=red");
            using var answer = await api.Admin.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            if ((int)answer.StatusCode != 400) wrong.Add($"{method} {pattern}: {(int)answer.StatusCode}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>Code of a problem; the answer to HEAD has none, and its status says it.</summary>
    static async Task<string?> CodeAsync(string method, HttpResponseMessage answer) =>
        answer.Content.Headers.ContentType?.MediaType != "application/problem+json" ? null
        : method != "HEAD" ? (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"]
        : (int)answer.StatusCode == 401 ? "unauthorized" : (int)answer.StatusCode == 403 ? "forbidden" : null;

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Parameter();

    [GeneratedRegex(@":[^}/]+\}")]
    private static partial Regex Constraint();
}

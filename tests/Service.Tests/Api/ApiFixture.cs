using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Api;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>The real API on a port of its own, over a migrated database of its own.</summary>
public sealed class ApiFixture : IAsyncLifetime
{
    public WebApplication App { get; private set; } = null!;

    /// <summary>The kinds of runs that it knows.</summary>
    public RunKinds Kinds { get; init; } = Catalog.RunKinds;

    /// <summary>With the administrator's token.</summary>
    public HttpClient Admin { get; private set; } = null!;

    /// <summary>Without a token.</summary>
    public HttpClient Nobody { get; private set; } = null!;

    public string Home { get; } = TestFolders.New("api");

    /// <summary>Text of the administrator's token.</summary>
    public string AdminToken { get; private set; } = "";

    public string ConnectionString { get; private set; } = "";

    public NpgsqlDataSource Database => App.Services.GetRequiredService<NpgsqlDataSource>();

    public async Task InitializeAsync() => await StartAsync(await PostgresFixture.CreateDatabaseAsync());

    public async Task StartAsync(string database, int port = 0, params string[] settings)
    {
        ConnectionString = database;
        App = await ApiHost.BuildAsync([$"--urls=http://127.0.0.1:{port}", $"--METAOPT_DATABASE_URL={database}",
            $"--METAOPT_HOME={Home}", .. settings], Kinds);
        await App.StartAsync();
        Nobody = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = new Uri(App.Urls.First()) };
        AdminToken = (await File.ReadAllTextAsync(Path.Combine(Home, "admin-token"))).Trim();
        Admin = WithToken(AdminToken);
    }

    public HttpClient WithToken(string token)
    {
        var client = new HttpClient { BaseAddress = new Uri(App.Urls.First()) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>A new token of the administrator's with fewer scopes.</summary>
    public async Task<string> TokenAsync(params string[] scopes)
    {
        var body = new JsonObject { ["name"] = "test", ["scopes"] = new JsonArray([.. scopes.Select(s => (JsonNode)s)]) };
        var answer = await Admin.PostAsync("/api/v1/me/tokens", Json(body.ToJsonString()));
        return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["token"]!;
    }

    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public const string Training =
        """{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm"}}}""";

    public async Task<Guid> SubmitAsync(string body = Training)
    {
        var answer = await Admin.PostAsync("/api/v1/runs", Json(body));
        Assert.Equal(202, (int)answer.StatusCode);
        return Guid.Parse((string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["id"]!);
    }

    /// <summary>Claims the next run as a worker would.</summary>
    public async Task<LeasedRun> ClaimAsync(Guid expected, string pool = "cpu")
    {
        var queue = App.Services.GetRequiredService<RunQueue>();
        var claim = await queue.ClaimAsync(new WorkerIdentity("test", pool, [], []), TimeSpan.FromMinutes(5), default);
        Assert.Equal(expected, claim!.Lease.RunId);
        var run = new LeasedRun(Database, claim.Lease);
        await run.BeginAttemptAsync([], default);
        return run;
    }

    public async Task<JsonNode> GetAsync(string path)
    {
        var answer = await Admin.GetAsync(path);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
    }

    /// <summary>Everything that the API answers, from its route table.</summary>
    public IEnumerable<(string Method, string Pattern, EndpointMetadataCollection Metadata)> Routes() =>
        from source in App.Services.GetServices<EndpointDataSource>()
        from endpoint in source.Endpoints.OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods
        select (method, "/" + endpoint.RoutePattern.RawText!.Trim('/'), endpoint.Metadata);

    public async Task DisposeAsync()
    {
        await App.StopAsync();
        await App.DisposeAsync();
        Admin.Dispose();
        Nobody.Dispose();
    }
}

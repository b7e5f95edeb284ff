using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Who gets in, what Swagger promises, and what happens without a database.</summary>
public sealed class DoorTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    [Fact]
    public async Task A_token_has_at_most_its_makers_scopes_hides_its_secret_and_can_be_revoked()
    {
        var text = await api.TokenAsync(Scopes.RunsRead, Scopes.RunsWrite);
        using var client = api.WithToken(text);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/me")).StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity,
            (await client.PostAsync("/api/v1/me/tokens", ApiFixture.Json("""{"name":"more","scopes":["admin"]}"""))).StatusCode);
        var list = (await api.GetAsync("/api/v1/me/tokens")).ToJsonString();
        Assert.DoesNotContain(text[12..], list);
        var id = text.Split('_')[1];
        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync($"/api/v1/me/tokens/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/me")).StatusCode);
    }

    [Fact]
    public void The_first_token_lies_in_a_file_that_only_its_owner_reads() =>
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(api.Home, "admin-token")));

    [Fact]
    public async Task Swagger_holds_every_route_and_its_examples_run_as_they_stand()
    {
        var document = JsonNode.Parse(await api.Nobody.GetStringAsync("/swagger/v1/swagger.json"))!;
        var paths = document["paths"]!.AsObject();
        Assert.Equal(api.Routes().Count(r => r.Pattern.StartsWith("/api/v1/", StringComparison.Ordinal)),
            paths.Where(p => p.Key.StartsWith("/api/", StringComparison.Ordinal)).Sum(p => p.Value!.AsObject().Count));
        var run = await api.SubmitAsync();
        var examples = 0;
        foreach (var (path, operations) in paths)
            foreach (var (method, operation) in operations!.AsObject())
                foreach (var (_, example) in operation!["requestBody"]?["content"]?["application/json"]?["examples"]?.AsObject()
                    ?? [])
                {
                    using var request = new HttpRequestMessage(new HttpMethod(method.ToUpperInvariant()),
                        path.Replace("{id}", run.ToString())
                            .Replace("{name}", path.StartsWith("/api/v1/quotas", StringComparison.Ordinal) ? "admin" : "ada"))
                    {
                        Content = ApiFixture.Json(example!["value"]!.ToJsonString()),
                    };
                    var answer = await api.Admin.SendAsync(request);
                    Assert.True(answer.IsSuccessStatusCode, $"{method} {path}: {await answer.Content.ReadAsStringAsync()}");
                    examples++;
                }
        Assert.True(examples >= 6, $"{examples} examples");
        Assert.Contains("\"maximum\": 4096",
            document["components"]!["schemas"]!["TaskSpec"]!.ToJsonString(new() { WriteIndented = true }));
        Assert.Equal(HttpStatusCode.OK, (await api.Nobody.GetAsync("/swagger/index.html")).StatusCode);
    }

    [Fact]
    public async Task Presets_are_listed_and_read_in_both_sizes()
    {
        var list = await api.GetAsync("/api/v1/presets");
        Assert.Equal(Catalog.Presets.Select(p => p.Name), list["items"]!.AsArray().Select(p => (string)p!["name"]!));
        var (quick, full) = (await api.GetAsync("/api/v1/presets/quadratics"),
            await api.GetAsync("/api/v1/presets/quadratics?size=full"));
        Assert.Equal(("quick", "full"), ((string)quick["size"]!, (string)full["size"]!));
        Assert.Equal((double)list["items"]!.AsArray().Single(p => (string)p!["name"]! == "quadratics")!["minutes"]!["full"]!,
            (double)full["minutes"]!);
        // What it says can be submitted as it stands.
        var submission = new JsonObject { ["kind"] = "meta-training", ["spec"] = quick["trainings"]![0]!["spec"]!.DeepClone() };
        var answer = await api.Admin.PostAsync("/api/v1/runs:validate", ApiFixture.Json(submission.ToJsonString()));
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [Fact]
    public async Task The_catalogue_describes_every_entry_with_sentences_from_the_documentation()
    {
        var catalogue = await api.GetAsync("/api/v1/catalogue");
        Assert.Equal(Catalog.Tasks.Entries.Select(e => e.Name), catalogue["tasks"]!.AsArray().Select(t => (string)t!["name"]!));
        Assert.All(catalogue["optimizers"]!.AsArray().SelectMany(o => o!["fields"]!.AsArray()),
            f => Assert.False(string.IsNullOrEmpty((string?)f!["description"])));
    }

    [Fact]
    public async Task The_catalogue_names_the_networks_that_live_workers_have()
    {
        Assert.Empty((await api.GetAsync("/api/v1/catalogue"))["networks"]!.AsArray());
        foreach (var worker in (string[])["n1", "n2"])
        {
            var facts = JsonNode.Parse(
                $$"""{"networks": [{"name": "lenet", "coordinates": 61706}, {"name": "{{worker}}", "error": "is none."}]}""")!
                .AsObject();
            await api.App.Services.GetRequiredService<RunQueue>()
                .RegisterWorkerAsync(new WorkerIdentity(worker, "networks", ["mnist/lenet"], facts), default);
        }
        var networks = (await api.GetAsync("/api/v1/catalogue"))["networks"]!.AsArray();
        Assert.Equal(["lenet", "n1", "n2"], networks.Select(n => (string)n!["name"]!));
        Assert.Equal(61706, (int)networks[0]!["coordinates"]!);

        var run = await api.SubmitAsync("""
            {"kind": "meta-training", "pool": "networks", "spec": {"task": {"type": "torchscript", "network": "resnet"}, "optimizer": {"type": "lstm"}}}
            """);
        var reason = (string)(await api.GetAsync($"/api/v1/runs/{run}"))["waitingFor"]!["reason"]!;
        Assert.True(reason.Contains("resnet.pt"), reason);
    }

    [Fact]
    public async Task Without_its_database_the_API_answers_503_and_recovers_by_itself()
    {
        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = TestFolders.New("gone") };
        var own = new ApiFixture();
        await own.StartAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default));
        try
        {
            Assert.Equal(HttpStatusCode.OK, (await own.Nobody.GetAsync("/healthz/ready")).StatusCode);
            await EmbeddedPostgres.StopAsync(options, default);
            var answer = await own.Admin.GetAsync("/api/v1/runs");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.NotNull(answer.Headers.RetryAfter);
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await own.Nobody.GetAsync("/healthz/ready")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await own.Nobody.GetAsync("/healthz/live")).StatusCode);
            await EmbeddedPostgres.EnsureStartedAsync(options, default);
            Assert.Equal(HttpStatusCode.OK, (await own.Admin.GetAsync("/api/v1/runs")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await own.Nobody.GetAsync("/healthz/ready")).StatusCode);
        }
        finally
        {
            await own.DisposeAsync();
            await EmbeddedPostgres.StopAsync(options, default);
        }
    }
}

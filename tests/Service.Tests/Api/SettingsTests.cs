using System.Net;
using MetaOpt.Api;
using MetaOpt.Storage;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Where the API listens, whose word it takes, and what it says when an operator is wrong.</summary>
public sealed class SettingsTests
{
    static IConfiguration Configuration(string arguments) =>
        new ConfigurationBuilder().AddCommandLine(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Build();

    [Theory]
    [InlineData("", "http://127.0.0.1:5080")]
    [InlineData("--listen localhost:7000", "http://localhost:7000")]
    [InlineData("--METAOPT_LISTEN [::1]:7000", "http://[::1]:7000")]
    [InlineData("--listen 0.0.0.0:5080 --behind-proxy 10.0.0.7,fd00::/8", "http://0.0.0.0:5080")]
    [InlineData("--listen 0.0.0.0:5443 --certificate /dev/null", "https://0.0.0.0:5443")]
    [InlineData("--urls http://127.0.0.1:0", "http://127.0.0.1:0")]
    public void It_listens_where_it_is_told(string arguments, string urls)
    {
        var configuration = Configuration(arguments);
        ApiSettings.Read(configuration);
        Assert.Equal(urls, configuration["urls"]);
    }

    [Theory]
    [InlineData("--listen 0.0.0.0:5080", "--behind-proxy")]
    [InlineData("--urls http://192.168.0.1:80", "--certificate")]
    [InlineData("--urls http://127.0.0.1:80;http://[::]:80", "[::]:80")]
    [InlineData("--listen lab.example:5080", "lab.example")]
    [InlineData("--listen 0.0.0.0:5080 --behind-proxy everybody", "everybody")]
    [InlineData("--certificate /no/such.pem", "/no/such.pem")]
    [InlineData("--METAOPT_LOG xml", "xml")]
    [InlineData("--METAOPT_MAX_RUN_SECONDS -1", "METAOPT_MAX_RUN_SECONDS")]
    public void It_listens_beyond_this_machine_only_with_a_certificate_or_behind_a_proxy(string arguments, string named) =>
        Assert.Contains(named,
            Assert.Throws<InvalidOperationException>(() => ApiSettings.Read(Configuration(arguments))).Message);

    [Fact]
    public async Task It_watches_no_files_and_starts_where_inotify_instances_are_used_up()
    {
        if (!await TestNamespaces.WorkAsync(TestNamespaces.WithoutInotify)) return;
        // Without a database, which belongs to an account that is nobody in the namespace.
        using var api = new ApiProcess(TestNamespaces.WithoutInotify, "Host=/nowhere;Database=none;Username=none",
            "--urls=http://127.0.0.1:0", "--METAOPT_MIGRATE=0");
        using var http = new HttpClient { BaseAddress = await api.AddressAsync() };
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/healthz/live")).StatusCode);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("10.0.0.0/8", false)]
    public async Task Only_the_proxys_word_makes_a_request_a_secure_one(string proxies, bool believed)
    {
        var api = new ApiFixture();
        await api.StartAsync(await PostgresFixture.CreateDatabaseAsync(), 0, $"--behind-proxy={proxies}");
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/session");
            request.Headers.Add("X-MetaOpt", "1");
            request.Headers.Add("X-Forwarded-Proto", "https");
            request.Headers.Add("X-Forwarded-Host", "lab.example");
            request.Headers.Add("Origin", believed ? "https://lab.example" : api.App.Urls.First());
            request.Content = ApiFixture.Json($$"""{"token":"{{await api.TokenAsync(Scopes.RunsRead)}}"}""");
            var answer = await api.Nobody.SendAsync(request);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            Assert.Equal(believed,
                answer.Headers.GetValues("Set-Cookie").Single().Contains("; secure", StringComparison.Ordinal));
        }
        finally
        {
            await api.DisposeAsync();
        }
    }
}

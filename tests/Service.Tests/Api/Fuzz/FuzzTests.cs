using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using MetaOpt.Api;
using Xunit;
using Xunit.Abstractions;

namespace MetaOpt.Service.Tests.Api.Fuzz;

/// <summary>
/// Generated requests against the API as a process of its own: no 5xx, no fault in its log, no row without an owner, no growing
/// memory. METAOPT_FUZZ_REQUESTS=20000 is the long form; METAOPT_FUZZ_SEED gives other requests.
/// </summary>
public sealed class FuzzTests(PostgresFixture postgres, ITestOutputHelper output) : IClassFixture<PostgresFixture>, IDisposable
{
    const int Warm = 2000;
    const long MostGrowth = 50_000_000;
    static readonly int s_requests = Setting("METAOPT_FUZZ_REQUESTS", 1500), s_seed = Setting("METAOPT_FUZZ_SEED", 1);

    static readonly string[] s_trouble = ["fail:", "crit:", "Unhandled"];

    readonly string home = TestFolders.New("fuzz");
    readonly ConcurrentQueue<string> log = new();
    Process? server;

    static int Setting(string name, int fallback) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : fallback;

    [Fact]
    public async Task Nothing_that_can_be_sent_is_a_fault()
    {
        using var client = await StartAsync();
        var fuzzer = new RequestFuzzer(JsonNode.Parse(await client.GetStringAsync("/swagger/v1/swagger.json"))!, s_seed);
        var statuses = new SortedDictionary<int, int>();
        var faults = new List<string>();
        var (warm, clock) = (0L, Stopwatch.StartNew());
        for (var i = 1; i <= s_requests; i++)
        {
            var request = fuzzer.Next();
            var (status, body) = await SendAsync(client, request);
            statuses[status] = statuses.GetValueOrDefault(status) + 1;
            if (status >= 500) faults.Add($"{i}: {status} {request.Describe()} -> {body}");
            if (status is >= 200 and < 300 && request.Method == HttpMethod.Post && Id(body) is { } id) fuzzer.Know(id);
            if (i == Warm) warm = Memory();
        }
        output.WriteLine(
            $"{s_requests} requests, {fuzzer.Operations} operations, {s_requests / clock.Elapsed.TotalSeconds:F0} a second; "
            + string.Join(", ", statuses.Select(s => $"{s.Key}: {s.Value}")));
        Assert.True(faults.Count == 0, string.Join('\n', faults.Take(20)));
        var logged = log.Where(line => s_trouble.Any(word => line.Contains(word, StringComparison.Ordinal))).ToList();
        Assert.True(logged.Count == 0, string.Join('\n', logged.Take(20)));
        // It reached the other side of the door, too.
        Assert.True(statuses.GetValueOrDefault(202) > 0, "no run was queued");
        Assert.Equal(0L, await OrphansAsync());
        if (s_requests <= Warm) return;
        output.WriteLine($"memory: {warm / 1e6:F0} MB after {Warm}, {Memory() / 1e6:F0} MB in the end");
        Assert.InRange(Memory() - warm, long.MinValue, MostGrowth);
    }

    static async Task<(int Status, string Body)> SendAsync(HttpClient client, FuzzedRequest request)
    {
        using var message = request.ToMessage();
        try
        {
            using var answer = await client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
            // A stream does not end by itself.
            return ((int)answer.StatusCode,
                answer.Content.Headers.ContentType?.MediaType == "text/event-stream"
                    ? ""
                    : await answer.Content.ReadAsStringAsync());
        }
        catch (HttpRequestException refused)
            when (refused.StatusCode is null && refused.InnerException is not System.Net.Sockets.SocketException)
        {
            // The server may end the connection under a body that it does not want to read to its end.
            return (0, refused.Message);
        }
    }

    static string? Id(string body) =>
        body.StartsWith('{') && JsonNode.Parse(body) is JsonObject answer ? (string?)(answer["id"] ?? answer["name"]) : null;

    async Task<HttpClient> StartAsync()
    {
        var start = new ProcessStartInfo("dotnet",
            [typeof(ApiHost).Assembly.Location, "--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = home
        };
        start.Environment["METAOPT_HOME"] = home;
        start.Environment["METAOPT_DATABASE_URL"] = postgres.ConnectionString;
        start.Environment["METAOPT_MAX_REQUESTS_PER_SECOND"] = "1000000";
        start.Environment["Logging__LogLevel__Microsoft.Hosting.Lifetime"] = "Information";
        server = Process.Start(start)!;
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        server.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                address.TrySetException(new InvalidOperationException($"The API ended: {string.Join('\n', log)}"));
            else log.Enqueue(line.Data);
            if (line.Data?.IndexOf("http://127.0.0.1:", StringComparison.Ordinal) is >= 0 and var at)
                address.TrySetResult(line.Data[at..].Trim());
        };
        server.BeginOutputReadLine();
        var client =
            new HttpClient(
                new SocketsHttpHandler { UseCookies = false })
            {
                BaseAddress =
                    new Uri(await address.Task.WaitAsync(TimeSpan.FromMinutes(1)))
            };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer",
            (await File.ReadAllTextAsync(Path.Combine(home, "admin-token"))).Trim());
        return client;
    }

    /// <summary>Resident memory of the API.</summary>
    long Memory()
    {
        server!.Refresh();
        return server.WorkingSet64;
    }

    async Task<long> OrphansAsync()
    {
        await using var count = postgres.DataSource.CreateCommand(
            "select count(*) from runs r where not exists (select from users u where u.name = r.owner)");
        return (long)(await count.ExecuteScalarAsync())!;
    }

    public void Dispose()
    {
        if (server is { HasExited: false }) server.Kill();
        server?.Dispose();
    }
}

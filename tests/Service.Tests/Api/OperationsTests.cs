using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text.Json.Nodes;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>What operators and their programs see: metrics, request ids, compression.</summary>
public sealed class OperationsTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    async Task<Dictionary<string, double>> MetricsAsync()
    {
        var answer = await api.Admin.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        return (await answer.Content.ReadAsStringAsync()).Split('\n').Where(l => l.Length > 0 && l[0] != '#')
            .ToDictionary(l => l[..l.LastIndexOf(' ')],
                l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task Metrics_count_runs_by_state_and_what_waits_by_pool()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, (await api.Nobody.GetAsync("/metrics")).StatusCode);
        var before = await MetricsAsync();
        var body = ApiFixture.Training.Insert(ApiFixture.Training.Length - 1, ",\"pool\":\"shelf\"");
        await api.SubmitAsync(body);
        await api.SubmitAsync(body);
        var after = await MetricsAsync();
        Assert.Equal(before["metaopt_runs{state=\"queued\"}"] + 2, after["metaopt_runs{state=\"queued\"}"]);
        Assert.Equal(2, after["metaopt_queue_depth{pool=\"shelf\"}"]);
        Assert.InRange(after["metaopt_queue_oldest_seconds{pool=\"shelf\"}"], 0, 3600);
        Assert.Equal(0, after["metaopt_attempts_total{outcome=\"lost\"}"]);
        Assert.True(after["process_resident_memory_bytes"] > 1e6);
    }

    [Fact]
    public async Task Metrics_count_every_request_under_its_route()
    {
        const string labels = "{route=\"/api/v1/runs/{id:guid}\",method=\"GET\",status=\"404\"";
        var before = (await MetricsAsync()).GetValueOrDefault($"http_server_request_duration_seconds_count{labels}}}");
        for (var i = 0; i < 3; i++) await api.Admin.GetAsync($"/api/v1/runs/{Guid.NewGuid()}");
        var after = await MetricsAsync();
        // Other tests of this process may ask for missing runs too.
        Assert.True(after[$"http_server_request_duration_seconds_count{labels}}}"] >= before + 3);
        var bounds =
            after.Where(m => m.Key.StartsWith($"http_server_request_duration_seconds_bucket{labels}", StringComparison.Ordinal))
                .ToList();
        Assert.Equal(12, bounds.Count);
        Assert.Equal(bounds.Select(b => b.Value).Order(), bounds.Select(b => b.Value));
        Assert.Equal(after[$"http_server_request_duration_seconds_count{labels}}}"], bounds[^1].Value);
    }

    [Theory]
    [InlineData("my-request.7", true)]
    [InlineData("with space", false)]
    [InlineData("<script>", false)]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123456789", false)]
    public async Task A_request_keeps_its_id_when_it_is_usable_and_gets_one_otherwise(string id, bool kept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{Guid.NewGuid()}");
        request.Headers.TryAddWithoutValidation("X-Request-Id", id);
        var answer = await api.Admin.SendAsync(request);
        var given = answer.Headers.GetValues("X-Request-Id").Single();
        Assert.Equal(kept, given == id);
        Assert.Matches("^[A-Za-z0-9._-]{1,64}$", given);
        Assert.Equal(given, (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["traceId"]!);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task Answers_are_compressed_for_those_who_can_read_them(string encoding)
    {
        var plain = await api.Admin.GetByteArrayAsync("/api/v1/catalogue");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/catalogue");
        request.Headers.AcceptEncoding.ParseAdd(encoding);
        var answer = await api.Admin.SendAsync(request);
        Assert.Equal([encoding], answer.Content.Headers.ContentEncoding);
        var packed = await answer.Content.ReadAsByteArrayAsync();
        Assert.True(packed.Length < plain.Length / 2, $"{packed.Length} of {plain.Length} bytes");
        using var stream = encoding == "br" ? (Stream)new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress)
            : new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        await stream.CopyToAsync(unpacked);
        Assert.Equal(plain, unpacked.ToArray());
    }
}

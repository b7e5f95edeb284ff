using System.Net;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>A run from submission to deletion, over HTTP; what a worker would do is done through its own door.</summary>
public sealed class RunLifeTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    [Fact]
    public async Task A_run_is_submitted_read_changed_cancelled_and_deleted()
    {
        // With a byte order mark, as some editors put it before the text.
        var answer = await api.Admin.PostAsync("/api/v1/runs", ApiFixture.Json("\uFEFF" + ApiFixture.Training));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var path = answer.Headers.Location!.ToString();
        var run = await api.GetAsync(path);
        Assert.Equal("queued", (string?)run["state"]);
        Assert.Equal(10, (int)run["spec"]!["task"]!["dimensions"]!);
        Assert.False(string.IsNullOrEmpty((string?)run["waitingFor"]!["reason"]));

        var changed = await api.Admin.PatchAsync(path,
            ApiFixture.Json("""{"name":"better","tags":["a","b"],"notes":"two\nlines"}"""));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        run = await api.GetAsync(path);
        Assert.Equal(("better", "two\nlines", 2), ((string?)run["name"], (string?)run["notes"], run["tags"]!.AsArray().Count));
        using var stale = new HttpRequestMessage(HttpMethod.Patch, path) { Content = ApiFixture.Json("""{"name":"late"}""") };
        stale.Headers.TryAddWithoutValidation("If-Match", "\"0\"");
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await api.Admin.SendAsync(stale)).StatusCode);

        Assert.Equal(HttpStatusCode.Conflict, (await api.Admin.DeleteAsync(path)).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await api.Admin.PostAsync(path + "/cancel", null)).StatusCode);
        Assert.Equal("cancelled", (string?)(await api.GetAsync(path))["state"]);
        var late = await api.Admin.PostAsync(path + "/cancel", null);
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        Assert.Contains("The run is cancelled", await late.Content.ReadAsStringAsync());
        using var known = new HttpRequestMessage(HttpMethod.Get, path);
        known.Headers.TryAddWithoutValidation("If-None-Match", (await api.Admin.GetAsync(path)).Headers.ETag!.Tag);
        Assert.Equal(HttpStatusCode.NotModified, (await api.Admin.SendAsync(known)).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await api.Admin.DeleteAsync(path)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await api.Admin.GetAsync(path)).StatusCode);
    }

    [Fact]
    public async Task A_repetition_with_the_same_key_is_the_same_run_and_another_body_is_refused()
    {
        async Task<HttpResponseMessage> Post(string body)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/runs") { Content = ApiFixture.Json(body) };
            request.Headers.Add("Idempotency-Key", "key-1");
            return await api.Admin.SendAsync(request);
        }
        var first = await Post(ApiFixture.Training);
        var second = await Post(ApiFixture.Training);
        Assert.Equal(first.Headers.Location, second.Headers.Location);
        Assert.Equal(HttpStatusCode.UnprocessableEntity,
            (await Post(ApiFixture.Training.Replace("\"quadratic\"", "\"quadratic\",\"dimensions\":3"))).StatusCode);
    }

    [Fact]
    public async Task Pages_hold_every_run_once_newest_first()
    {
        var tag = $"page-{Guid.NewGuid():N}";
        var body = ApiFixture.Training.Insert(1, $"\"tags\":[\"{tag}\"],");
        var submitted = new List<string>();
        for (var i = 0; i < 25; i++) submitted.Add((await api.SubmitAsync(body)).ToString());
        var (seen, cursor) = (new List<string>(), (string?)null);
        do
        {
            var page = await api.GetAsync($"/api/v1/runs?tag={tag}&limit=7" + (cursor is null ? "" : $"&cursor={cursor}"));
            seen.AddRange(page["items"]!.AsArray().Select(r => (string)r!["id"]!));
            cursor = (string?)page["nextCursor"];
        }
        while (cursor is not null);
        submitted.Reverse();
        Assert.Equal(submitted, seen);
        Assert.Empty((await api.GetAsync($"/api/v1/runs?tag={tag}&state=running"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_stream_tells_state_points_and_end_and_continues_where_it_was_lost()
    {
        await DrainAsync();
        var id = await api.SubmitAsync();
        var run = await api.ClaimAsync(id);
        await run.AppendPointsAsync([.. Enumerable.Range(1, 50).Select(i => new RunEvent.Point("meta-loss", i, 1.0 / i))],
            default);
        await run.SetProgressAsync(new RunProgress("train", 50, 100, 10, 5), default);

        var (events, lastId) = await ReadAsync(id, null, e => e.Type == "point");
        Assert.Equal("state", events[0].Type);
        Assert.Equal("running", (string?)events[0].Data["state"]);
        Assert.Contains(events, e => e.Type == "progress" && (long)e.Data["done"]! == 50);
        var steps = Steps(events);

        await run.AppendPointsAsync(
            [.. Enumerable.Range(51, 50).Select(i => new RunEvent.Point("meta-loss", i, i == 60 ? double.NaN : 1.0 / i))],
            default);
        await run.FinishAsync(RunState.Succeeded, new JsonObject { ["kind"] = "meta-training" }, null, default);
        var (rest, _) = await ReadAsync(id, lastId, e => e.Type == "end");
        Assert.Equal("succeeded", (string?)rest[^1].Data["state"]);
        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), steps.Concat(Steps(rest)));

        var (again, _) = await ReadAsync(id, "nonsense", e => e.Type == "end");
        Assert.Equal(100, Steps(again).Count);
        var csv = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{id}/series/meta-loss?from=59&to=61");
        csv.Headers.Accept.ParseAdd("text/csv");
        Assert.Equal($"step,value\n59,{1.0 / 59:R}\n60,NaN\n61,{1.0 / 61:R}\n",
            await (await api.Admin.SendAsync(csv)).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_stream_of_many_series_has_short_ids_and_continues_exactly_after_each_of_them()
    {
        await DrainAsync();
        var id = await api.SubmitAsync();
        var run = await api.ClaimAsync(id);
        // 32 contestants, the last of which is still on its way.
        var names = Enumerable.Range(0, 32)
            .SelectMany(i => new[] { "mean", "median", "p10", "p90" }.Select(band => $"{new string('n', 58)}{i:00}/{band}"))
            .ToList();
        for (var i = 0; i < names.Count; i += 4)
            await run.AppendPointsAsync(
                [.. from step in Enumerable.Range(1, i < 124 ? 20 : 7) from name in names.Skip(i).Take(4)
                    select new RunEvent.Point(name, step, step)], default);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        var ids = new List<string>();
        var (events, _) = await ReadAsync(id, null, e => e.Type == "end", ids);
        Assert.All(ids, seen => Assert.InRange(seen.Length, 1, 99));
        Assert.Equal(events.Count, ids.Count);
        Assert.Equal(128, events.Count(e => e.Type == "point"));
        for (var i = 0; i < events.Count; i += 17)
        {
            var (rest, _) = await ReadAsync(id, ids[i], e => e.Type == "end");
            Assert.Equal(Points(events.Skip(i + 1)), Points(rest));
        }

        static List<string> Points(IEnumerable<(string Type, JsonNode Data)> events) =>
            [.. events.Where(e => e.Type == "point").Select(e => e.Data.ToJsonString())];
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1,0,3")]
    [InlineData("20,20,20,20,7,-1")]
    [InlineData("9223372036854775807,-1,5")]
    public void A_position_is_read_from_its_id(string steps)
    {
        var (position, sent) = (new MetaOpt.Api.Runs.StreamPosition(),
            steps.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse).ToList());
        for (var i = 0; i < sent.Count; i++) position[i] = sent[i];
        var read = MetaOpt.Api.Runs.StreamPosition.Parse(position.ToId()!);
        Assert.Equal([.. sent, -1], Enumerable.Range(0, sent.Count + 1).Select(i => read[i]));
    }

    [Fact]
    public async Task A_user_has_a_bounded_number_of_streams_and_the_others_have_theirs()
    {
        await DrainAsync();
        var id = await api.SubmitAsync();
        await api.Admin.PostAsync("/api/v1/users", ApiFixture.Json("""{"name":"streamer"}"""));
        var made = await api.Admin.PostAsync("/api/v1/users/streamer/tokens", ApiFixture.Json("""{"name":"t"}"""));
        using var streamer = api.WithToken((string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["token"]!);
        var open = new List<HttpResponseMessage>();
        try
        {
            while (open is [] or [.., { StatusCode: HttpStatusCode.OK }] && open.Count < 210)
                open.Add(await streamer.GetAsync($"/api/v1/runs/{id}/stream", HttpCompletionOption.ResponseHeadersRead));
            Assert.Equal((21, HttpStatusCode.TooManyRequests), (open.Count, open[^1].StatusCode));
            Assert.Equal("5", open[^1].Headers.GetValues("Retry-After").Single());
            var problem = JsonNode.Parse(await open[^1].Content.ReadAsStringAsync())!;
            Assert.Equal("too-many-streams", (string?)problem["code"]);
            Assert.Contains("streamer has 20 streams open", (string?)problem["detail"]);
            using var other = await api.Admin.GetAsync($"/api/v1/runs/{id}/stream", HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, other.StatusCode);
            open[0].Dispose();
            await Workers.WorkerFixture.UntilAsync(async () =>
            {
                using var again = await streamer.GetAsync($"/api/v1/runs/{id}/stream", HttpCompletionOption.ResponseHeadersRead);
                return again.StatusCode == HttpStatusCode.OK;
            }, "a closed stream to make room");
        }
        finally
        {
            foreach (var answer in open) answer.Dispose();
            await api.Admin.PostAsync($"/api/v1/runs/{id}/cancel", null);
        }
    }

    static List<long> Steps(List<(string Type, JsonNode Data)> events) =>
        [.. events.Where(e => e.Type == "point").SelectMany(e => e.Data["points"]!.AsArray()).Select(p => (long)p!["step"]!)];

    async Task<(List<(string Type, JsonNode Data)> Events, string LastId)> ReadAsync(
        Guid id, string? lastId, Func<(string Type, JsonNode Data), bool> until, List<string>? ids = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{id}/stream");
        if (lastId is not null) request.Headers.TryAddWithoutValidation("Last-Event-ID", lastId);
        using var answer = await api.Admin.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        using var limit = new CancellationTokenSource(Patience.Limit);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(limit.Token));
        var (events, type, seen) = (new List<(string, JsonNode)>(), "", "");
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal)) type = line[7..];
            if (line.StartsWith("id: ", StringComparison.Ordinal)) seen = line[4..];
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            events.Add((type, JsonNode.Parse(line[6..])!));
            ids?.Add(seen);
            if (until(events[^1])) return (events, seen);
        }
        Assert.Fail($"The stream of {id} ended early.");
        return default;
    }

    [Fact]
    public async Task A_stream_asked_for_once_ends_with_what_is_new_and_the_next_continues()
    {
        await DrainAsync();
        var id = await api.SubmitAsync();
        var run = await api.ClaimAsync(id);
        await run.AppendPointsAsync([new RunEvent.Point("meta-loss", 1, 3), new RunEvent.Point("meta-loss", 2, 2)], default);
        var first = await api.Admin.GetStringAsync($"/api/v1/runs/{id}/stream?once=true");
        Assert.Contains("\"step\":2", first);
        var seen = first.Split('\n').Last(line => line.StartsWith("id: ", StringComparison.Ordinal))[4..];
        await run.AppendPointsAsync([new RunEvent.Point("meta-loss", 3, 1)], default);
        var next = await api.Admin.GetStringAsync($"/api/v1/runs/{id}/stream?once=true&lastEventId={seen}");
        Assert.Contains("\"step\":3", next);
        Assert.DoesNotContain("\"step\":2", next);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        Assert.Contains("event: end", await api.Admin.GetStringAsync($"/api/v1/runs/{id}/stream?once=true&lastEventId={seen}"));
        Assert.Equal(HttpStatusCode.BadRequest, (await api.Admin.GetAsync($"/api/v1/runs/{id}/stream?once=perhaps")).StatusCode);
    }

    [Fact]
    public async Task Series_names_may_hold_a_slash_and_long_series_are_summarised()
    {
        await DrainAsync();
        var id = await api.SubmitAsync();
        var run = await api.ClaimAsync(id);
        await run.AppendPointsAsync([.. Enumerable.Range(1, 5000).Select(i => new RunEvent.Point("adam/mean", i, i))], default);
        foreach (var name in (string[])["adam/mean", "adam%2Fmean"])
        {
            var series = await api.GetAsync($"/api/v1/runs/{id}/series/{name}?maxPoints=100");
            Assert.False((bool)series["raw"]!);
            var points = series["points"]!.AsArray();
            Assert.InRange(points.Count, 40, 100);
            Assert.Equal(5000, points.Sum(p => (long)p!["count"]!));
        }
        Assert.Equal(5000, (long)(await api.GetAsync($"/api/v1/runs/{id}/series"))["items"]![0]!["lastStep"]!);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
    }

    [Fact]
    public async Task A_checkpoint_is_downloaded_whole_and_in_ranges()
    {
        await DrainAsync();
        var id = await api.SubmitAsync();
        var run = await api.ClaimAsync(id);
        var bytes = new byte[5_000_000];
        new Random(1).NextBytes(bytes);
        var checkpoint = await run.SaveCheckpointAsync("final", 7, bytes, default);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        var listed = (await api.GetAsync($"/api/v1/runs/{id}/checkpoints"))["items"]![0]!;
        Assert.Equal((checkpoint.ToString(), 5_000_000L), ((string?)listed["id"], (long)listed["size"]!));
        var path = $"/api/v1/checkpoints/{checkpoint}/content";
        var whole = await api.Admin.GetAsync(path);
        Assert.Equal(bytes, await whole.Content.ReadAsByteArrayAsync());
        Assert.Equal($"\"{listed["sha256"]}\"", whole.Headers.ETag!.Tag);
        foreach (var (range, from, to) in ((string, int, int)[])[("bytes=0-9", 0, 10),
            ("bytes=4194300-4194310", 4194300, 4194311), ("bytes=4999990-", 4999990, 5000000), ("bytes=-5", 4999995, 5000000)])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.TryAddWithoutValidation("Range", range);
            var part = await api.Admin.SendAsync(request);
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal(bytes[from..to], await part.Content.ReadAsByteArrayAsync());
            Assert.Equal($"bytes {from}-{to - 1}/5000000", part.Content.Headers.ContentRange!.ToString());
        }
        using var beyond = new HttpRequestMessage(HttpMethod.Get, path);
        beyond.Headers.TryAddWithoutValidation("Range", "bytes=5000000-");
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await api.Admin.SendAsync(beyond)).StatusCode);
        using var known = new HttpRequestMessage(HttpMethod.Get, path);
        known.Headers.TryAddWithoutValidation("If-None-Match", whole.Headers.ETag.Tag);
        Assert.Equal(HttpStatusCode.NotModified, (await api.Admin.SendAsync(known)).StatusCode);
        var head = await api.Admin.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
        Assert.Equal(5_000_000, head.Content.Headers.ContentLength);
    }

    /// <summary>Cancels what waits, so that the next claim gets this test's run.</summary>
    async Task DrainAsync()
    {
        var queue = api.App.Services.GetRequiredService<RunQueue>();
        while ((await api.GetAsync("/api/v1/runs?state=queued&limit=200"))["items"]!.AsArray() is { Count: > 0 } waiting)
            foreach (var run in waiting) await queue.RequestCancelAsync(Guid.Parse((string)run!["id"]!), default);
    }
}

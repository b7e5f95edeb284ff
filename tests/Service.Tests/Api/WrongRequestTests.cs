using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace MetaOpt.Service.Tests.Api;

/// <summary>
/// Whatever a client sends wrongly gets the right 4xx with a pointer to the field, never a 5xx, and leaves no row.
/// </summary>
public sealed class WrongRequestTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    const string Start = """{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm"}""";

    static string Spec(string rest) => Start + "," + rest + "}}";

    static string Notes(int bytes) => (Start + "},\"notes\":\"").PadRight(bytes - 2, 'x') + "\"}";

    /// <summary>Body, status, pointer of the (first) wrong field; an empty pointer: the document as a whole.</summary>
    public static TheoryData<string, int, string> Bodies => new()
    {
        { "{}", 422, "/kind" },
        { "[]", 422, "" },
        { "null", 422, "" },
        { "\"text\"", 422, "" },
        { """{"kind":"meta-training"}""", 422, "/spec" },
        { """{"kind":"meta-training","spec":null}""", 422, "/spec" },
        { """{"kind":"meta-training","spec":[]}""", 422, "/spec" },
        { """{"kind":"nonsense","spec":{}}""", 422, "/kind" },
        { """{"kind":7,"spec":{}}""", 422, "/kind" },
        { """{"kind":"meta-training","spec":{}}""", 422, "/spec/task" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic"}}}""", 422, "/spec/optimizer" },
        { """{"kind":"meta-training","spec":{"task":{},"optimizer":{"type":"lstm"}}}""", 422, "/spec/task/type" },
        { """{"kind":"meta-training","spec":{"task":{"type":"nope"},"optimizer":{"type":"lstm"}}}""", 422, "/spec/task/type" },
        { """{"kind":"meta-training","spec":{"task":{"type":7},"optimizer":{"type":"lstm"}}}""", 422, "/spec/task/type" },
        { """{"kind":"meta-training","spec":{"task":"quadratic","optimizer":{"type":"lstm"}}}""", 422, "/spec/task" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimensions":0},"optimizer":{"type":"lstm"}}}""", 422,
            "/spec/task/dimensions" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimensions":4097},"optimizer":{"type":"lstm"}}}""", 422,
            "/spec/task/dimensions" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimensions":2.5},"optimizer":{"type":"lstm"}}}""", 422,
            "/spec/task/dimensions" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimensions":"10"},"optimizer":{"type":"lstm"}}}""", 422,
            "/spec/task/dimensions" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimensions":1e999},"optimizer":{"type":"lstm"}}}""", 422,
            "/spec/task/dimensions" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimension":10},"optimizer":{"type":"lstm"}}}""", 422,
            "/spec/task/dimension" },
        { """{"kind":"meta-training","spec":{"task":{"type":"mlp-classification","dataset":"../../etc/passwd"},"optimizer":{"type":"lstm"}}}""", 422, "/spec/task/dataset" },
        { """{"kind":"meta-training","spec":{"task":{"type":"mlp-classification","activation":"gelu"},"optimizer":{"type":"lstm"}}}""", 422, "/spec/task/activation" },
        { """{"kind":"meta-training","spec":{"task":{"type":"mlp-classification","hidden":[20,0]},"optimizer":{"type":"lstm"}}}""", 422, "/spec/task/hidden/1" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm","layers":[65]}}}""", 422,
            "/spec/optimizer/layers/0" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm","layers":[1,1,1,1]}}}""", 422,
            "/spec/optimizer/layers" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"lstm","layers":20}}}""", 422,
            "/spec/optimizer/layers" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic"},"optimizer":{"type":"System.Diagnostics.Process"}}}""",
            422, "/spec/optimizer/type" },
        { Spec("\"seed\":-1"), 422, "/spec/seed" },
        { Spec("\"seed\":9007199254740993"), 422, "/spec/seed" },
        { Spec("\"seed\":null"), 422, "/spec/seed" },
        { Spec("\"seed\":1,\"seed\":2"), 422, "/spec/seed" },
        { Spec("\"kernels\":\"cuda\""), 422, "/spec/kernels" },
        { Spec("\"training\":{\"horizon\":100,\"unroll\":33}"), 422, "/spec/training/unroll" },
        { Spec("\"training\":{\"metaOptimizer\":{\"learningRate\":0}}"), 422, "/spec/training/metaOptimizer/learningRate" },
        { Spec("\"training\":{\"metaOptimizer\":{\"beta1\":1}}"), 422, "/spec/training/metaOptimizer/beta1" },
        { Spec("\"training\":{\"secondDerivatives\":\"yes\"}"), 422, "/spec/training/secondDerivatives" },
        { Spec("\"training\":{\"lossWeights\":\"UNIFORM\"}"), 422, "/spec/training/lossWeights" },
        { Spec("\"path\":\"/etc/passwd\""), 422, "/spec/path" },
        { Spec("\"a/b~c\":1"), 422, "/spec/a~1b~0c" },
        { """{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[]}}""", 422, "/spec/contestants" },
        { """{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{}]}}""", 422, "/spec/contestants/0" },
        { """{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{"checkpoint":"x"}]}}""", 422,
            "/spec/contestants/0/checkpoint" },
        { """{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{"checkpoint":"0198c0de-0000-7000-8000-000000000000"}]}}""", 422, "/spec/contestants/0/checkpoint" },
        { """{"kind":"evaluation","spec":{"task":{"type":"quadratic"},"contestants":[{"optimizer":{"type":"adam","learningRate":-1}}]}}""", 422, "/spec/contestants/0/optimizer/learningRate" },
        { Start + "},\"pool\":\"GPU!\"}", 422, "/pool" },
        { Start + "},\"priority\":101}", 422, "/priority" },
        { Start + "},\"name\":\"\"}", 422, "/name" },
        { Start + "},\"name\":\"a\\u0000b\"}", 422, "/name" },
        { Start + "},\"tags\":[\"ok\",7]}", 422, "/tags/1" },
        { Start + "},\"notes\":" + "\"" + new string('x', 10_001) + "\"}", 422, "/notes" },
        { Start + "},\"owner\":\"somebody\"}", 422, "/owner" },
        { """{"kind":"meta-training","spec":{"task":{"type":"mlp-classification","hidden":[4096,4096,4096]},"optimizer":{"type":"lstm"},"training":{"metaBatch":4096}}}""", 422, "/spec/training/metaBatch" },
        { """{"kind":"meta-training","spec":{"task":{"type":"quadratic","dimensions":4096},"optimizer":{"type":"lstm"},"training":{"horizon":100000,"metaEpochs":1000000}}}""", 422, "/spec/training/metaBatch" },
        { "", 400, "" },
        { "{", 400, "" },
        { Start, 400, "" },
        { Start + "}} trailing", 400, "" },
        { Spec("\"seed\":NaN"), 400, "" },
        { Spec("\"seed\":Infinity"), 400, "" },
        { "{'kind':1}", 400, "" },
        { Start + "},\"name\":\"\\ud800\"}", 400, "" },
        { Start + "},\"\\ud800\":1}", 400, "" },
        { string.Concat(Enumerable.Repeat("[", 200)) + string.Concat(Enumerable.Repeat("]", 200)), 400, "" },
        // 256 KiB are read, and found to be too long for notes; one byte more is not read.
        { Notes(256 * 1024), 422, "/notes" },
        { Notes(256 * 1024 + 1), 413, "" },
    };

    [Theory, MemberData(nameof(Bodies))]
    public async Task A_wrong_body_is_refused_at_the_field(string body, int status, string pointer)
    {
        var before = await CountAsync();
        foreach (var path in (string[])["/api/v1/runs", "/api/v1/runs:validate"])
        {
            var problem = await ProblemAsync(await api.Admin.PostAsync(path, ApiFixture.Json(body)), status);
            if (pointer.Length > 0) Assert.Contains(pointer, problem["errors"]!.AsArray().Select(e => (string)e!["pointer"]!));
        }
        Assert.Equal(before, await CountAsync());
    }

    [Fact]
    public async Task Every_wrong_field_is_named_at_once()
    {
        var problem = await ProblemAsync(await api.Admin.PostAsync("/api/v1/runs", ApiFixture.Json(
            """{"kind":"meta-training","spec":{"seed":-1,"task":{"type":"quadratic","dimensions":0},"optimizer":{"type":"lstm","size":3}}}""")), 422);
        Assert.Equal(["/spec/optimizer/size", "/spec/seed", "/spec/task/dimensions"],
            problem["errors"]!.AsArray().Select(e => (string)e!["pointer"]!).Order());

        // Fields around the specification together with those in it, and in a grid but for those that vary.
        const string run =
            """{"kind":"meta-training","tags":[""],"priority":1000,"spec":{"seed":-1,"task":{"type":"quadratic","dimensions":0},"optimizer":{"type":"lstm"} } }""";
        foreach (var (path, body, expected) in ((string, string, string[])[])
            [
                ("runs:validate", run, ["/priority", "/spec/seed", "/spec/task/dimensions", "/tags/0"]),
                ("runs:batch", $$"""{"run":{{run}},"grid":[{"field":"/seed","values":[1,2] }] }""",
                    ["/run/priority", "/run/spec/task/dimensions", "/run/tags/0"]),
                ("runs:validate", run.Replace("[\"\"]", "[]").Replace("1000", "0").Insert(1, $"\"after\":[\"{Unknown}\"],"),
                    ["/after/0", "/spec/seed", "/spec/task/dimensions"]),
            ])
        {
            problem = await ProblemAsync(await api.Admin.PostAsync($"/api/v1/{path}", ApiFixture.Json(body)), 422);
            Assert.Equal(expected, problem["errors"]!.AsArray().Select(e => (string)e!["pointer"]!).Order());
        }
    }

    [Fact]
    public async Task A_body_of_the_wrong_kind_is_refused()
    {
        await ProblemAsync(
            await api.Admin.PostAsync("/api/v1/runs", new StringContent(ApiFixture.Training, Encoding.UTF8, "text/plain")), 415);
        await ProblemAsync(await api.Admin.PostAsync("/api/v1/runs", null), 415);
        var invalid = new ByteArrayContent([.. "{\"kind\":\""u8, 0xff, 0xfe, .. "\"}"u8]);
        invalid.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        await ProblemAsync(await api.Admin.PostAsync("/api/v1/runs", invalid), 400);
    }

    const string Unknown = "0198c0de-0000-7000-8000-000000000000";

    /// <summary>Method and address, status, and the query parameter that is wrong.</summary>
    [Theory]
    [InlineData("GET /api/v1/runs/" + Unknown, 404, null)]
    [InlineData("GET /api/v1/runs/no-id", 404, null)]
    [InlineData("GET /api/v1/runs/" + Unknown + "/series", 404, null)]
    [InlineData("GET /api/v1/runs/" + Unknown + "/series/meta-loss", 404, null)]
    [InlineData("GET /api/v1/runs/" + Unknown + "/stream", 404, null)]
    [InlineData("GET /api/v1/runs/" + Unknown + "/checkpoints", 404, null)]
    [InlineData("POST /api/v1/runs/" + Unknown + "/cancel", 404, null)]
    [InlineData("DELETE /api/v1/runs/" + Unknown, 404, null)]
    [InlineData("GET /api/v1/checkpoints/" + Unknown, 404, null)]
    [InlineData("GET /api/v1/checkpoints/" + Unknown + "/content", 404, null)]
    [InlineData("DELETE /api/v1/me/tokens/zzzzzzzz", 404, null)]
    [InlineData("GET /api/v1/nothing", 404, null)]
    [InlineData("GET /nothing", 404, null)]
    [InlineData("PUT /api/v1/runs", 405, null)]
    [InlineData("DELETE /api/v1/catalogue", 405, null)]
    [InlineData("GET /api/v1/runs?limit=0", 400, "limit")]
    [InlineData("GET /api/v1/runs?limit=201", 400, "limit")]
    [InlineData("GET /api/v1/runs?limit=ten", 400, "limit")]
    [InlineData("GET /api/v1/runs?limit=99999999999999999999", 400, "limit")]
    [InlineData("GET /api/v1/runs?limit=1&limit=2", 400, "limit")]
    [InlineData("GET /api/v1/runs?state=sleeping", 400, "state")]
    [InlineData("GET /api/v1/runs?kind=other", 400, "kind")]
    [InlineData("GET /api/v1/runs?tag=%00", 400, "tag")]
    [InlineData("GET /api/v1/runs?cursor=nonsense", 400, "cursor")]
    [InlineData("GET /api/v1/runs?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400, "cursor")]
    [InlineData("GET /api/v1/runs?page=2", 400, "page")]
    [InlineData("GET /api/v1/runs/" + Unknown + "/series/x?maxPoints=0", 400, "maxPoints")]
    [InlineData("GET /api/v1/runs/" + Unknown + "/series/x?from=-1", 400, "from")]
    [InlineData("GET /api/v1/runs/" + Unknown + "/series/x?to=1.5", 400, "to")]
    [InlineData("GET /api/v1/queue?x=1", 400, "x")]
    [InlineData("GET /api/v1/presets/nothing", 404, null)]
    [InlineData("GET /api/v1/presets/mnist?size=huge", 400, "size")]
    [InlineData("GET /api/v1/presets?size=full", 400, "size")]
    public async Task A_wrong_address_is_refused(string request, int status, string? parameter)
    {
        var (method, path) = (request.Split(' ')[0], request.Split(' ')[1]);
        var problem = await ProblemAsync(await api.Admin.SendAsync(new HttpRequestMessage(new HttpMethod(method), path)), status);
        Assert.Equal(parameter, (string?)problem["parameter"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Bearer")]
    [InlineData("Bearer nonsense")]
    [InlineData("Bearer mo_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("Basic YTpi")]
    public async Task A_wrong_token_is_refused(string authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/runs");
        if (authorization.Length > 0) request.Headers.TryAddWithoutValidation("Authorization", authorization);
        var answer = await api.Nobody.SendAsync(request);
        await ProblemAsync(answer, 401);
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Theory]
    [InlineData("Idempotency-Key", "a b")]
    public async Task A_wrong_header_is_refused(string name, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            "/api/v1/runs")
        { Content = ApiFixture.Json(ApiFixture.Training) };
        request.Headers.TryAddWithoutValidation(name, value);
        var before = await CountAsync();
        Assert.InRange((int)(await api.Admin.SendAsync(request)).StatusCode, 400, 499);
        Assert.Equal(before, await CountAsync());
    }

    static async Task<JsonNode> ProblemAsync(HttpResponseMessage answer, int status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(status == (int)answer.StatusCode, $"{(int)answer.StatusCode} instead of {status}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(text)!;
        Assert.Equal(status, (int)problem["status"]!);
        Assert.False(string.IsNullOrEmpty((string?)problem["code"]));
        Assert.False(string.IsNullOrEmpty((string?)problem["detail"]));
        Assert.False(string.IsNullOrEmpty((string?)problem["traceId"]));
        return problem;
    }

    async Task<long> CountAsync()
    {
        await using var count = api.Database.CreateCommand("select count(*) from runs");
        return (long)(await count.ExecuteScalarAsync())!;
    }
}

using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace MetaOpt.Service.Tests.Api.Fuzz;

/// <summary>One request that may be anything; <see cref="Describe"/> is enough to send it again.</summary>
sealed record FuzzedRequest(HttpMethod Method, string Path, IReadOnlyList<(string Name, string Value)> Headers, byte[]? Body,
    string? ContentType)
{
    public HttpRequestMessage ToMessage()
    {
        var message = new HttpRequestMessage(Method, Path);
        foreach (var (name, value) in Headers) message.Headers.TryAddWithoutValidation(name, value);
        if (Body is null) return message;
        message.Content = new ByteArrayContent(Body);
        if (ContentType is not null) message.Content.Headers.TryAddWithoutValidation("Content-Type", ContentType);
        return message;
    }

    public string Describe() =>
        $"{Method} {Path} {string.Join(' ', Headers.Select(h => $"{h.Name}: {h.Value};"))} {ContentType} {(Body is null ? "" : Encoding.UTF8.GetString(Body, 0, Math.Min(Body.Length, 400)))}";
}

/// <summary>
/// Requests made from the OpenAPI document: every operation equally often, with bodies that are an example or follow the schema
/// and, every other time, have a few wounds. Ids of what earlier requests made are used again. The same seed gives the same
/// requests to the same answers.
/// </summary>
sealed partial class RequestFuzzer(JsonNode document, int seed)
{
    static readonly string[] s_texts =
    [
        "", " ", "a", "cpu", "quadratic", "null", "0", "-1", "1e308", "../../etc/passwd", "'; drop table runs; --", "%00",
        "\u202e\u0007", "é漢😀",
        "<script>alert(1)</script>", "${jndi:ldap://x}", "System.Diagnostics.Process", "2026-01-01T00:00:00Z", "0001-01-01",
        "9999-12-31T23:59:59.9999999+14:00",
        "01926f00-0000-7000-8000-000000000000", "\"1-abc\"", "W/\"x\"", "*", "bytes=0-9,20-", "bytes=-0",
        "mo_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        new string('x', 201), new string('9', 400), "{\"a\":1}", "a,b,,c", "application/json", "text/csv", "text/event-stream",
        "runs:read", "same-origin",
    ];

    static readonly string[] s_headers =
    [
        "Idempotency-Key", "If-Match", "If-None-Match", "If-Range", "Range", "Last-Event-ID", "Accept", "Accept-Encoding",
        "X-Request-Id", "X-MetaOpt", "Origin",
        "Cookie", "Expect", "Sec-Fetch-Site", "X-Forwarded-For", "If-Modified-Since", "Content-Language",
    ];

    readonly Random random = new(seed);
    readonly List<string> ids = [];
    readonly (HttpMethod Method, string Path, JsonNode Operation)[] operations =
        [.. from path in document["paths"]!.AsObject()
            from operation in path.Value!.AsObject()
            select (new HttpMethod(operation.Key.ToUpperInvariant()), path.Key, operation.Value!)];

    public int Operations => operations.Length;

    /// <summary>Something exists under this id or name.</summary>
    public void Know(string id)
    {
        if (ids.Count < 50) ids.Add(id);
        else ids[random.Next(ids.Count)] = id;
    }

    public FuzzedRequest Next()
    {
        var (method, path, operation) = operations[random.Next(operations.Length)];
        // Now and then a method that is not there.
        if (Chance(0.02)) method = new HttpMethod(Pick(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"]));
        var address = Parameter().Replace(path, _ => Uri.EscapeDataString(Chance(0.8) && ids.Count > 0 ? Pick(ids) : Text()));
        var known = Query().Match((string?)operation["summary"] ?? "").Groups[1].Value.Split(", ",
            StringSplitOptions.RemoveEmptyEntries);
        var query = new List<string>();
        for (; Chance(0.4);)
            query.Add($"{Uri.EscapeDataString(Chance(0.9) && known.Length > 0 ? Pick(known) : Text())}={Uri.EscapeDataString(Chance(0.3) ? Number().ToJsonString() : Text())}");
        if (query.Count > 0) address += "?" + string.Join('&', query);
        var headers = new List<(string, string)>();
        for (; Chance(0.3);) headers.Add((Pick(s_headers), new string([.. Text().Where(c => c is >= ' ' and <= '~')])));
        var content = operation["requestBody"]?["content"]?["application/json"];
        if (content is null && Chance(0.95)) return new(method, address, headers, null, null);
        return new(method, address, headers, BodyOf(content), Chance(0.97) ? "application/json" : Text());
    }

    byte[] BodyOf(JsonNode? content)
    {
        var value = content is null ? Anything(3)
            : content["examples"] is JsonObject { Count: > 0 } examples && Chance(0.4)
                ? examples.ElementAt(random.Next(examples.Count)).Value!["value"]!.DeepClone()
            : Value(content["schema"]!, 0);
        for (; Chance(0.4);) value = Wound(value);
        var bytes = Encoding.UTF8.GetBytes(value?.ToJsonString() ?? "null");
        if (Chance(0.03)) bytes = bytes[..random.Next(bytes.Length)];
        if (Chance(0.03) && bytes.Length > 0) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        if (Chance(0.01)) bytes = [.. Enumerable.Repeat((byte)'[', 100_000)];
        if (Chance(0.003)) bytes = new byte[300_000];
        return bytes;
    }

    /// <summary>A value that the schema allows; what is optional is there half of the time.</summary>
    JsonNode? Value(JsonNode schema, int depth)
    {
        if ((string?)schema["$ref"] is { } reference)
            return Value(document["components"]!["schemas"]![reference[(reference.LastIndexOf('/') + 1)..]]!, depth);
        if (schema["oneOf"] is JsonArray choices) return Value(choices[random.Next(choices.Count)]!, depth);
        if (schema["enum"] is JsonArray words) return words[random.Next(words.Count)]?.DeepClone();
        var types = schema["type"] is JsonArray several
            ? several.Select(t => (string)t!).ToArray()
            : [(string?)schema["type"] ?? "object"];
        switch (Pick(types))
        {
            case "null": return null;
            case "boolean": return Chance(0.5);
            case "integer" or "number" when !Chance(0.1):
                var (least, most) = (Bound(schema["minimum"], 0), Bound(schema["maximum"], 100));
                // Small ones mostly: large ones together are over the limits of a run.
                var number = least + (Math.Min(most, least + 20) - least) * random.NextDouble();
                return types.Contains("integer")
                    ? JsonValue.Create((long)Math.Clamp(Math.Round(number), least, most))
                    : JsonValue.Create(number);
            case "integer" or "number": return Number();
            case "array":
                return new JsonArray(
                [.. Enumerable.Range(0, random.Next((int)Bound(schema["minItems"], 0), 4))
                    .Select(_ => Value(schema["items"]!, depth + 1))]);
            case "string":
                return (string?)schema["format"] == "uuid" && ids.Count > 0
                ? Pick(ids)
                : Chance(0.7) ? $"fuzz-{random.Next(20)}" : Text();
        }
        var required = schema["required"]?.AsArray().Select(r => (string)r!).ToHashSet() ?? [];
        return new JsonObject((schema["properties"]?.AsObject() ?? [])
            .Where(p => required.Contains(p.Key) || (depth < 4 && Chance(0.3)))
            .Select(p => KeyValuePair.Create(p.Key, Value(p.Value!, depth + 1))));
    }

    /// <summary>The same with one place changed to something else.</summary>
    JsonNode? Wound(JsonNode? value)
    {
        if (Chance(0.2)) return Anything(2);
        if (value is JsonObject { Count: > 0 } record)
        {
            var name = record.ElementAt(random.Next(record.Count)).Key;
            if (Chance(0.2)) record.Remove(name);
            else if (Chance(0.2)) record[Text()] = Anything(1);
            else record[name] = Wound(record[name]?.DeepClone());
            return record;
        }
        if (value is JsonArray { Count: > 0 } list)
        {
            var at = random.Next(list.Count);
            list[at] = Wound(list[at]?.DeepClone());
            return list;
        }
        return Anything(1);
    }

    JsonNode? Anything(int depth) => random.Next(depth > 0 ? 7 : 5) switch
    {
        0 => null,
        1 => Chance(0.5),
        2 => Number(),
        3 or 4 => Text(),
        5 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => Anything(depth - 1))]),
        _ => new JsonObject(Enumerable.Range(0, random.Next(4))
            .Select(i => KeyValuePair.Create($"{Text()}{i}", Anything(depth - 1)))),
    };

    JsonNode Number() =>
        JsonNode.Parse(
            Pick(["0", "-0", "1", "-1", "2.5", "1e308", "1e999", "-1e-320", "2147483648", "9223372036854775807",
                "9223372036854775808", "1E5", "100000"]))!;

    string Text() =>
        Chance(0.7) ? Pick(s_texts)
            : new string([.. Enumerable.Range(0, random.Next(30)).Select(_ => (char)random.Next(1, 0xD7FF))]);

    static double Bound(JsonNode? bound, double fallback) =>
        bound is null ? fallback : double.Parse(bound.ToString(), CultureInfo.InvariantCulture);

    bool Chance(double probability) => random.NextDouble() < probability;

    T Pick<T>(IReadOnlyList<T> choices) => choices[random.Next(choices.Count)];

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Parameter();

    [GeneratedRegex("Query: ([^.]+)\\.")]
    private static partial Regex Query();
}

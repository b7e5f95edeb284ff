using System.Globalization;
using System.Text.Json.Nodes;

namespace MetaOpt.Domain.Tests.Specs;

/// <summary>
/// Random JSON: valid specifications drawn from the catalogue document itself, and arbitrary text that is often near one.
/// </summary>
sealed class RandomSpecs(int seed)
{
    readonly Random _random = new(seed);
    static readonly JsonObject s_catalogue = SpecReader.Describe(Catalog.RunKinds);

    static readonly string[] s_strange =
    [
        "\"\\ud800\"", "1e999", "-0", "1.5", "-1", "1e-320", "9007199254740993", "123456789012345678901234567890", "null", "true",
        "\"\"",
        "\"\\u0000\"", "\"quadratic\"", "\"type\"", "{}", "[]", "[[]]", "{\"type\":\"adam\"}", "{\"type\":null}",
        "{\"type\":\"\\udc00\"}", "{\"a\":1,\"a\":2}",
    ];

    public string Kind() => _random.Next(3) switch { 0 => "meta-training", 1 => "evaluation", _ => "meta-gradient-diagnosis" };

    /// <summary>A specification whose every field is in range; fields are left out at random.</summary>
    public JsonObject Valid(string kind) => Record(Named("kinds", kind));

    JsonObject Named(string list, string name) =>
        (JsonObject)s_catalogue[list]!.AsArray().First(e => (string?)e!["name"] == name)!;

    JsonObject Record(JsonObject described)
    {
        var result = new JsonObject();
        foreach (var field in described["fields"]!.AsArray())
            if ((bool)field!["required"]! || _random.Next(2) == 0) result[(string)field["name"]!] = Field((JsonObject)field);
        return result;
    }

    JsonNode? Field(JsonObject field)
    {
        if ((bool)field["nullable"]! && _random.Next(4) == 0) return null;
        if (!(bool)field["list"]!) return Value(field);
        var count = _random.Next((int)field["minLength"]!, Math.Min((int)field["maxLength"]!, (int)field["minLength"]! + 4) + 1);
        return new JsonArray([.. Enumerable.Range(0, count).Select(_ => Value(field))]);
    }

    JsonNode? Value(JsonObject field) => (string)field["type"]! switch
    {
        "integer" => Whole((double)field["min"]!, (double)field["max"]!),
        "number" => Real((double)field["min"]!, (double)field["max"]!),
        "boolean" => _random.Next(2) == 0,
        "uuid" => Guid.NewGuid().ToString(),
        "string" when (string)field["name"]! == "dataset" => "mnist",
        "string" => new string('n', _random.Next((int)field["minLength"]!, (int)field["maxLength"]! + 1)),
        "choice" => (string)field["choices"]![_random.Next(field["choices"]!.AsArray().Count)]!,
        "object" => Record(field),
        var kind => Polymorphic((Catalog.Registries.FirstOrDefault(r => r.Kind == kind)
            ?? throw new InvalidOperationException($"The catalogue has a type '{kind}' that this test does not know.")).List),
    };

    JsonObject Polymorphic(string list)
    {
        var entries = s_catalogue[list]!.AsArray();
        var entry = (JsonObject)entries[_random.Next(entries.Count)]!;
        var result = Record(entry);
        result["type"] = (string)entry["name"]!;
        return result;
    }

    long Whole(double min, double max) =>
        _random.Next(8) switch { 0 => (long)min, 1 => (long)max, _ => _random.NextInt64((long)min, (long)max) };

    double Real(double min, double max) =>
        _random.Next(8) switch { 0 => min, 1 => max, _ => min + (max - min) * _random.NextDouble() };

    /// <summary>JSON text: a valid specification in which something is broken, or anything at all.</summary>
    public string Wild(string kind)
    {
        var text = Valid(kind).ToJsonString();
        for (var n = _random.Next(1, 4); n > 0; n--) text = _random.Next(4) switch
        {
            0 => Anything(0),
            1 => Replace(text, "\":", "\":" + Strange() + ",\"x\":"),
            2 => Replace(text, "{", "{\"" + Key() + "\":" + Anything(2) + ","),
            _ => Replace(text, "[", "[" + Anything(3) + ","),
        };
        return text;
    }

    string Replace(string text, string what, string with)
    {
        var places = new List<int>();
        for (var at = text.IndexOf(what, StringComparison.Ordinal); at
            >= 0; at = text.IndexOf(what, at + 1, StringComparison.Ordinal)) places.Add(at);
        if (places.Count == 0) return text;
        var place = places[_random.Next(places.Count)];
        return text[..place] + with + text[(place + what.Length)..];
    }

    string Strange() => s_strange[_random.Next(s_strange.Length)];

    string Key() => _random.Next(5) switch
    {
        0 => "\\ud800",
        1 => "task",
        2 => "type",
        3 => "contestants",
        _ => new string((char)_random.Next(97, 123), _random.Next(80)),
    };

    string Anything(int depth) => (depth > 5 ? 9 : _random.Next(10)) switch
    {
        0 or 1 or 2 =>
            "{" + string.Join(",", Enumerable.Range(0, _random.Next(4)).Select(_ => $"\"{Key()}\":{Anything(depth + 1)}")) + "}",
        3 or 4 => "[" + string.Join(",", Enumerable.Range(0, _random.Next(4)).Select(_ => Anything(depth + 1))) + "]",
        5 => (_random.NextDouble() * Math.Pow(10, _random.Next(-20, 20))).ToString("R", CultureInfo.InvariantCulture),
        _ => Strange(),
    };
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;

namespace MetaOpt.Api.Runs;

/// <summary>The body of <c>POST /runs:batch</c>: one submission, and the fields that vary.</summary>
public sealed record Batch : IChecked
{
    /// <summary>Most runs of a batch.</summary>
    public const int Most = 500;

    /// <summary>The submission that all have in common, as for a single run.</summary>
    public required Submission Run { get; init; }

    /// <summary>Every combination of the axes' values becomes a run; the last axis varies fastest.</summary>
    [Length(1, 8)]
    public required IReadOnlyList<Axis> Grid { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (Grid.Aggregate(1L, (product, axis) => product * axis.Values.Count) is var runs && runs > Most)
            yield return new("/grid", $"stands for {runs} runs; a batch has {Most} at most.");
        for (var i = 0; i < Grid.Count; i++)
            if (Grid.Take(i).Any(a => a.Field == Grid[i].Field))
                yield return new($"/grid/{i}/field", $"{Grid[i].Field} varies twice.");
    }

    /// <summary>Fields of the specification that a body which may be wrong lets vary.</summary>
    public static IEnumerable<string> Varied(JsonElement body) =>
        body.TryGetProperty("grid", out var grid) && grid.ValueKind == JsonValueKind.Array
            ? from axis in grid.EnumerateArray()
              where axis.ValueKind == JsonValueKind.Object && axis.TryGetProperty("field", out var field)
                  && field.ValueKind == JsonValueKind.String
              select axis.GetProperty("field").GetString()!
            : [];

    /// <summary>The submissions it stands for, each with the number of its value on every axis.</summary>
    public IEnumerable<(Submission Submission, IReadOnlyList<int> At)> Submissions()
    {
        var count = Grid.Aggregate(1, (product, axis) => product * axis.Values.Count);
        for (var number = 0; number < count; number++)
        {
            var (spec, left, name, values) = (JsonNode.Parse(Run.Spec.GetRawText()), number, "", new int[Grid.Count]);
            for (var i = Grid.Count - 1; i >= 0; i--)
            {
                var (axis, at) = (Grid[i], left % Grid[i].Values.Count);
                left /= axis.Values.Count;
                try
                {
                    Set(spec, axis.Field, axis.Values[at], $"/grid/{i}/field");
                }
                catch (ArgumentException)
                {
                    throw ProblemException.Invalid(
                        new SpecException("/run/spec", "has an object in which a field is given twice."));
                }
                name = $"{axis.Field[(axis.Field.LastIndexOf('/') + 1)..]}={Short(axis.Values[at])}{(name.Length > 0 ? " " : "")}{name}";
                values[i] = at;
            }
            name = $"{Run.Name ?? Run.Kind} {name}";
            yield return (Run with { Name = Cut(name, 200), Spec = JsonElement.Parse(spec!.ToJsonString()) }, values);
        }
    }

    /// <summary>
    /// Objects on the way are made where they are missing; what is wrong in them, reading the specification tells.
    /// </summary>
    static void Set(JsonNode? spec, string field, JsonElement value, string pointer)
    {
        var names = field.Split('/')[1..].Select(n => n.Replace("~1", "/").Replace("~0", "~")).ToArray();
        var node = spec;
        foreach (var name in names[..^1])
            node = node switch
            {
                JsonObject parent => parent[name] ??= new JsonObject(),
                JsonArray list when Index(name) is { } at && at < list.Count && list[at] is { } entry => entry,
                _ => throw Wrong(),
            };
        switch (node)
        {
            case JsonObject parent:
                parent[names[^1]] = JsonNode.Parse(value.GetRawText());
                break;
            case JsonArray list when Index(names[^1]) is { } at && at < list.Count:
                list[at] = JsonNode.Parse(value.GetRawText());
                break;
            default:
                throw Wrong();
        }

        ProblemException Wrong() =>
            ProblemException.Invalid(new SpecException(pointer, $"\"{field}\" leads to no field of the specification."));
        static int? Index(string text) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;
    }

    static string Short(JsonElement value) =>
        value.GetRawText() is var text && text.Length <= 40 ? text.Trim('"') : Cut(text, 40) + "..";

    /// <summary>Not within a surrogate pair.</summary>
    static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>A field of the specification and the values it takes.</summary>
    public sealed record Axis : IChecked
    {
        /// <summary>Pointer into the specification: <c>/seed</c>, <c>/training/metaOptimizer/learningRate</c>.</summary>
        [Length(2, 200)]
        public required string Field { get; init; }

        /// <summary>The values of the field, one for each run.</summary>
        [Length(1, Most)]
        public required IReadOnlyList<JsonElement> Values { get; init; }

        /// <inheritdoc/>
        public IEnumerable<SpecError> Check()
        {
            if (Field[0] != '/') yield return new("/field", $"must be a pointer such as /seed, got \"{Field}\".");
        }
    }
}

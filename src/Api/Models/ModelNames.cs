using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Api.Models;

/// <summary>Models in specifications: where the id of a checkpoint is asked for, <c>name@version</c> will do.</summary>
static partial class ModelNames
{
    /// <summary>The specification with the ids of the checkpoints that its models stand for.</summary>
    public static async Task<JsonElement> ResolveAsync(RunKind kind, JsonElement spec, ModelStore models,
        CancellationToken cancel)
    {
        var fields = kind.Reads.Where(r => r.Input.Source == InputSource.Checkpoint).Select(r => r.Field).ToHashSet();
        var named = new List<(JsonObject Parent, string Field, string Pointer)>();
        var document = JsonNode.Parse(spec.GetRawText());
        if (!spec.GetRawText().Contains('@') || !TryFind(document, "/spec", fields, named) || named.Count == 0) return spec;
        var errors = new List<SpecError>();
        foreach (var (parent, field, pointer) in named)
        {
            var name = ((string)parent[field]!).Split('@');
            if (int.TryParse(name[1], out var version) && await models.FindAsync(name[0], version, cancel) is { } model)
                parent[field] = model.CheckpointId.ToString();
            else errors.Add(new(pointer, $"there is no model {string.Join('@', name)}."));
        }
        return errors.Count == 0
            ? JsonElement.Parse(document!.ToJsonString())
            : throw ProblemException.Invalid(new SpecException(errors));
    }

    /// <summary>False where a field is given twice: reading the specification says so.</summary>
    static bool TryFind(JsonNode? node, string pointer, IReadOnlySet<string> fields, List<(JsonObject, string, string)> named)
    {
        try
        {
            if (node is JsonArray list)
                for (var i = 0; i < list.Count; i++) TryFind(list[i], $"{pointer}/{i}", fields, named);
            if (node is JsonObject parent)
                foreach (var (field, value) in parent)
                    if (fields.Contains(field) && value is JsonValue text && text.TryGetValue(out string? name)
                        && Name().IsMatch(name))
                        named.Add((parent, field, $"{pointer}/{field}"));
                    else if (!TryFind(value, $"{pointer}/{field}", fields, named)) return false;
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [GeneratedRegex("^[a-z0-9-]{1,60}@[0-9]{1,9}$")]
    private static partial Regex Name();
}

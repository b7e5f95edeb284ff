using System.Text.Json.Nodes;

namespace MetaOpt.Api.Compare;

/// <summary>A field that documents do not agree on.</summary>
/// <param name="Pointer">JSON pointer of the field.</param>
/// <param name="Values">Each document's value; null where it has none.</param>
sealed record SpecDifference(string Pointer, IReadOnlyList<JsonNode?> Values)
{
    /// <summary>Every field in which the documents differ, in the order of the first one that has it.</summary>
    public static IReadOnlyList<SpecDifference> Of(IReadOnlyList<JsonNode?> documents)
    {
        var found = new List<SpecDifference>();
        Walk("", documents, found);
        return found;
    }

    static void Walk(string pointer, IReadOnlyList<JsonNode?> values, List<SpecDifference> found)
    {
        if (values.All(v => JsonNode.DeepEquals(v, values[0]))) return;
        var present = values.Where(v => v is not null).ToList();
        if (present.Count > 0 && present.All(v => v is JsonObject))
            foreach (var key in present.SelectMany(v => v!.AsObject().Select(p => p.Key)).Distinct())
                Walk($"{pointer}/{key}", [.. values.Select(v => v?[key])], found);
        else if (present.Count > 0 && present.All(v => v is JsonArray list && list.Count > 0 && list.All(e => e is JsonObject)))
            for (var i = 0; i < present.Max(v => v!.AsArray().Count); i++)
                Walk($"{pointer}/{i}", [.. values.Select(v => v is JsonArray list && i < list.Count ? list[i] : null)], found);
        else found.Add(new(pointer, values));
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Api.Runs;

/// <summary>A run's result in one number, for lists.</summary>
static class Headline
{
    /// <summary>
    /// {name, value}: the best validation loss of a training (without validation its meta-steps), the contestant with the lowest mean final
    /// loss, or the relative bias of truncated backpropagation that a diagnosis found; null where the result has no such number.
    /// </summary>
    public static JsonObject? Of(JsonElement? result)
    {
        if (result is not { ValueKind: JsonValueKind.Object } found) return null;
        if (Number(found, "bestValidation") is { } loss) return Line("validation loss", loss);
        if (Number(found, "metaSteps") is { } steps) return Line("meta-steps", steps);
        if (Rows(found, "contestants").Select(c => (Name: Text(c, "name"), Loss: Number(c, "finalMean"))).Where(c => c is { Name: not null, Loss: not null })
            .OrderBy(c => c.Loss).FirstOrDefault() is { Name: { } best, Loss: { } lowest })
            return Line(best, lowest);
        return Rows(found, "rows").FirstOrDefault(r => Text(r, "estimator") == "truncated-bptt") is { ValueKind: JsonValueKind.Object } truncated
            && Number(truncated, "relativeBias") is { } bias ? Line("relative bias of truncated BPTT", bias) : null;
    }

    static JsonObject Line(string name, double value) => new() { ["name"] = name, ["value"] = value };

    // The document is a worker's, perhaps of another version: what does not fit is left out.
    static IEnumerable<JsonElement> Rows(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var rows) && rows.ValueKind == JsonValueKind.Array
            ? rows.EnumerateArray().Where(r => r.ValueKind == JsonValueKind.Object) : [];

    static double? Number(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

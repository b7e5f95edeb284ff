using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace MetaOpt.Runs;

/// <summary>The result of a run, as it is stored. A property is a field of the JSON document, in camelCase.</summary>
public abstract record RunResult
{
    static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    /// <summary>Name of the run's kind.</summary>
    [JsonPropertyOrder(-1)]
    public abstract string Kind { get; }

    /// <summary>Writes the stored document.</summary>
    public JsonObject ToJson() => (JsonObject)JsonSerializer.SerializeToNode(this, GetType(), s_json)!;

    /// <summary>
    /// Reads a stored document; null where it does not fit <paramref name="type"/>, as a row of another version may. Fields that
    /// it lacks have their defaults.
    /// </summary>
    internal static RunResult? TryRead(Type type, JsonElement? document)
    {
        if (document is not { ValueKind: JsonValueKind.Object } stored) return null;
        try
        {
            return (RunResult?)stored.Deserialize(type, s_json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>JSON has no infinity: null stands for a number that is not finite.</summary>
    internal static double? Finite(double value) => double.IsFinite(value) ? value : null;
}

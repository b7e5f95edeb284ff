using System.Text.Encodings.Web;
using System.Text.Json;

namespace MetaOpt.Cli.Client;

/// <summary>Reading of answers: a field that is absent and one that is null are the same to a client.</summary>
public static class Json
{
    static readonly JsonSerializerOptions Pretty = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The field <paramref name="name"/>, or null.</summary>
    public static JsonElement? Field(this JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value)
            && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>A text, or a number or boolean as text; null when absent.</summary>
    public static string? Text(this JsonElement parent, string name) => parent.Field(name)?.ToString();

    /// <summary>The short form of a run's id, which every command takes.</summary>
    public static string ShortId(this JsonElement run) => run.Text("id")![^8..];

    /// <summary>A number; null when absent.</summary>
    public static double? Number(this JsonElement parent, string name) =>
        parent.Field(name) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : null;

    /// <summary>True only when the field is there and true.</summary>
    public static bool Flag(this JsonElement parent, string name) => parent.Field(name) is { ValueKind: JsonValueKind.True };

    /// <summary>The elements of a list, bare or in the field <c>items</c> of a page.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement answer) => answer.ValueKind switch
    {
        JsonValueKind.Array => answer.EnumerateArray(),
        JsonValueKind.Object when answer.Field("items") is { } items => items.EnumerateArray(),
        _ => [],
    };

    /// <summary>Indented, for people.</summary>
    public static string Indented(this JsonElement value) => JsonSerializer.Serialize(value, Pretty);
}

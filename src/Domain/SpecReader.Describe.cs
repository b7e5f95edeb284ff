using System.Reflection;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt;

public static partial class SpecReader
{
    /// <summary>
    /// The catalogue: every kind of run, task, optimizer and learned optimizer with all its fields: JSON type, default, bounds,
    /// choices. Forms, Swagger and the catalogue endpoint are made from it.
    /// </summary>
    /// <param name="kinds">The kinds of runs.</param>
    /// <param name="summary">A sentence on a property, from its documentation; may give null.</param>
    public static JsonObject Describe(RunKinds kinds, Func<PropertyInfo, string?>? summary = null)
    {
        summary ??= static _ => null;
        var document = new JsonObject
        {
            ["kinds"] = new JsonArray([.. kinds.All.Select(kind => DescribeKind(kind, summary))]),
        };
        foreach (var registry in Catalog.Registries)
            document[registry.List] = new JsonArray([.. registry.All.Select(e => new JsonObject
            {
                ["name"] = e.Name,
                ["summary"] = e.Summary,
                ["paper"] = e.Paper,
                ["fields"] = DescribeFields(e.Options, summary),
            })]);
        document["datasets"] = new JsonArray([.. KnownDatasets.All.Select(d => new JsonObject
        {
            ["name"] = d.Name,
            ["rows"] = d.Rows,
            ["columns"] = d.Columns,
            ["channels"] = d.Channels,
            ["classes"] = d.Classes,
        })]);
        return document;
    }

    static JsonObject DescribeKind(RunKind kind, Func<PropertyInfo, string?> summary) => new()
    {
        ["name"] = kind.Name,
        ["summary"] = kind.Summary,
        ["view"] = kind.View,
        ["makes"] = new JsonArray(
            [.. kind.Makes.Select(m => new JsonObject { ["checkpoint"] = m.Checkpoint, ["artifact"] = m.Artifact })]),
        ["reads"] = new JsonArray([.. kind.Reads.Select(r => (JsonNode)r.Input.Artifact).DistinctBy(a => (string)a!)]),
        ["start"] = kind.Start,
        ["ranked"] = kind.IsRanked,
        ["portrait"] = kind.HasPortrait,
        ["fields"] = DescribeFields(kind.Spec, summary),
    };

    /// <summary>The fields of one closed record that <see cref="Read{T}"/> reads, as in the catalogue.</summary>
    public static JsonArray DescribeRecord(Type type, Func<PropertyInfo, string?>? summary = null) =>
        DescribeFields(type, summary ?? (static _ => null));

    static JsonArray DescribeFields(Type type, Func<PropertyInfo, string?> summary)
    {
        var defaults = Activator.CreateInstance(type);
        return new([.. SpecTypes.Fields(type).Select(f => DescribeField(f.Key, f.Value, f.Value.GetValue(defaults), summary))]);
    }

    static JsonObject DescribeField(string name, PropertyInfo field, object? value, Func<PropertyInfo, string?> summary)
    {
        var element = SpecTypes.ElementOf(field.PropertyType);
        var type = element ?? Nullable.GetUnderlyingType(field.PropertyType) ?? field.PropertyType;
        var isRecord = !type.IsValueType && type != typeof(string);
        var result = new JsonObject
        {
            ["name"] = name,
            ["type"] = TypeName(type),
            ["list"] = element is not null,
            ["nullable"] = SpecTypes.IsNullable(field),
            ["required"] = SpecTypes.IsRequired(field),
        };
        if (summary(field) is { } text) result["description"] = text;
        if (!SpecTypes.IsRequired(field) && (element is not null || !isRecord)) result["default"] = WriteValue(value);
        if (field.GetCustomAttribute<BoundsAttribute>() is { } bounds) (result["min"], result["max"]) = (bounds.Min, bounds.Max);
        if (field.GetCustomAttribute<LengthAttribute>() is { } length)
            (result["minLength"], result["maxLength"]) = (length.Min, length.Max);
        if (SpecTypes.InputOf(field) is { } input)
            (result["artifact"], result["source"]) = (input.Artifact, SpecTypes.EnumName(input.Source));
        if (type.IsEnum) result["choices"] = new JsonArray([.. SpecTypes.EnumNames(type).Select(n => (JsonNode)n)]);
        if (SpecTypes.Choices(type) is { } choices)
            result["choices"] = new JsonArray([.. choices.All.Select(e => (JsonNode)e.Name)]);
        else if (isRecord) result["fields"] = DescribeFields(type, summary);
        return result;
    }

    /// <summary>
    /// integer, number, boolean, string, uuid, choice, object; or what a polymorphic base's entries are, such as "task".
    /// </summary>
    static string TypeName(Type type) =>
        type == typeof(int) || type == typeof(long) ? "integer"
        : type == typeof(double) ? "number"
        : type == typeof(bool) ? "boolean"
        : type == typeof(string) ? "string"
        : type == typeof(Guid) ? "uuid"
        : type.IsEnum ? "choice"
        : SpecTypes.Choices(type) is { } choices ? choices.Kind
        : "object";
}

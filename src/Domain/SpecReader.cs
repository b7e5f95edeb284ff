using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;

namespace MetaOpt;

/// <summary>
/// The one door for specifications: JSON to a validated <see cref="RunSpec"/> and back. Driven by the closed option records
/// and their <see cref="BoundsAttribute"/> and <see cref="LengthAttribute"/>; a client's text only ever chooses among the
/// <see cref="Catalog"/>'s names. All errors are collected, each with the pointer of its field.
/// </summary>
public static partial class SpecReader
{
    /// <summary>The most errors that are told; a flood of unknown fields costs no more than that.</summary>
    const int MostErrors = 100;

    /// <summary>
    /// Reads and checks any closed record: a specification, a submission's envelope. Pointers of errors are relative to
    /// <paramref name="json"/>.
    /// </summary>
    /// <exception cref="SpecException">With everything that is wrong.</exception>
    public static T Read<T>(JsonElement json) where T : class => (T)Read(typeof(T), json);

    /// <inheritdoc cref="Read{T}"/>
    /// <param name="type">The record's type.</param>
    /// <param name="json">What was sent.</param>
    public static object Read(Type type, JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Undefined) throw new SpecException("", "is required.");
        var errors = new List<SpecError>();
        var result = ReadRecord(type, json, "", errors);
        if (errors.Count >= MostErrors) errors.Add(new("", "There may be more mistakes; mend these first."));
        return errors.Count == 0 ? result! : throw new SpecException(errors);
    }

    /// <summary>The normalised specification: every field, with its default where none was given.</summary>
    public static JsonObject Write(RunSpec spec) => (JsonObject)WriteValue(spec)!;

    /// <summary>Null after an error.</summary>
    static object? ReadRecord(Type declared, JsonElement json, string pointer, List<SpecError> errors)
    {
        var before = errors.Count;
        if (json.ValueKind != JsonValueKind.Object)
            return Fail(errors, pointer, $"must be an object, got {Quote(json)}.");
        var type = declared;
        var polymorphic = SpecTypes.Choices(declared) is not null;
        if (polymorphic && (type = ReadType(declared, json, pointer, errors)) is null) return null;
        var fields = SpecTypes.Fields(type);
        var result = Activator.CreateInstance(type)!;
        var given = new HashSet<string>();
        foreach (var property in json.EnumerateObject())
        {
            if (errors.Count >= MostErrors) return null;
            if (Name(property) is not { } name) Fail(errors, pointer, "has a field whose name is no valid text.");
            else if (!given.Add(name)) Fail(errors, Join(pointer, name), "is given twice.");
            else if (polymorphic && name == "type") continue;
            else if (!fields.TryGetValue(name, out var field))
            {
                IEnumerable<string> known = polymorphic ? ["type", .. fields.Keys] : fields.Keys;
                Fail(errors, Join(pointer, name), $"is not a field; {Suggest(name, fields.Keys)}known: {Choices(known)}.");
            }
            else if (ReadValue(field, property.Value, Join(pointer, name), errors) is var value && value is not null)
                field.SetValue(result, value == s_null ? null : value);
        }
        foreach (var (name, field) in fields)
            if (!given.Contains(name) && SpecTypes.IsRequired(field)) Fail(errors, Join(pointer, name), "is required.");
        if (errors.Count == before && result is IChecked spec)
            errors.AddRange(spec.Check().Select(e => new SpecError(pointer + e.Pointer, e.Detail)));
        return errors.Count == before ? result : null;
    }

    static Type? ReadType(Type declared, JsonElement json, string pointer, List<SpecError> errors)
    {
        var choices = SpecTypes.Choices(declared)!;
        var names = choices.All.Select(e => e.Name);
        // Not by TryGetProperty, which throws where another field's name is no valid text.
        if (json.EnumerateObject().Where(p => Name(p) == "type").Select(p => (JsonElement?)p.Value)
            .FirstOrDefault() is not { } type)
        {
            Fail(errors, Join(pointer, "type"), $"is required: which {choices.Kind}? Choose {Choices(names)}.");
            return null;
        }
        if (type.ValueKind == JsonValueKind.String && Text(type) is { } name
            && choices.All.FirstOrDefault(e => e.Name == name) is { } entry)
            return entry.Options;
        Fail(errors, Join(pointer, "type"), $"must be a {choices.Kind}: {Choices(names)}, got {Quote(type)}.");
        return null;
    }

    static readonly object s_null = new();

    /// <summary>Null after an error; <see cref="s_null"/> for an allowed null.</summary>
    static object? ReadValue(PropertyInfo field, JsonElement json, string pointer, List<SpecError> errors)
    {
        var type = field.PropertyType;
        if (json.ValueKind == JsonValueKind.Null)
            return SpecTypes.IsNullable(field)
                ? s_null
                : Fail(errors, pointer, "must not be null; leave it out for the default.");
        if (SpecTypes.ElementOf(type) is not { } element)
            return ReadScalar(Nullable.GetUnderlyingType(type) ?? type, field, json, pointer, errors);
        if (json.ValueKind != JsonValueKind.Array) return Fail(errors, pointer, $"must be a list, got {Quote(json)}.");
        var length = field.GetCustomAttribute<LengthAttribute>();
        var count = json.GetArrayLength();
        if (length is not null && (count < length.Min || count > length.Max))
            return Fail(errors, pointer, $"must have {length.Min} to {length.Max} entries, has {count}.");
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
        var (before, index) = (errors.Count, 0);
        foreach (var entry in json.EnumerateArray())
            if (ReadScalar(element, field, entry, $"{pointer}/{index++}", errors) is { } value) list.Add(value);
        return errors.Count == before ? list : null;
    }

    static object? ReadScalar(Type type, PropertyInfo field, JsonElement json, string pointer, List<SpecError> errors)
    {
        if (type == typeof(int) || type == typeof(long) || type == typeof(double))
            return ReadNumber(type, field, json, pointer, errors);
        if (type == typeof(bool))
        {
            return json.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? json.GetBoolean()
                : Fail(errors, pointer, $"must be true or false, got {Quote(json)}.");
        }
        if (type == typeof(Guid))
        {
            return json.ValueKind == JsonValueKind.String && Guid.TryParseExact(Text(json), "D", out var id)
                ? id
                : Fail(errors, pointer, $"must be an id such as 0198c0de-0000-7000-8000-000000000000, got {Quote(json)}.");
        }
        if (type.IsEnum)
        {
            return json.ValueKind == JsonValueKind.String && SpecTypes.EnumValue(type, Text(json)) is { } choice
                ? choice
                : Fail(errors, pointer, $"must be {Choices(SpecTypes.EnumNames(type))}, got {Quote(json)}.");
        }
        if (type == typeof(string)) return ReadText(field, json, pointer, errors);
        if (type == typeof(JsonElement)) return json.Clone();
        return ReadRecord(type, json, pointer, errors);
    }

    static object? ReadNumber(Type type, PropertyInfo field, JsonElement json, string pointer, List<SpecError> errors)
    {
        var bounds = field.GetCustomAttribute<BoundsAttribute>()
            ?? throw new InvalidOperationException($"{field.DeclaringType}.{field.Name} is a number without [Bounds].");
        var range = string.Create(CultureInfo.InvariantCulture, $"between {bounds.Min} and {bounds.Max}");
        var whole = type != typeof(double);
        if (json.ValueKind != JsonValueKind.Number || !json.TryGetDouble(out var number) || !double.IsFinite(number))
            return Fail(errors, pointer, $"must be a {(whole ? "whole " : "")}number {range}, got {Quote(json)}.");
        if (whole && number != Math.Floor(number))
            return Fail(errors, pointer, $"must be a whole number {range}, got {Quote(json)}.");
        if (number < bounds.Min || number > bounds.Max) return Fail(errors, pointer, $"must be {range}, got {Quote(json)}.");
        if (type == typeof(int)) return (int)number; // no conditional expression: it would make all three a double
        if (type == typeof(long)) return (long)number;
        return number;
    }

    static object? ReadText(PropertyInfo field, JsonElement json, string pointer, List<SpecError> errors)
    {
        var (min, max) = TextLength(field);
        if (json.ValueKind != JsonValueKind.String || Text(json) is not { } text)
            return Fail(errors, pointer, $"must be a text, got {Quote(json)}.");
        if (text.Length < min || text.Length > max)
            return Fail(errors, pointer, $"must be {min} to {max} characters long, is {text.Length}.");
        return text.Any(c => char.IsControl(c) && c is not ('\n' or '\r' or '\t'))
            ? Fail(errors, pointer, "must not contain control characters.")
            : text;
    }

    /// <summary>Of a text; or of each text of a list, whose own length is in [Length].</summary>
    static (double Min, double Max) TextLength(PropertyInfo field) =>
        SpecTypes.ElementOf(field.PropertyType) is null && field.GetCustomAttribute<LengthAttribute>() is { } length
            ? (length.Min, length.Max)
        : SpecTypes.ElementOf(field.PropertyType) is not null && field.GetCustomAttribute<BoundsAttribute>() is { } bounds
            ? (bounds.Min, bounds.Max)
        : throw new InvalidOperationException($"The length of {field.DeclaringType}.{field.Name} is not bounded.");

    static JsonNode? WriteValue(object? value) => value switch
    {
        null => null,
        string text => text,
        bool flag => flag,
        int number => number,
        long number => number,
        double number => number,
        Guid id => id.ToString(),
        Enum choice => SpecTypes.EnumName(choice),
        IEnumerable list => new JsonArray([.. list.Cast<object>().Select(WriteValue)]),
        _ => WriteRecord(value),
    };

    static JsonObject WriteRecord(object value)
    {
        var result = new JsonObject();
        if (SpecTypes.NameOf(value.GetType()) is { } name) result["type"] = name;
        foreach (var (field, property) in SpecTypes.Fields(value.GetType())) result[field] = WriteValue(property.GetValue(value));
        return result;
    }

    static object? Fail(List<SpecError> errors, string pointer, string detail)
    {
        errors.Add(new SpecError(pointer, detail));
        return null;
    }

    /// <summary>Null for a text with half a surrogate pair, which .NET refuses to decode.</summary>
    static string? Text(JsonElement json)
    {
        try
        {
            return json.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>As <see cref="Text"/>, for a field's name.</summary>
    static string? Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    static string Quote(JsonElement json)
    {
        var raw = json.GetRawText();
        return raw.Length <= 60 ? raw : raw[..57] + "...";
    }

    static string Choices(IEnumerable<string> names) => string.Join(", ", names);

    static string Join(string pointer, string name) => $"{pointer}/{name.Replace("~", "~0").Replace("/", "~1")}";

    static string Suggest(string name, IEnumerable<string> known) =>
        name.Length <= 60 && known.FirstOrDefault(k => Distance(name, k) <= 2) is { } near ? $"did you mean \"{near}\"? " : "";

    /// <summary>Levenshtein's edit distance, letter case ignored.</summary>
    static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                (diagonal, row[j]) = (row[j], Math.Min(diagonal + same, 1 + Math.Min(row[j], row[j - 1])));
            }
        }
        return row[b.Length];
    }
}

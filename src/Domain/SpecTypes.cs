using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using MetaOpt.Runs;

namespace MetaOpt;

/// <summary>The records' shapes for <see cref="SpecReader"/>: field names, nullability, choices.</summary>
static class SpecTypes
{
    static readonly ConcurrentDictionary<Type, IReadOnlyDictionary<string, PropertyInfo>> s_fields = new();

    /// <summary>The registered choices for a polymorphic base; null for an ordinary record.</summary>
    public static Registry? Choices(Type declared) => Catalog.Registries.FirstOrDefault(r => r.Options == declared);

    /// <summary>The catalogue's name of an options record; null for other records.</summary>
    public static string? NameOf(Type type) =>
        Catalog.Registries.SelectMany(r => r.All).FirstOrDefault(e => e.Options == type)?.Name;

    /// <summary>Settable properties by JSON name, those of base records first.</summary>
    public static IReadOnlyDictionary<string, PropertyInfo> Fields(Type type) => s_fields.GetOrAdd(type, static t =>
    {
        var depth = (Type? d) => { var n = 0; for (; d is not null; d = d.BaseType) n++; return n; };
        var fields = t.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => p.SetMethod is { IsPublic: true })
            .OrderBy(p => depth(p.DeclaringType)).ThenBy(p => p.MetadataToken).ToList();
        foreach (var moved in fields.Where(f => f.IsDefined(typeof(BeforeAttribute))).ToList())
        {
            fields.Remove(moved);
            fields.Insert(fields.FindIndex(f => f.Name == moved.GetCustomAttribute<BeforeAttribute>()!.Property), moved);
        }
        return fields.ToDictionary(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name));
    });

    /// <summary>The artifact that a field names; null for other fields.</summary>
    public static InputAttribute? InputOf(PropertyInfo field) => field.GetCustomAttribute<InputAttribute>();

    /// <summary>Finds the fields of a record, and of records in it, that name artifacts.</summary>
    public static IReadOnlyList<(string Field, InputAttribute Input)> Inputs(Type type) =>
    [
        .. from field in Fields(type)
           let inner = ElementOf(field.Value.PropertyType) ?? field.Value.PropertyType
           from input in InputOf(field.Value) is { } own ? [(field.Key, own)]
               : inner.IsValueType || inner == typeof(string) || Choices(inner) is not null ? [] : Inputs(inner)
           select input,
    ];

    public static bool IsRequired(PropertyInfo field) => field.IsDefined(typeof(RequiredMemberAttribute));

    public static bool IsNullable(PropertyInfo field) => Nullable.GetUnderlyingType(field.PropertyType) is not null
        || !field.PropertyType.IsValueType && new NullabilityInfoContext().Create(field).WriteState == NullabilityState.Nullable;

    /// <summary>The element of a list type, or null.</summary>
    public static Type? ElementOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    public static string EnumName(Enum value) => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    public static IEnumerable<string> EnumNames(Type type) => Enum.GetValues(type).Cast<Enum>().Select(EnumName);

    public static object? EnumValue(Type type, string? name) =>
        Enum.GetValues(type).Cast<Enum>().FirstOrDefault(v => EnumName(v) == name);
}

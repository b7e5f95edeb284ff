using System.Diagnostics.CodeAnalysis;

namespace MetaOpt;

/// <summary>
/// The catalogue's entry of one task, optimizer, ..: the JSON field <c>type</c> chooses it by <see cref="Name"/>.
/// </summary>
/// <param name="Name">Lower case, words joined by hyphens; the value of <c>type</c>.</param>
/// <param name="Summary">One sentence with the formula.</param>
/// <param name="Paper">Source: authors, year, link or section.</param>
/// <param name="Options">The closed record of its options: bounded by <see cref="BoundsAttribute"/>, every one with a
/// default.</param>
public abstract record Entry(string Name, string Summary, string Paper, Type Options);

/// <summary>An entry of one kind; <typeparamref name="TOptions"/> is the common base of that kind's option records.</summary>
/// <inheritdoc cref="Entry"/>
public sealed record Entry<TOptions>(string Name, string Summary, string Paper, Type Options)
    : Entry(Name, Summary, Paper, Options)
{
    /// <summary>An entry whose options are <typeparamref name="T"/>.</summary>
    public static Entry<TOptions> Of<T>(string name, string summary, string paper) where T : TOptions, new() =>
        new(name, summary, paper, typeof(T));
}

/// <summary>An explicit, ordered list of entries of one kind; see <see cref="Catalog"/>.</summary>
/// <param name="kind">What the entries are, in the singular: "task", "learned optimizer".</param>
/// <param name="list">Their list in the catalogue's document: "tasks", "learnedOptimizers".</param>
/// <param name="options">The common base of their option records.</param>
/// <param name="entries">In the order of registration.</param>
public abstract class Registry(string kind, string list, Type options, IReadOnlyList<Entry> entries)
{
    /// <summary>The kind of the entries, in the singular: "task", "learned optimizer".</summary>
    public string Kind => kind;

    /// <summary>Their list in the catalogue's document: "tasks", "learnedOptimizers".</summary>
    public string List => list;

    /// <summary>The common base of their option records.</summary>
    public Type Options => options;

    /// <summary>In the order of registration.</summary>
    public IReadOnlyList<Entry> All => entries;
}

/// <summary>A list whose entries' options derive from <typeparamref name="TOptions"/>.</summary>
public sealed class Registry<TOptions>(string kind, string list, params Entry<TOptions>[] entries)
    : Registry(kind, list, typeof(TOptions), entries)
{
    /// <summary>In the order of registration.</summary>
    public IReadOnlyList<Entry<TOptions>> Entries => entries;

    /// <summary>The entry called <paramref name="name"/>.</summary>
    public bool TryFind(string name, [NotNullWhen(true)] out Entry<TOptions>? entry) =>
        (entry = Array.Find(entries, e => e.Name == name)) is not null;

    /// <summary>The entry that <paramref name="options"/> belongs to.</summary>
    public Entry<TOptions> Of(TOptions options) =>
        Array.Find(entries, e => e.Options == options!.GetType())
        ?? throw new InvalidOperationException(
            $"{options!.GetType()} is not registered as a {Kind}; add its entry to Catalog.cs.");
}

/// <summary>Inclusive range of a numeric option; in a list, of each number, or of each text's length.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BoundsAttribute(double min, double max) : Attribute
{
    /// <summary>Smallest allowed value.</summary>
    public double Min => min;
    /// <summary>Largest allowed value.</summary>
    public double Max => max;
}

/// <summary>Inclusive range of a list's or a text's length.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class LengthAttribute(int min, int max) : Attribute
{
    /// <summary>Smallest allowed length.</summary>
    public int Min => min;
    /// <summary>Largest allowed length.</summary>
    public int Max => max;
}

/// <summary>
/// Places a field before one of a base record. Checkpoints hold the text of the specification that made them, so that the order
/// of fields is part of their bytes.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BeforeAttribute(string property) : Attribute
{
    /// <summary>Name of the property that comes after it.</summary>
    public string Property => property;
}

/// <summary>A specification with rules that span several fields; checked after every single field is in range.</summary>
public interface IChecked
{
    /// <summary>The errors; pointers are relative to this record.</summary>
    IEnumerable<SpecError> Check();
}

using System.Collections;
using System.Text.Json;

namespace MetaOpt.Runs;

/// <summary>An artifact that a specification names by its id, and that the run reads.</summary>
/// <param name="Pointer">JSON pointer of the field.</param>
/// <param name="Id">Id of a checkpoint, or of the run that makes it.</param>
/// <param name="Artifact">Kind of the artifact, see <see cref="Artifacts"/>.</param>
/// <param name="Source">Whose id it is.</param>
public sealed record InputRef(string Pointer, Guid Id, string Artifact, InputSource Source)
{
    /// <summary>
    /// Finds every field marked with <see cref="InputAttribute"/> that has a value, in the order of the fields.
    /// </summary>
    internal static IEnumerable<InputRef> Of(object record, string pointer = "")
    {
        foreach (var (name, field) in SpecTypes.Fields(record.GetType()))
        {
            var here = $"{pointer}/{name}";
            var value = field.GetValue(record);
            if (SpecTypes.InputOf(field) is { } input)
            {
                if (value is Guid id) yield return new(here, id, input.Artifact, input.Source);
                continue;
            }
            foreach (var (part, at) in Parts(value))
                foreach (var found in Of(part, here + at)) yield return found;
        }
    }

    /// <summary>The records in a field's value: itself, or the entries of a list.</summary>
    static IEnumerable<(object Record, string At)> Parts(object? value) => value switch
    {
        null or string or JsonElement => [],
        IEnumerable list => list.Cast<object>().Select((entry, i) => (entry, $"/{i}")).Where(e => IsRecord(e.entry)),
        _ => IsRecord(value) ? [(value, "")] : [],
    };

    static bool IsRecord(object value) => !value.GetType().IsValueType && value is not string;
}

/// <summary>Whose id a specification gives for an input.</summary>
public enum InputSource
{
    /// <summary>A stored checkpoint's. It must exist when the run is submitted.</summary>
    Checkpoint,
    /// <summary>A run's, whose final checkpoint is read: the new run waits for it.</summary>
    Run,
}

/// <summary>Marks a field of a specification that names an artifact by an id.</summary>
/// <param name="artifact">Kind of the artifact.</param>
/// <param name="source">Whose id it is.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class InputAttribute(string artifact, InputSource source) : Attribute
{
    /// <summary>Kind of the artifact.</summary>
    public string Artifact => artifact;

    /// <summary>Whose id it is.</summary>
    public InputSource Source => source;
}

/// <summary>Kinds of artifacts that more than one kind of run knows.</summary>
public static class Artifacts
{
    /// <summary>A rule and its phi; see docs/checkpoint-format.md.</summary>
    public const string LearnedOptimizer = "learned-optimizer";

    /// <summary>Parameters of optimizees at the end of inner runs, for people to look at.</summary>
    public const string Thetas = "thetas";
}

using System.Text.Json;

namespace MetaOpt.Runs;

/// <summary>
/// The kinds of runs that a process knows, in the order of registration. It never changes: a process is given its list when it
/// starts.
/// </summary>
public sealed class RunKinds(params IReadOnlyList<RunKind> entries)
{
    /// <summary>The entries.</summary>
    public IReadOnlyList<RunKind> All => entries;

    /// <summary>Their names.</summary>
    public IEnumerable<string> Names => entries.Select(k => k.Name);

    /// <summary>The same list and one more kind.</summary>
    public RunKinds With(RunKind more) => new([.. entries, more]);

    /// <summary>Finds the entry called <paramref name="name"/>; null when there is none.</summary>
    public RunKind? Find(string name) => entries.FirstOrDefault(k => k.Name == name);

    /// <summary>Finds the entry of a specification.</summary>
    public RunKind Of(RunSpec spec) => entries.FirstOrDefault(k => k.Spec == spec.GetType())
        ?? throw new InvalidOperationException(
            $"{spec.GetType()} is not registered as a kind of run; add its entry to Catalog.cs.");

    /// <summary>The kinds whose runs store an artifact that other runs read from them.</summary>
    public IEnumerable<RunKind> MakersOf(string artifact) => entries.Where(k => k.Makes.Any(m => m.Artifact == artifact));

    /// <summary>Reads and checks a specification. Pointers of errors are relative to <paramref name="spec"/>.</summary>
    /// <exception cref="SpecException">With everything that is wrong.</exception>
    public RunSpec Read(string kind, JsonElement spec) => Find(kind) is { } entry
        ? (RunSpec)SpecReader.Read(entry.Spec, spec)
        : throw new SpecException("", $"\"{kind}\" is not a kind of run; choose {string.Join(", ", Names)}.");
}

using System.Text.Json;
using System.Text.RegularExpressions;

namespace MetaOpt.Api.Runs;

/// <summary>The body of <c>POST /runs</c>.</summary>
public sealed partial record Submission : IChecked
{
    /// <summary>Name of a kind of run.</summary>
    [Length(1, 40)]
    public required string Kind { get; init; }

    /// <summary>The run's name; its kind by default.</summary>
    [Length(1, 200)]
    public string? Name { get; init; }

    /// <summary>Free labels.</summary>
    [Length(0, 20), Bounds(1, 60)]
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Free text.</summary>
    [Length(0, 10_000)]
    public string Notes { get; init; } = "";

    /// <summary>Which workers may take it.</summary>
    [Length(1, 40)]
    public string Pool { get; init; } = "cpu";

    /// <summary>Higher goes first.</summary>
    [Bounds(-100, 100)]
    public int Priority { get; init; }

    /// <summary>Time of all attempts together after which it fails; null: no limit.</summary>
    [Bounds(1, 31_536_000)]
    public double? TimeLimitSeconds { get; init; }

    /// <summary>Runs that must have succeeded before this one starts.</summary>
    [Length(0, 50)]
    public IReadOnlyList<Guid> After { get; init; } = [];

    /// <summary>The specification of the run's kind.</summary>
    public required JsonElement Spec { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (!PoolName().IsMatch(Pool))
            yield return new("/pool", $"must be lower-case letters, digits and hyphens, got \"{Pool}\".");
    }

    [GeneratedRegex("^[a-z0-9-]+$")]
    private static partial Regex PoolName();
}

/// <summary>The body of <c>PATCH /runs/{id}</c>: a field that is left out stays.</summary>
public sealed record RunChange
{
    /// <inheritdoc cref="Submission.Name"/>
    [Length(1, 200)]
    public string? Name { get; init; }

    /// <inheritdoc cref="Submission.Tags"/>
    [Length(0, 20), Bounds(1, 60)]
    public IReadOnlyList<string>? Tags { get; init; }

    /// <inheritdoc cref="Submission.Notes"/>
    [Length(0, 10_000)]
    public string? Notes { get; init; }

    /// <inheritdoc cref="Submission.Priority"/>
    [Bounds(-100, 100)]
    public int? Priority { get; init; }

    /// <inheritdoc cref="Submission.TimeLimitSeconds"/>
    [Bounds(1, 31_536_000)]
    public double? TimeLimitSeconds { get; init; }
}

using System.Text.Json;
using System.Text.RegularExpressions;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Api.Runs;

/// <summary>What <c>POST /runs</c> takes.</summary>
public sealed partial record Submission : IChecked
{
    /// <summary>meta-training or evaluation.</summary>
    [Length(1, 40)]
    public required string Kind { get; init; }

    /// <summary>What its owner calls it; by default its kind.</summary>
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

    /// <summary>What to compute.</summary>
    public required JsonElement Spec { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (!SpecReader.Kinds.ContainsKey(Kind)) yield return new("/kind", $"must be {string.Join(" or ", SpecReader.Kinds.Keys)}, got \"{Kind}\".");
        if (!PoolName().IsMatch(Pool)) yield return new("/pool", $"must be lower-case letters, digits and hyphens, got \"{Pool}\".");
    }

    /// <summary>The validated specification, within the limits and with its checkpoints in place.</summary>
    public async Task<(RunSpec Spec, CostPrediction Cost)> ResolveAsync(ApiSettings limits, CheckpointStore checkpoints, CancellationToken cancel)
    {
        RunSpec spec;
        try
        {
            spec = SpecReader.Read(Kind, Spec);
        }
        catch (SpecException error)
        {
            throw ProblemException.Invalid(error, "/spec");
        }
        var cost = spec.PredictCost();
        var missing = new List<SpecError>();
        foreach (var (pointer, id) in spec.RequiredCheckpoints)
            if (await checkpoints.FindAsync(id, cancel) is null) missing.Add(new(pointer, $"there is no checkpoint {id}."));
        if (cost.Bytes > limits.MaxRunBytes)
            missing.AddRange(cost.Reducible.Select(p => new SpecError(p, $"the run would need about {cost.Bytes >> 20} MiB, allowed are {limits.MaxRunBytes >> 20} MiB; lower this.")));
        if (cost.Seconds > limits.MaxRunSeconds)
            missing.AddRange(cost.Reducible.Select(p => new SpecError(p, $"the run would take about {cost.Seconds:F0} s, allowed are {limits.MaxRunSeconds:F0} s; lower this.")));
        return missing.Count == 0 ? (spec, cost) : throw ProblemException.Invalid(new SpecException(missing), "/spec");
    }

    [GeneratedRegex("^[a-z0-9-]+$")]
    private static partial Regex PoolName();
}

/// <summary>What <c>PATCH /runs/{id}</c> takes: what is left out stays.</summary>
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
}

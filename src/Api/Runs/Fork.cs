using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Api.Runs;

/// <summary>The body of <c>POST /runs/{id}/fork</c>: the differences from the old run.</summary>
public sealed record Fork
{
    /// <summary>By default the old run's.</summary>
    [Length(1, 200)]
    public string? Name { get; init; }

    /// <summary>By default the old run's.</summary>
    [Length(0, 20), Bounds(1, 60)]
    public IReadOnlyList<string>? Tags { get; init; }

    /// <inheritdoc cref="Submission.Notes"/>
    [Length(0, 10_000)]
    public string Notes { get; init; } = "";

    /// <summary>By default the old run's.</summary>
    [Length(1, 40)]
    public string? Pool { get; init; }

    /// <inheritdoc cref="Submission.Priority"/>
    [Bounds(-100, 100)]
    public int Priority { get; init; }

    /// <summary>By default the old run's.</summary>
    [Bounds(1, 31_536_000)]
    public double? TimeLimitSeconds { get; init; }

    /// <summary>
    /// Changes of the specification, as in a JSON merge patch (RFC 7396): null brings a field back to its default. An object with
    /// another <c>type</c> takes the old one's place.
    /// </summary>
    public JsonElement? Spec { get; init; }

    /// <summary>Id of a checkpoint that the new run begins with, where its kind can.</summary>
    public Guid? Checkpoint { get; init; }

    /// <summary>The submission that it stands for.</summary>
    public Submission Of(Run run, RunKinds kinds)
    {
        var spec = JsonNode.Parse(run.Spec.GetRawText()) as JsonObject
            ?? throw new ProblemException(409, "unreadable",
                $"The specification of run {run.Id} is not an object; submit a new run instead.");
        if (Spec is { } changes)
            spec = Merge(spec, changes) as JsonObject
                ?? throw ProblemException.Invalid(new SpecException("/spec", "must be an object with the fields to change."));
        if (Checkpoint is { } checkpoint)
        {
            var start = kinds.Find(run.Kind)?.Start ?? throw ProblemException.Invalid(new SpecException(
                "/checkpoint", $"run {run.Id} is of kind {run.Kind}, which begins with no checkpoint; leave it out."));
            spec[start] = checkpoint.ToString();
        }
        return new Submission
        {
            Kind = run.Kind,
            Name = Name ?? run.Name,
            Tags = Tags ?? run.Tags,
            Notes = Notes,
            Pool = Pool ?? run.Pool,
            Priority = Priority,
            TimeLimitSeconds = TimeLimitSeconds ?? run.TimeLimit?.TotalSeconds,
            Spec = JsonElement.Parse(spec.ToJsonString()),
        };
    }

    static JsonNode? Merge(JsonNode? target, JsonElement changes)
    {
        if (changes.ValueKind != JsonValueKind.Object) return JsonNode.Parse(changes.GetRawText());
        var other = changes.TryGetProperty("type", out var type)
            && type.GetRawText() != (target as JsonObject)?["type"]?.ToJsonString();
        var result = other || target is not JsonObject ? [] : (JsonObject)target.DeepClone();
        foreach (var change in changes.EnumerateObject())
            if (change.Value.ValueKind == JsonValueKind.Null) result.Remove(change.Name);
            else result[change.Name] = Merge(result[change.Name], change.Value);
        return result;
    }
}

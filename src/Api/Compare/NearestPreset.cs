using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Presets;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>Which published figure's run one is most like, and what is different.</summary>
static class NearestPreset
{
    /// <summary>A run of a preset in one size, as it is submitted.</summary>
    sealed record Candidate(Preset Preset, PresetSize Size, PlannedRun Run, JsonObject Spec);

    static readonly Lazy<IReadOnlyList<Candidate>> s_candidates = new(() =>
    [
        .. from preset in Catalog.Presets
           from size in Enum.GetValues<PresetSize>()
           let plan = preset.Plan(size)
           from run in plan.Runs
           select new Candidate(preset, size, run, run.Submitted(plan)),
    ]);

    public static void MapNearestPreset(this RouteGroupBuilder v1) =>
        v1.MapGet("/runs/{id:guid}/preset", ReadAsync).WithTags("Runs")
        .WithSummary(
            "The preset's run that this one is most like, and every field but the seed in which it differs from it; null when "
            + "none is of its task and optimizer.");

    static async Task<IResult> ReadAsync(Guid id, HttpRequest request, RunKinds kinds, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel)
            ?? throw ProblemException.NotFound($"run {id}");
        var spec = JsonNode.Parse(run.Spec.GetRawText()) as JsonObject ?? [];
        var nearest = s_candidates.Value.Where(c => c.Run.Spec.GetType() == kinds.Find(run.Kind)?.Spec && SameTypes(c.Spec, spec))
            .Select(c => (Candidate: c, Differences: Differences(spec, c)))
            .OrderBy(n => n.Differences.Count).FirstOrDefault();
        return Results.Json(new JsonObject
        {
            ["nearest"] = nearest.Differences is null ? null : new JsonObject
            {
                ["preset"] = nearest.Candidate.Preset.Name,
                ["run"] = $"{run.Kind} \"{nearest.Candidate.Run.Name}\", {(nearest.Candidate.Size == PresetSize.Quick ? "quick" : "full")} size,",
                ["differences"] = new JsonArray([.. nearest.Differences.Select(d => new JsonObject
                {
                    ["pointer"] = d.Pointer,
                    ["run"] = d.Values[0]?.DeepClone(),
                    ["preset"] = d.Values[1]?.DeepClone(),
                })]),
            },
        });
    }

    /// <summary>
    /// Whether the parts that a type chooses, such as the task and the optimizer, are of the same type in both.
    /// </summary>
    static bool SameTypes(JsonObject a, JsonObject b) =>
        a.Select(field => field.Key).Union(b.Select(field => field.Key))
            .All(field => JsonNode.DeepEquals(TypeOf(a, field), TypeOf(b, field)));

    static JsonNode? TypeOf(JsonObject spec, string field) => (spec[field] as JsonObject)?["type"];

    /// <summary>Everything but the seed, which is meant to differ, and ids that the preset leaves open.</summary>
    static List<SpecDifference> Differences(JsonObject spec, Candidate candidate)
    {
        var preset = (JsonObject)candidate.Spec.DeepClone();
        foreach (var (field, value) in spec)
            if (value is JsonArray entries && preset[field] is JsonArray planned && planned.Any(e => e is JsonObject))
                preset[field] = Align(planned, entries);
        return [.. SpecDifference.Of([spec, preset])
            .Where(d => d.Pointer != "/seed" && !(d.Values[0] is not null && candidate.Run.LeavesOpen(preset, d.Pointer)))];
    }

    /// <summary>
    /// The preset's entries, each at the place of the run's of the same name; those that the run lacks come last.
    /// </summary>
    static JsonArray Align(JsonArray preset, JsonArray run)
    {
        List<JsonNode?> left = [.. preset];
        JsonNode? Take(JsonNode? entry)
        {
            var at = left.FindIndex(c => Name(c) == Name(entry));
            if (at < 0) return null;
            var found = left[at];
            left.RemoveAt(at);
            return found;
        }
        List<JsonNode?> aligned = [.. run.Select(Take)];
        return new JsonArray([.. aligned.Concat(left).Select(c => c?.DeepClone())]);
    }

    /// <summary>An entry's name; by default the type that it holds.</summary>
    static string? Name(JsonNode? entry) => entry is JsonObject fields
        ? (fields["name"]
            ?? fields.Select(field => TypeOf(fields, field.Key)).FirstOrDefault(type => type is not null))?.ToJsonString()
        : entry?.ToJsonString();
}

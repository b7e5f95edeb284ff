using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Presets;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>Which published figure's run one is most like, and what is different.</summary>
static class NearestPreset
{
    /// <summary>
    /// A run of a preset. The learned contestants of an evaluation have names but no checkpoints, and a diagnosis has none:
    /// those exist once its trainings have run.
    /// </summary>
    sealed record Planned(string Preset, string Run, string Kind, JsonObject Spec);

    static readonly Lazy<IReadOnlyList<Planned>> s_planned = new(() =>
    [
        .. from preset in Catalog.Presets
           from size in Enum.GetValues<PresetSize>()
           let plan = preset.Plan(size)
           from run in plan.Trainings.Select(t => (t.Name, Kind: "meta-training", Spec: SpecReader.Write(t.Spec)))
               .Concat(plan.Evaluations.Select(e => (e.Name, Kind: "evaluation", Spec: Evaluation(e, plan))))
               .Concat(plan.Diagnoses.Select(d => (d.Name, Kind: "meta-gradient-diagnosis", Spec: SpecReader.Write(d.Spec))))
           select new Planned(preset.Name, $"{run.Kind} \"{run.Name}\", {(size == PresetSize.Quick ? "quick" : "full")} size,", run.Kind, run.Spec)
    ]);

    public static void MapNearestPreset(this RouteGroupBuilder v1) => v1.MapGet("/runs/{id:guid}/preset", ReadAsync).WithTags("Runs")
        .WithSummary("The preset's run that this one is most like, and every field but the seed in which it differs from it; null when none is of its task and optimizer.");

    static async Task<IResult> ReadAsync(Guid id, HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel) ?? throw ProblemException.NotFound($"run {id}");
        var spec = JsonNode.Parse(run.Spec.GetRawText()) as JsonObject ?? [];
        var nearest = s_planned.Value.Where(p => p.Kind == run.Kind && SameType(p.Spec, spec, "task") && SameType(p.Spec, spec, "optimizer"))
            .Select(p => (Planned: p, Differences: Differences(spec, p)))
            .OrderBy(n => n.Differences.Count).FirstOrDefault();
        return Results.Json(new JsonObject
        {
            ["nearest"] = nearest.Differences is null ? null : new JsonObject
            {
                ["preset"] = nearest.Planned.Preset,
                ["run"] = nearest.Planned.Run,
                ["differences"] = new JsonArray([.. nearest.Differences.Select(d => new JsonObject
                {
                    ["pointer"] = d.Pointer,
                    ["run"] = d.Values[0]?.DeepClone(),
                    ["preset"] = d.Values[1]?.DeepClone(),
                })]),
            },
        });
    }

    static bool SameType(JsonObject a, JsonObject b, string field) => JsonNode.DeepEquals(TypeOf(a, field), TypeOf(b, field));

    static JsonNode? TypeOf(JsonObject spec, string field) => (spec[field] as JsonObject)?["type"];

    /// <summary>The contestants as <c>./metaopt reproduce</c> submits them, the learned ones first.</summary>
    static JsonObject Evaluation(PlannedEvaluation evaluation, PresetPlan plan)
    {
        var spec = SpecReader.Write(evaluation.Spec);
        var learned = from training in plan.Trainings
                      where evaluation.Learned.Contains(training.Name)
                      from seed in training.Seeds
                      select new JsonObject { ["name"] = $"{training.Name}/{seed}" };
        spec["contestants"] = new JsonArray([.. learned, .. spec["contestants"]!.AsArray().Select(c => c!.DeepClone())]);
        return spec;
    }

    /// <summary>Everything but the seed, which is meant to differ, and ids of checkpoints that the preset leaves open.</summary>
    static List<SpecDifference> Differences(JsonObject spec, Planned planned)
    {
        var preset = planned.Spec;
        if (spec["contestants"] is JsonArray contestants)
        {
            preset = (JsonObject)preset.DeepClone();
            preset["contestants"] = Align(preset["contestants"] as JsonArray ?? [], contestants);
        }
        return [.. SpecDifference.Of([spec, preset]).Where(d => d.Pointer.Split('/') switch
        {
            ["", "seed"] => false,
            ["", "checkpoint"] => spec["checkpoint"] is null,
            ["", "contestants", var at, "checkpoint" or "run"] => !IsLearned(preset["contestants"]![int.Parse(at, System.Globalization.CultureInfo.InvariantCulture)]),
            _ => true,
        })];
    }

    static bool IsLearned(JsonNode? contestant) => contestant is not null && contestant["optimizer"] is null;

    /// <summary>The preset's contestants, each at the place of the run's of the same name; those that the run lacks come last.</summary>
    static JsonArray Align(JsonArray preset, JsonArray run)
    {
        List<JsonNode?> left = [.. preset];
        JsonNode? Take(JsonNode? contestant)
        {
            var at = left.FindIndex(c => Name(c) == Name(contestant));
            if (at < 0) return null;
            var found = left[at];
            left.RemoveAt(at);
            return found;
        }
        List<JsonNode?> aligned = [.. run.Select(Take)];
        return new JsonArray([.. aligned.Concat(left).Select(c => c?.DeepClone())]);
    }

    static string? Name(JsonNode? contestant) =>
        contestant is JsonObject fields ? (fields["name"] ?? TypeOf(fields, "optimizer"))?.ToJsonString() : contestant?.ToJsonString();
}

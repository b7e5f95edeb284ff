using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Presets;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>Which published figure's run one is most like, and what is different.</summary>
static class NearestPreset
{
    /// <summary>Seeds are meant to differ, and an evaluation's contestants are its own.</summary>
    static readonly string[] s_left = ["seed", "contestants"];

    static readonly Lazy<IReadOnlyList<(string Preset, string Run, string Kind, JsonObject Spec)>> s_planned = new(() =>
    [
        .. from preset in Catalog.Presets
           from size in Enum.GetValues<PresetSize>()
           let plan = preset.Plan(size)
           from run in plan.Trainings.Select(t => (t.Name, Kind: "meta-training", Spec: SpecReader.Write(t.Spec)))
               .Concat(plan.Evaluations.Select(e => (e.Name, Kind: "evaluation", Spec: SpecReader.Write(e.Spec))))
           select (preset.Name, $"{run.Kind} \"{run.Name}\", {(size == PresetSize.Quick ? "quick" : "full")} size,", run.Kind, run.Spec)
    ]);

    public static void MapNearestPreset(this RouteGroupBuilder v1) => v1.MapGet("/runs/{id:guid}/preset", ReadAsync).WithTags("Runs")
        .WithSummary("The preset's run that this one is most like, and every field in which it differs from it; null when none is of its task and optimizer.");

    static async Task<IResult> ReadAsync(Guid id, HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel) ?? throw ProblemException.NotFound($"run {id}");
        var spec = JsonNode.Parse(run.Spec.GetRawText())!.AsObject();
        var nearest = s_planned.Value.Where(p => p.Kind == run.Kind && SameType(p.Spec, spec, "task") && SameType(p.Spec, spec, "optimizer"))
            .Select(p => (Planned: p, Differences: SpecDifference.Of([spec, p.Spec]).Where(d => !s_left.Contains(d.Pointer.Split('/')[1])).ToList()))
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

    static bool SameType(JsonObject a, JsonObject b, string field) => (string?)a[field]?["type"] == (string?)b[field]?["type"];
}

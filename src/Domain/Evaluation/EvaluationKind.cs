using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;

namespace MetaOpt.Evaluation;

/// <summary>The kind of run that measures optimizers side by side.</summary>
public static class EvaluationKind
{
    internal const string Name = "evaluation";

    static readonly RunExample s_example = new("evaluation of baselines", "Tuned baselines on quadratics", """
        {"seed":1,
         "task":{"type":"quadratic","dimensions":10},"horizon":100,"instances":500,
         "contestants":[{"optimizer":{"type":"sgd"}},{"optimizer":{"type":"adam"}},{"optimizer":{"type":"momentum","learningRate":0.01}}],
         "tuning":{"instances":200}}
        """);

    /// <summary>The catalogue's entry.</summary>
    public static readonly RunKind Entry = new RunKind<EvaluationSpec, EvaluationResult>(
        Name, "Measure optimizers side by side on instances nobody trained or tuned on.", s_example)
    {
        View = Name,
        Makes = [new("thetas", Artifacts.Thetas)],
        Headline = result =>
            result.Contestants?.Where(c => c is { Name: not null, FinalMean: not null }).MinBy(c => c!.FinalMean) is { } best
            ? new(best.Name!, best.FinalMean!.Value) : null,
        Measure = Measure,
        UpdateResponse = Plan,
    };

    /// <summary>
    /// The specification is read field by field, since rows of other versions lie beside each other: whatever a contestant's
    /// fields are called, what it is does not depend on its name.
    /// </summary>
    static (Measurement? Found, string Reason) Measure(JsonElement stored, EvaluationResult? result)
    {
        if (stored.ValueKind != JsonValueKind.Object || JsonNode.Parse(stored.GetRawText()) is not JsonObject spec
            || spec["task"] is not JsonObject task || spec["contestants"] is not JsonArray asked
            || Whole(spec["horizon"]) is not { } horizon || Whole(spec["instances"]) is not { } instances)
            return (null, "its specification has no task, horizon, instances and contestants that this version reads");
        const string incomplete = "its result does not have one measurement for each contestant";
        if (result?.Contestants is not { } measured || measured.Count != asked.Count) return (null, incomplete);
        var standings = asked.Zip(measured, Stand).OfType<Standing>().ToList();
        return standings.Count == asked.Count
            ? (new(task, horizon, instances, result.Notes ?? [], standings), "")
            : (null, incomplete);
    }

    static Standing? Stand(JsonNode? asked, ContestantResult? measured)
    {
        if (asked is not JsonObject contestant || measured is not { Name: not null }) return null;
        var identity = string.Join(' ',
            contestant.Where(field => field.Key != "name" && field.Value is not null)
                .Select(field => field.Value!.ToJsonString()));
        Guid? learner = contestant["run"] is JsonValue id && id.TryGetValue(out Guid found) ? found : null;
        return identity.Length == 0 ? null : new(measured, identity, learner);
    }

    static int? Whole(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int number) ? number : null;

    static PortraitPlan? Plan(EvaluationSpec spec, EvaluationResult result)
    {
        if (result.Contestants is not { } measured || measured.Count != spec.Contestants.Count
            || measured.Any(c => c?.Name is null))
            return null;
        var inputs = spec.FindInputs().ToDictionary(i => i.Pointer);
        return new(spec.Horizon, spec.Instances, [.. spec.Contestants.Select(Sitter)], rules => new UpdateResponse(spec, rules));

        PlannedSitter Sitter(ContestantSpec contestant, int index)
        {
            var input = inputs.GetValueOrDefault($"/contestants/{index}/checkpoint")
                ?? inputs.GetValueOrDefault($"/contestants/{index}/run");
            var rate = measured[index]!.LearningRate;
            var missing = contestant.Optimizer is { LearningRate: null } && rate is null
                ? "The result has no learning rate for it."
                : null;
            return new(measured[index]!.Name!, input, missing,
                bytes => UpdateResponse.Rule(contestant, rate, bytes, spec.Horizon));
        }
    }
}

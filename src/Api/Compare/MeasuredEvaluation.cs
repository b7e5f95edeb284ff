using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Storage;

namespace MetaOpt.Api.Compare;

/// <summary>
/// An evaluation that succeeded, as it is stored: read field by field, since rows of other versions lie beside each other and one of
/// them must not hide the others.
/// </summary>
/// <param name="Task">The specification's task.</param>
/// <param name="Horizon">Inner steps.</param>
/// <param name="Entries">What was measured of each contestant.</param>
sealed record MeasuredEvaluation(JsonObject Task, int Horizon, IReadOnlyList<MeasuredContestant> Entries)
{
    /// <summary>Null when the row cannot be read; <paramref name="reason"/> then says what is wrong with it.</summary>
    public static MeasuredEvaluation? TryRead(Run run, out string reason)
    {
        reason = "its specification has no task, horizon, instances and contestants that this version reads";
        if (Node(run.Spec) is not JsonObject spec || spec["task"] is not JsonObject task || spec["contestants"] is not JsonArray asked
            || Whole(spec["horizon"]) is not { } horizon || Whole(spec["instances"]) is not { } instances)
            return null;
        reason = "its result does not have one measurement for each contestant";
        if (run.Result is not { } result || (Node(result) as JsonObject)?["contestants"] is not JsonArray measured || measured.Count != asked.Count)
            return null;
        var entries = asked.Zip(measured, (who, what) => MeasuredContestant.TryRead(run, who, what, instances)).OfType<MeasuredContestant>().ToList();
        return entries.Count == asked.Count ? new(task, horizon, entries) : null;
    }

    public static JsonNode? Node(JsonElement json) => json.ValueKind == JsonValueKind.Undefined ? null : JsonNode.Parse(json.GetRawText());

    static int? Whole(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int number) ? number : null;
}

/// <summary>An evaluation's measurement of one optimizer.</summary>
/// <param name="Run">The evaluation.</param>
/// <param name="Measured">The result's entry.</param>
/// <param name="Name">As the result calls it.</param>
/// <param name="Identity">The same for the same optimizer in every evaluation.</param>
/// <param name="Learner">The meta-training that it was asked for by, or null.</param>
/// <param name="Instances">On so many it was measured.</param>
sealed record MeasuredContestant(Run Run, JsonObject Measured, string Name, string Identity, Guid? Learner, int Instances)
{
    public bool Learned => Measured["learned"] is JsonValue value && value.TryGetValue(out bool learned) && learned;

    public static MeasuredContestant? TryRead(Run run, JsonNode? asked, JsonNode? measured, int instances)
    {
        if (asked is not JsonObject who || measured is not JsonObject what || what["name"] is not JsonValue text || !text.TryGetValue(out string? name)) return null;
        // The specification names exactly one of them: whatever fields a contestant will have, the name is not what it is.
        var identity = string.Join(' ', who.Where(field => field.Key != "name" && field.Value is not null).Select(field => field.Value!.ToJsonString()));
        Guid? learner = who["run"] is JsonValue id && id.TryGetValue(out Guid found) ? found : null;
        return identity.Length == 0 ? null : new(run, what, name, identity, learner, instances);
    }

    /// <summary>What the evaluation says of itself, as a list that may be empty.</summary>
    public JsonArray Notes => (MeasuredEvaluation.Node(Run.Result ?? default) as JsonObject)?["notes"] is JsonArray notes ? (JsonArray)notes.DeepClone() : [];

    /// <summary>A measured number; null where there is none.</summary>
    public double? Number(string field) => NumberOf(Measured[field]);

    /// <summary>Two measured numbers; null where there are none.</summary>
    public JsonArray? Interval(string field) =>
        Measured[field] is JsonArray { Count: 2 } ends && NumberOf(ends[0]) is { } low && NumberOf(ends[1]) is { } high ? new JsonArray(low, high) : null;

    static double? NumberOf(JsonNode? node) => node is JsonValue value && value.TryGetValue(out double number) && double.IsFinite(number) ? number : null;
}

/// <summary>Optimizers measured on one task, the best first.</summary>
sealed record Board(string Id, JsonNode Task, int Horizon, IReadOnlyList<MeasuredContestant> Entries)
{
    /// <summary>A board for each task and horizon, in the order of the evaluations.</summary>
    public static IReadOnlyList<Board> Of(IEnumerable<MeasuredEvaluation> evaluations, Func<MeasuredContestant, string> identity) =>
    [
        .. evaluations.GroupBy(e => (Task: e.Task.ToJsonString(), e.Horizon)).Select(same => new Board(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{same.Key.Task} {same.Key.Horizon}")))[..12],
            same.First().Task, same.Key.Horizon, Best(same.SelectMany(e => e.Entries), identity))),
    ];

    /// <summary>Repeated measurements count once: the one on the most instances, then the latest.</summary>
    static IReadOnlyList<MeasuredContestant> Best(IEnumerable<MeasuredContestant> entries, Func<MeasuredContestant, string> identity) =>
    [
        .. entries.GroupBy(identity).Select(same => same.OrderByDescending(e => e.Instances).ThenByDescending(e => e.Run.Id).First())
            .OrderBy(e => e.Number("finalMean") ?? double.PositiveInfinity),
    ];
}

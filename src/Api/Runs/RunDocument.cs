using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Api.Runs;

/// <summary>A run as clients see it.</summary>
static class RunDocument
{
    /// <summary>The short document of a run, for lists.</summary>
    public static JsonObject Brief(Run run, RunKinds kinds) => new()
    {
        ["id"] = run.Id.ToString(),
        ["kind"] = run.Kind,
        ["name"] = run.Name,
        ["tags"] = new JsonArray([.. run.Tags.Select(t => (JsonNode)t)]),
        ["state"] = StateName(run.State),
        ["owner"] = run.Owner,
        ["pool"] = run.Pool,
        ["priority"] = run.Priority,
        ["createdAt"] = run.CreatedAt,
        ["startedAt"] = run.StartedAt,
        ["finishedAt"] = run.FinishedAt,
        ["attempt"] = run.Attempt,
        ["progress"] = Node(run.Progress),
        ["error"] = run.ErrorCode is null ? null : new JsonObject { ["code"] = run.ErrorCode, ["detail"] = run.ErrorDetail },
        ["headline"] = Headline(kinds.Find(run.Kind)?.HeadlineOf(run.Result)),
        ["paused"] = run.Paused,
        ["batch"] = run.Batch?.ToString(),
        ["forkedFrom"] = run.ForkedFrom?.ToString(),
        ["cancelRequested"] = run.CancelRequestedAt is not null,
    };

    public static JsonObject Whole(Run run, RunKinds kinds, WaitReason? waiting)
    {
        var document = Brief(run, kinds);
        document["notes"] = run.Notes;
        document["spec"] = JsonNode.Parse(run.Spec.GetRawText());
        document["after"] = new JsonArray([.. run.After.Select(id => (JsonNode)id.ToString())]);
        document["specSha256"] = run.SpecSha256;
        document["result"] = Node(run.Result);
        document["waitingFor"] = waiting is null ? null : Waiting(waiting);
        document["timeLimitSeconds"] = run.TimeLimit?.TotalSeconds;
        document["attempts"] = new JsonArray([.. run.Attempts.OrderBy(a => a.Number).Select(a => new JsonObject
        {
            ["number"] = a.Number,
            ["worker"] = a.Worker,
            ["startedAt"] = a.StartedAt,
            ["endedAt"] = a.EndedAt,
            ["outcome"] = a.Outcome,
            ["detail"] = a.Detail,
            ["resumedFromStep"] = a.ResumedFromStep,
            ["facts"] = JsonNode.Parse(a.Facts.GetRawText()),
        })]);
        return document;
    }

    static JsonObject? Headline(Headline? headline) =>
        headline is null ? null : new() { ["name"] = headline.Name, ["value"] = headline.Value };

    public static JsonObject Waiting(WaitReason reason) => new()
    {
        ["position"] = reason.Position,
        ["cause"] = System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(reason.Cause.ToString()),
        ["reason"] = reason.Reason,
    };

    public static string StateName(RunState state) => state.ToString().ToLowerInvariant();

    /// <summary>Parses JSON of the database; null without any.</summary>
    public static JsonNode? Node(JsonElement? json) =>
        json is { ValueKind: not JsonValueKind.Undefined } value ? JsonNode.Parse(value.GetRawText()) : null;
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Runs;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>
/// Who is best at what: every optimizer that finished evaluations measured, by task. Evaluations belong together when their task and
/// horizon are the same in every option; losses of others cannot be compared.
/// </summary>
static class LeaderboardApi
{
    const int MostEvaluations = 500;

    sealed record Entry(Run Run, JsonNode Contestant, string Identity, int Instances, JsonNode? Notes);

    sealed record Board(string Id, JsonNode Task, int Horizon, IReadOnlyList<Entry> Entries);

    public static void MapLeaderboard(this RouteGroupBuilder v1)
    {
        var boards = v1.MapGroup("/leaderboards").WithTags("Runs");
        boards.MapGet("", ListAsync).WithSummary("Tasks on which optimizers were measured, the latest first.");
        boards.MapGet("/{id}", ReadAsync).WithSummary("Optimizers on one task by final loss, with steps and seconds to a loss. Query: target.");
    }

    static async Task<IResult> ListAsync(HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        return Results.Json(new JsonObject { ["items"] = new JsonArray([.. (await BoardsAsync(db, cancel)).Select(Brief)]) });
    }

    static async Task<IResult> ReadAsync(string id, HttpRequest request, MetaOptDb db, SeriesStore series, CancellationToken cancel)
    {
        request.AllowQuery("target");
        var board = (await BoardsAsync(db, cancel)).FirstOrDefault(b => b.Id == id) ?? throw ProblemException.NotFound("such leaderboard");
        var target = request.QueryText("target") switch
        {
            null => board.Entries.Where(e => !(bool)e.Contestant["learned"]!).Min(e => (double?)e.Contestant["finalMean"]),
            var text when double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) => value,
            _ => throw ProblemException.BadParameter("target", "must be a number."),
        };
        var document = Brief(board);
        document["target"] = target;
        var steps = await Task.WhenAll(board.Entries.Select(e => target is { } loss
            ? series.FirstStepAtMostAsync(e.Run.Id, $"{(string)e.Contestant["name"]!}/mean", loss, cancel) : Task.FromResult<long?>(null)));
        document["entries"] = new JsonArray([.. board.Entries.Select((e, i) => Row(e, steps[i]))]);
        return Results.Json(document);
    }

    static async Task<IReadOnlyList<Board>> BoardsAsync(MetaOptDb db, CancellationToken cancel)
    {
        var runs = await db.Runs.AsNoTracking().Where(r => r.Kind == "evaluation" && r.State == RunState.Succeeded)
            .OrderByDescending(r => r.Id).Take(MostEvaluations).ToListAsync(cancel);
        return [.. runs.Where(r => r.Result is { ValueKind: System.Text.Json.JsonValueKind.Object })
            .Select(r => (Run: r, Spec: JsonNode.Parse(r.Spec.GetRawText())!, Result: JsonNode.Parse(r.Result!.Value.GetRawText())!))
            .GroupBy(r => (Task: r.Spec["task"]!.ToJsonString(), Horizon: (int)r.Spec["horizon"]!))
            .Select(group => new Board(
                Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{group.Key.Task} {group.Key.Horizon}")))[..12],
                group.First().Spec["task"]!, group.Key.Horizon, Best(group.SelectMany(r => Entries(r.Run, r.Spec, r.Result)))))];
    }

    static IEnumerable<Entry> Entries(Run run, JsonNode spec, JsonNode result)
    {
        var (asked, measured) = (spec["contestants"]!.AsArray(), result["contestants"]?.AsArray() ?? []);
        for (var i = 0; i < measured.Count && i < asked.Count; i++)
            yield return new(run, measured[i]!, asked[i]!["checkpoint"]?.ToJsonString() ?? asked[i]!["optimizer"]!.ToJsonString(), (int)spec["instances"]!, result["notes"]);
    }

    /// <summary>What was measured several times counts once: on the most instances, then the latest.</summary>
    static IReadOnlyList<Entry> Best(IEnumerable<Entry> entries) =>
    [
        .. entries.GroupBy(e => e.Identity).Select(same => same.OrderByDescending(e => e.Instances).ThenByDescending(e => e.Run.Id).First())
            .OrderBy(e => (double?)e.Contestant["finalMean"] ?? double.PositiveInfinity),
    ];

    static JsonObject Brief(Board board) => new()
    {
        ["id"] = board.Id,
        ["task"] = board.Task.DeepClone(),
        ["horizon"] = board.Horizon,
        ["contestants"] = board.Entries.Count,
        ["best"] = (string?)board.Entries.FirstOrDefault()?.Contestant["name"],
    };

    static JsonObject Row(Entry entry, long? step)
    {
        var contestant = entry.Contestant;
        return new()
        {
            ["name"] = contestant["name"]!.DeepClone(),
            ["learned"] = contestant["learned"]!.DeepClone(),
            ["run"] = RunDocument.Brief(entry.Run),
            ["instances"] = entry.Instances,
            ["notes"] = entry.Notes?.DeepClone() ?? new JsonArray(),
            ["learningRate"] = contestant["learningRate"]?.DeepClone(),
            ["finalMean"] = contestant["finalMean"]?.DeepClone(),
            ["finalMeanCi95"] = contestant["finalMeanCi95"]?.DeepClone(),
            ["averageLoss"] = contestant["averageLoss"]?.DeepClone(),
            ["averageLossCi95"] = contestant["averageLossCi95"]?.DeepClone(),
            ["diverged"] = contestant["diverged"]?.DeepClone(),
            ["secondsPerStep"] = contestant["secondsPerStep"]?.DeepClone(),
            ["stepsToTarget"] = step,
            ["secondsToTarget"] = step * (double?)contestant["secondsPerStep"],
        };
    }
}

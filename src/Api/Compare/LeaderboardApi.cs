using System.Globalization;
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

    public static void MapLeaderboard(this RouteGroupBuilder v1)
    {
        var boards = v1.MapGroup("/leaderboards").WithTags("Runs");
        boards.MapGet("", ListAsync).WithSummary("Tasks on which optimizers were measured, the latest first; and the evaluations that are left out, with the reason.");
        boards.MapGet("/{id}", ReadAsync).WithSummary("Optimizers on one task by final loss, with steps and seconds to a loss. Query: target.");
    }

    static async Task<IResult> ListAsync(HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var (boards, leftOut) = await ReadBoardsAsync(db, cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. boards.Select(Brief)]),
            ["leftOut"] = new JsonArray([.. leftOut.Select(run => new JsonObject { ["id"] = run.Run.Id.ToString(), ["name"] = run.Run.Name, ["reason"] = run.Reason })]),
        });
    }

    static async Task<IResult> ReadAsync(string id, HttpRequest request, MetaOptDb db, SeriesStore series, CancellationToken cancel)
    {
        request.AllowQuery("target");
        var board = (await ReadBoardsAsync(db, cancel)).Boards.FirstOrDefault(b => b.Id == id) ?? throw ProblemException.NotFound("such leaderboard");
        var target = request.QueryText("target") switch
        {
            null => board.Entries.Where(e => !e.Learned).Min(e => e.Number("finalMean")),
            var text when double.TryParse(text, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) => value,
            _ => throw ProblemException.BadParameter("target", "must be a number."),
        };
        var document = Brief(board);
        document["target"] = target;
        var steps = await Task.WhenAll(board.Entries.Select(e => target is { } loss
            ? series.FirstStepAtMostAsync(e.Run.Id, $"{e.Name}/mean", loss, cancel) : Task.FromResult<long?>(null)));
        document["entries"] = new JsonArray([.. board.Entries.Select((e, i) => Row(e, steps[i]))]);
        return Results.Json(document);
    }

    static async Task<(IReadOnlyList<Board> Boards, IReadOnlyList<(Run Run, string Reason)> LeftOut)> ReadBoardsAsync(MetaOptDb db, CancellationToken cancel)
    {
        var runs = await db.Runs.AsNoTracking().Where(r => r.Kind == "evaluation" && r.State == RunState.Succeeded)
            .OrderByDescending(r => r.Id).Take(MostEvaluations).ToListAsync(cancel);
        var (read, leftOut) = (new List<MeasuredEvaluation>(), new List<(Run, string)>());
        foreach (var run in runs)
            if (MeasuredEvaluation.TryRead(run, out var reason) is { } evaluation) read.Add(evaluation);
            else leftOut.Add((run, reason));
        // What a run learned is its final checkpoint, under whichever name it was measured.
        var learners = read.SelectMany(e => e.Entries).Select(e => e.Learner).OfType<Guid>().ToList();
        var finals = (await db.Checkpoints.Where(c => learners.Contains(c.RunId) && c.Name == "final").OrderBy(c => c.Step).ToListAsync(cancel))
            .GroupBy(c => c.RunId).ToDictionary(c => c.Key, c => c.Last().Id);
        return (Board.Of(read, entry => entry.Learner is { } run && finals.TryGetValue(run, out var final) ? $"\"{final}\"" : entry.Identity), leftOut);
    }

    static JsonObject Brief(Board board) => new()
    {
        ["id"] = board.Id,
        ["task"] = board.Task.DeepClone(),
        ["horizon"] = board.Horizon,
        ["contestants"] = board.Entries.Count,
        ["best"] = board.Entries.FirstOrDefault()?.Name,
    };

    static JsonObject Row(MeasuredContestant entry, long? step) => new()
    {
        ["name"] = entry.Name,
        ["learned"] = entry.Learned,
        ["run"] = RunDocument.Brief(entry.Run),
        ["instances"] = entry.Instances,
        ["notes"] = entry.Notes,
        ["learningRate"] = entry.Number("learningRate"),
        ["finalMean"] = entry.Number("finalMean"),
        ["finalMeanCi95"] = entry.Interval("finalMeanCi95"),
        ["averageLoss"] = entry.Number("averageLoss"),
        ["averageLossCi95"] = entry.Interval("averageLossCi95"),
        ["diverged"] = entry.Number("diverged"),
        ["secondsPerStep"] = entry.Number("secondsPerStep"),
        ["stepsToTarget"] = step,
        ["secondsToTarget"] = step * entry.Number("secondsPerStep"),
    };
}

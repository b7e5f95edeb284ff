using System.Globalization;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Runs;
using MetaOpt.Evaluation;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>
/// The leaderboard: every optimizer that finished evaluations measured, by task. Evaluations belong together when their task and
/// horizon are the same in every option; losses of others cannot be compared.
/// </summary>
static class LeaderboardApi
{
    const int MostEvaluations = 500;

    public static void MapLeaderboard(this RouteGroupBuilder v1)
    {
        var boards = v1.MapGroup("/leaderboards").WithTags("Runs");
        boards.MapGet("", ListAsync)
            .WithSummary(
                "Tasks on which optimizers were measured, the latest first; and the evaluations that are left out, with the "
                + "reason.");
        boards.MapGet("/{id}", ReadAsync)
            .WithSummary("Optimizers on one task by final loss, with steps and seconds to a loss. Query: target.");
    }

    static async Task<IResult> ListAsync(HttpRequest request, RunKinds kinds, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var (boards, leftOut) = await ReadBoardsAsync(kinds, db, cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. boards.Select(Brief)]),
            ["leftOut"] =
                new JsonArray(
                    [.. leftOut.Select(run =>
                        new JsonObject { ["id"] = run.Run.Id.ToString(), ["name"] = run.Run.Name, ["reason"] = run.Reason })]),
        });
    }

    static async Task<IResult> ReadAsync(string id, HttpRequest request, RunKinds kinds, MetaOptDb db, SeriesStore series,
        CancellationToken cancel)
    {
        request.AllowQuery("target");
        var board = (await ReadBoardsAsync(kinds, db, cancel)).Boards.FirstOrDefault(b => b.Id == id)
            ?? throw ProblemException.NotFound("such leaderboard");
        var target = request.QueryText("target") switch
        {
            null => board.Entries.Where(e => !e.Measured.Learned).Min(e => e.Measured.FinalMean),
            var text when double.TryParse(text, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) => value,
            _ => throw ProblemException.BadParameter("target", "must be a number."),
        };
        var document = Brief(board);
        document["target"] = target;
        var steps = await Task.WhenAll(board.Entries.Select(e => target is { } loss
            ? series.FirstStepAtMostAsync(e.Run.Id, $"{e.Measured.Name}/mean", loss, cancel) : Task.FromResult<long?>(null)));
        document["entries"] = new JsonArray([.. board.Entries.Select((e, i) => Row(e, kinds, steps[i]))]);
        return Results.Json(document);
    }

    static async Task<(IReadOnlyList<Board> Boards, IReadOnlyList<(Run Run, string Reason)> LeftOut)> ReadBoardsAsync(
        RunKinds kinds, MetaOptDb db, CancellationToken cancel)
    {
        List<string> ranked = [.. kinds.All.Where(k => k.IsRanked).Select(k => k.Name)];
        var runs = await db.Runs.AsNoTracking().Where(r => ranked.Contains(r.Kind) && r.State == RunState.Succeeded)
            .OrderByDescending(r => r.Id).Take(MostEvaluations).ToListAsync(cancel);
        var (measured, leftOut) = (new List<(Run, Measurement)>(), new List<(Run, string)>());
        foreach (var run in runs)
            if (kinds.Find(run.Kind)!.TryMeasure(run.Spec, run.Result, out var reason) is { } found) measured.Add((run, found));
            else leftOut.Add((run, reason));
        // What a run learned is its final checkpoint, under whichever name it was measured.
        var learners = measured.SelectMany(m => m.Item2.Standings).Select(s => s.Learner).OfType<Guid>().ToList();
        var finals =
            (await db.Checkpoints.Where(c => learners.Contains(c.RunId) && c.Name == "final").OrderBy(c => c.Step)
                .ToListAsync(cancel))
            .GroupBy(c => c.RunId).ToDictionary(c => c.Key, c => c.Last().Id);
        return (Board.Of(measured,
            s => s.Learner is { } run && finals.TryGetValue(run, out var final) ? $"\"{final}\"" : s.Identity), leftOut);
    }

    static JsonObject Brief(Board board) => new()
    {
        ["id"] = board.Id,
        ["task"] = board.Task.DeepClone(),
        ["horizon"] = board.Horizon,
        ["contestants"] = board.Entries.Count,
        ["best"] = board.Entries.FirstOrDefault()?.Measured.Name,
    };

    static JsonObject Row(BoardEntry entry, RunKinds kinds, long? step) => new()
    {
        ["name"] = entry.Measured.Name,
        ["learned"] = entry.Measured.Learned,
        ["run"] = RunDocument.Brief(entry.Run, kinds),
        ["instances"] = entry.Of.Instances,
        ["notes"] = new JsonArray([.. entry.Of.Notes.Select(n => (JsonNode)n)]),
        ["learningRate"] = entry.Measured.LearningRate,
        ["finalMean"] = entry.Measured.FinalMean,
        ["finalMeanCi95"] = Interval(entry.Measured.FinalMeanCi95),
        ["averageLoss"] = entry.Measured.AverageLoss,
        ["averageLossCi95"] = Interval(entry.Measured.AverageLossCi95),
        ["diverged"] = entry.Measured.Diverged,
        ["secondsPerStep"] = entry.Measured.SecondsPerStep,
        ["stepsToTarget"] = step,
        ["secondsToTarget"] = step * entry.Measured.SecondsPerStep,
    };

    /// <summary>Two numbers; null where there are none.</summary>
    static JsonArray? Interval(IReadOnlyList<double?>? ends) => ends is [{ } low, { } high] ? [low, high] : null;
}

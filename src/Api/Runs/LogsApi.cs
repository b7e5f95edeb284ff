using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Runs;

/// <summary>Logs of a run's attempts.</summary>
static class LogsApi
{
    const int DefaultLines = 500, MostLines = 5000;

    public static void MapLogs(this RouteGroupBuilder v1) =>
        v1.MapGet("/runs/{id:guid}/logs", ReadAsync).WithTags("Runs")
            .WithSummary(
                "Lines of the run's log, oldest first. Query: attempt, after (a line's seq: only what came later), limit.");

    static async Task<IResult> ReadAsync(Guid id, HttpRequest request, MetaOptDb db, RunLogStore logs, CancellationToken cancel)
    {
        request.AllowQuery("attempt", "after", "limit");
        var attempt = (int?)request.QueryNumber("attempt", 1, int.MaxValue);
        var after = request.QueryNumber("after", 0, long.MaxValue) ?? 0;
        var limit = (int)(request.QueryNumber("limit", 1, MostLines) ?? DefaultLines);
        if (!await db.Runs.AnyAsync(r => r.Id == id, cancel)) throw ProblemException.NotFound($"run {id}");
        var lines = await logs.ReadAsync(id, attempt, after, limit, cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. lines.Select(l => new JsonObject
            {
                ["seq"] = l.Seq,
                ["attempt"] = l.Attempt,
                ["at"] = l.At,
                ["text"] = l.Text,
            })]),
            ["last"] = lines.Count > 0 ? lines[^1].Seq : after,
        });
    }
}

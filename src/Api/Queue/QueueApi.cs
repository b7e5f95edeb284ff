using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Queue;

/// <summary>What waits and why, and who works.</summary>
static class QueueApi
{
    const int Most = 200;

    public static void MapQueue(this RouteGroupBuilder v1)
    {
        v1.MapGet("/queue", QueueAsync).WithTags("Queue").WithSummary("Running and waiting runs; why each one waits.");
        v1.MapGet("/workers", WorkersAsync).WithTags("Queue").WithSummary("Workers and what they have.");
    }

    static async Task<IResult> QueueAsync(HttpRequest request, MetaOptDb db, RunQueue queue, CancellationToken cancel)
    {
        request.AllowQuery();
        var runs = await db.Runs.AsNoTracking().Where(r => r.State == RunState.Queued || r.State == RunState.Running)
            .OrderBy(r => r.Id).Take(Most).Select(r => new { r.Id, r.Name, r.Kind, r.Owner, r.Pool, r.Priority, r.State, r.LeaseOwner, r.CreatedAt }).ToListAsync(cancel);
        var items = new JsonArray();
        foreach (var run in runs)
        {
            var reason = run.State == RunState.Queued ? await queue.WhyWaitingAsync(run.Id, cancel) : null;
            items.Add(new JsonObject
            {
                ["id"] = run.Id.ToString(),
                ["name"] = run.Name,
                ["kind"] = run.Kind,
                ["owner"] = run.Owner,
                ["pool"] = run.Pool,
                ["priority"] = run.Priority,
                ["state"] = run.State.ToString().ToLowerInvariant(),
                ["worker"] = run.LeaseOwner,
                ["createdAt"] = run.CreatedAt,
                ["waitingFor"] = reason is null ? null : new JsonObject { ["position"] = reason.Position, ["reason"] = reason.Reason },
            });
        }
        return Results.Json(new JsonObject { ["items"] = items });
    }

    static async Task<IResult> WorkersAsync(HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var workers = await db.Workers.AsNoTracking().OrderByDescending(w => w.LastSeenAt).Take(Most).ToListAsync(cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. workers.Select(w => new JsonObject
            {
                ["name"] = w.Name,
                ["pool"] = w.Pool,
                ["datasets"] = new JsonArray([.. w.Datasets.Select(d => (JsonNode)d)]),
                ["firstSeenAt"] = w.FirstSeenAt,
                ["lastSeenAt"] = w.LastSeenAt,
                ["facts"] = JsonNode.Parse(w.Facts.GetRawText()),
            })]),
        });
    }
}

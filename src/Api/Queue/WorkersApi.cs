using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Queue;

/// <summary>Workers: the list, and draining.</summary>
static class WorkersApi
{
    const int Most = 200;

    public static void MapWorkers(this RouteGroupBuilder v1)
    {
        var workers = v1.MapGroup("/workers").WithTags("Queue");
        workers.MapGet("", ListAsync).WithSummary("Workers and what they have.");
        workers.MapPost("/{name}/drain", (string name, HttpContext context, RunQueue queue, CancellationToken cancel) =>
            DrainAsync(name, true, context, queue, cancel)).RequireAuthorization(Scopes.Admin)
            .WithSummary("Lets a worker finish its runs and claim no more.");
        workers.MapPost("/{name}/undrain", (string name, HttpContext context, RunQueue queue, CancellationToken cancel) =>
            DrainAsync(name, false, context, queue, cancel)).RequireAuthorization(Scopes.Admin)
            .WithSummary("Lets a drained worker claim runs again.");
        // A worker's name may be one that no path can hold, such as "..".
        foreach (var drain in (bool[])[true, false])
            v1.MapPost(drain ? "/workers:drain" : "/workers:undrain",
                (HttpContext context, RunQueue queue, CancellationToken cancel) =>
                DrainAsync(context.Request.QueryText("name") ?? throw ProblemException.BadParameter("name", "is required."),
                    drain, context, queue, cancel))
                .RequireAuthorization(Scopes.Admin).WithTags("Queue")
                .WithSummary($"The same as {(drain ? "drain" : "undrain")}, for every name. Query: name.");
    }

    static async Task<IResult> ListAsync(HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery();
        var workers = await db.Workers.AsNoTracking().OrderByDescending(w => w.LastSeenAt).Take(Most).ToListAsync(cancel);
        return Results.Json(new JsonObject { ["items"] = new JsonArray([.. workers.Select(Document)]) });
    }

    static async Task<IResult> DrainAsync(string name, bool drain, HttpContext context, RunQueue queue, CancellationToken cancel)
    {
        context.Request.AllowQuery("name");
        if (name.Contains('\0')
            || !await queue.DrainAsync(name, drain, context.AuditEvent(drain ? "worker.drain" : "worker.undrain", name), cancel))
            throw ProblemException.NotFound($"worker \"{name}\"");
        return Results.NoContent();
    }

    static JsonObject Document(Worker worker) => new()
    {
        ["name"] = worker.Name,
        ["pool"] = worker.Pool,
        ["slots"] = worker.Slots,
        ["draining"] = worker.Draining,
        ["datasets"] = new JsonArray([.. worker.Datasets.Select(d => (JsonNode)d)]),
        ["firstSeenAt"] = worker.FirstSeenAt,
        ["lastSeenAt"] = worker.LastSeenAt,
        ["facts"] = JsonNode.Parse(worker.Facts.GetRawText()),
    };
}

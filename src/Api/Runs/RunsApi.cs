using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Runs;

/// <summary>Submit, list, look, change.</summary>
static partial class RunsApi
{
    const int DefaultPage = 50, LargestPage = 200;

    public static void MapRuns(this RouteGroupBuilder v1)
    {
        var runs = v1.MapGroup("").WithTags("Runs");
        runs.MapPost("/runs", SubmitAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Submits a run. Header Idempotency-Key: a repetition is the same run.");
        runs.MapPost("/runs:validate", ValidateAsync)
            .WithSummary("Checks a submission without queueing it: the normalised specification, predicted bytes and seconds.");
        runs.MapGet("/runs", ListAsync)
            .WithSummary(
                "Runs, newest first. Query: id (an id or its end), state, kind, tag, owner, createdAfter, createdBefore, batch, "
                + "limit, cursor.");
        runs.MapGet("/runs/{id:guid}", GetAsync).WithSummary("One run with its attempts.");
        runs.MapPatch("/runs/{id:guid}", ChangeAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Changes name, tags, notes, priority or time limit.");
    }

    static async Task<IResult> SubmitAsync(HttpContext context, [AsParameters] SubmissionService intake, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var id = await intake.QueueAsync(context, await intake.ReadAsync<Submission>(context, "", null, cancel), null, cancel);
        return Results.Accepted($"/api/v1/runs/{id}", await DocumentAsync(context, intake.Db, intake.Queue, id, cancel));
    }

    static async Task<IResult> ValidateAsync(HttpContext context, [AsParameters] SubmissionService intake,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var submission = await intake.ReadAsync<Submission>(context, "", null, cancel);
        var (spec, cost) = await intake.ResolveAsync(context, submission, cancel);
        return Results.Json(new JsonObject
        {
            ["valid"] = true,
            ["kind"] = submission.Kind,
            ["spec"] = SpecReader.Write(spec),
            ["prediction"] = new JsonObject { ["bytes"] = cost.Bytes, ["seconds"] = Math.Round(cost.Seconds, 1) },
        });
    }

    static async Task<IResult> ListAsync(HttpRequest request, RunKinds kinds, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery("id", "state", "kind", "tag", "owner", "createdAfter", "createdBefore", "batch", "limit", "cursor");
        var limit = (int)(request.QueryNumber("limit", 1, LargestPage) ?? DefaultPage);
        var runs = db.Runs.AsNoTracking();
        if (request.QueryChoice("state", Enum.GetValues<RunState>().Select(RunDocument.StateName)) is { } state)
        {
            var wanted = Enum.Parse<RunState>(state, true);
            runs = runs.Where(r => r.State == wanted);
        }
        if (request.QueryChoice("kind", kinds.Names) is { } kind) runs = runs.Where(r => r.Kind == kind);
        if (request.QueryText("id") is { } id)
        {
            if (!EndOfId().IsMatch(id))
                throw ProblemException.BadParameter("id", $"must be a run's id or at least its last 4 characters, got \"{id}\".");
            var end = id.ToLowerInvariant();
            runs = runs.Where(r => r.Id.ToString().EndsWith(end));
        }
        if (request.QueryText("tag") is { } tag) runs = runs.Where(r => r.Tags.Contains(tag));
        if (request.QueryText("owner") is { } owner) runs = runs.Where(r => r.Owner == owner);
        if (request.QueryTime("createdAfter") is { } after) runs = runs.Where(r => r.CreatedAt >= after);
        if (request.QueryTime("createdBefore") is { } until) runs = runs.Where(r => r.CreatedAt < until);
        if (request.QueryText("batch") is { } batch)
        {
            if (!Guid.TryParseExact(batch, "D", out var one))
                throw ProblemException.BadParameter("batch", $"must be the id of a batch, got \"{batch}\".");
            runs = runs.Where(r => r.Batch == one);
        }
        if (request.QueryText("cursor") is { } cursor)
        {
            var before = Cursor.Read(cursor);
            runs = runs.Where(r => r.Id.CompareTo(before) < 0);
        }
        var page = await runs.OrderByDescending(r => r.Id).Take(limit + 1).ToListAsync(cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. page.Take(limit).Select(run => RunDocument.Brief(run, kinds))]),
            ["nextCursor"] = page.Count > limit ? Cursor.Of(page[limit - 1].Id) : null,
        });
    }

    [GeneratedRegex(@"\A[0-9a-fA-F-]{4,36}\z")]
    private static partial Regex EndOfId();

    static async Task<IResult> GetAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var document = await DocumentAsync(context, db, queue, id, cancel);
        return EntityTags.IsKnown(context.Request, context.Response.Headers.ETag.ToString())
            ? Results.StatusCode(304)
            : Results.Json(document);
    }

    public static async Task<JsonObject> DocumentAsync(HttpContext context, MetaOptDb db, RunQueue queue, Guid id,
        CancellationToken cancel)
    {
        var run = await db.Runs.AsNoTracking().Include(r => r.Attempts).FirstOrDefaultAsync(r => r.Id == id, cancel)
            ?? throw ProblemException.NotFound($"run {id}");
        if (!run.State.IsFinal() && HttpMethods.IsGet(context.Request.Method)) context.Response.Headers.RetryAfter = "1";
        var document = RunDocument.Whole(run, context.RequestServices.GetRequiredService<RunKinds>(),
            run.State == RunState.Queued ? await queue.WhyWaitingAsync(id, cancel) : null);
        context.Response.Headers.ETag = EntityTags.Of(run.Version, document);
        return document;
    }

    static async Task<IResult> ChangeAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var change = await context.Request.ReadChangeAsync<RunChange>();
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel)
            ?? throw ProblemException.NotFound($"run {id}");
        context.RequireOwner(run.Owner);
        SubmissionService.RequirePriority(context, change.Priority);
        EntityTags.RequireMatch(context.Request, run.Version);
        var any = context.Request.Headers.IfMatch.ToString() is "" or "*";
        var limit = change.TimeLimitSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
        if (change is not { Name: null, Tags: null, Notes: null, Priority: null, TimeLimitSeconds: null }
            && !await queue.EditAsync(id, new(change.Name, change.Tags, change.Notes, change.Priority, limit),
                any ? null : run.Version,
                context.AuditEvent("run.change", id), cancel))
            throw EntityTags.ChangedMeanwhile();
        return Results.Json(await DocumentAsync(context, db, queue, id, cancel));
    }
}

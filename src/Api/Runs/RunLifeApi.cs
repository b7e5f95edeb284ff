using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Runs;

/// <summary>Changes of a submitted run: cancel, retry, fork, delete.</summary>
static class RunLifeApi
{
    public static void MapRunLife(this RouteGroupBuilder v1)
    {
        var run = v1.MapGroup("/runs/{id:guid}").WithTags("Runs");
        run.MapPost("/cancel", CancelAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Cancels a run: at once when it waits, at its next step when it runs.");
        run.MapPost("/retry", RetryAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Queues a failed or cancelled run again as itself: it goes on from its resume point.");
        run.MapPost("/pause", PauseAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary(
                "Keeps a run from going on until it is resumed: a waiting one at once, a running one from its next resume "
                + "point on.");
        run.MapPost("/resume", ResumeAsync).RequireAuthorization(Scopes.RunsWrite).WithSummary("Lets a paused run go on.");
        run.MapPost("/yield", YieldAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Lets others go first: a running run goes back to the end of the queue at its next resume point.");
        run.MapPost("/fork", ForkAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary(
                "Submits a new run with this one's specification and changes to it, optionally beginning with a checkpoint's "
                + "phi.");
        run.MapDelete("", DeleteAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Deletes a finished run with its series and checkpoints.");
    }

    static async Task<IResult> CancelAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var run = await FindOwnAsync(context, db, id, cancel);
        // Of one that ended since it was read, the request says so.
        var state = run.State.IsFinal()
            ? run.State
            : await queue.RequestCancelAsync(id, context.AuditEvent("run.cancel", id), cancel);
        if (run.State.IsFinal() || state is RunState.Succeeded or RunState.Failed)
            throw new ProblemException(409, "cannot-cancel",
                $"The run is {RunDocument.StateName(state!.Value)}, only one that waits or runs is cancelled.");
        return await AcceptedAsync(context, db, queue, id, cancel);
    }

    static async Task<IResult> RetryAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var run = await FindOwnAsync(context, db, id, cancel);
        try
        {
            if (!await queue.RetryAsync(id, context.AuditEvent("run.retry", id), cancel))
                throw new ProblemException(409, "not-retryable", run.State.CanBeRetried()
                    ? "The run was retried or deleted meanwhile."
                    : $"The run is {RunDocument.StateName(run.State)}; only a failed or cancelled one is retried. Fork it to run "
                        + "it anew.");
        }
        catch (MissingInputException missing)
        {
            throw new ProblemException(409, "input-deleted", $"{missing.Message} Fork the run and name others.");
        }
        catch (QuotaExceededException full)
        {
            throw new ProblemException(403, "quota-exceeded", full.Message);
        }
        return await AcceptedAsync(context, db, queue, id, cancel);
    }

    static Task<IResult> PauseAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel) =>
        AskAsync("pause", queue.PauseAsync, "only one that waits or runs is paused.", id, context, db, queue, cancel);

    static Task<IResult> ResumeAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel) =>
        AskAsync("resume", queue.ResumeAsync, "and not paused.", id, context, db, queue, cancel);

    static Task<IResult> YieldAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel) =>
        AskAsync("yield", queue.YieldAsync, "only one that runs can let others go first.", id, context, db, queue, cancel);

    static async Task<IResult> AskAsync(
        string verb, Func<Guid, AuditEvent, CancellationToken, Task<bool>> ask, string otherwise, Guid id, HttpContext context,
        MetaOptDb db, RunQueue queue,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var run = await FindOwnAsync(context, db, id, cancel);
        if (!await ask(id, context.AuditEvent($"run.{verb}", id), cancel))
            throw new ProblemException(409, $"cannot-{verb}", $"The run is {RunDocument.StateName(run.State)}, {otherwise}");
        return await AcceptedAsync(context, db, queue, id, cancel);
    }

    static async Task<IResult> ForkAsync(Guid id, HttpContext context, [AsParameters] SubmissionService intake,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var fork = await context.Request.ReadAsync<Fork>();
        var run = await intake.Db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel)
            ?? throw ProblemException.NotFound($"run {id}");
        var submission = fork.Of(run, intake.Kinds);
        if (submission.Check().ToList() is { Count: > 0 } wrong) throw ProblemException.Invalid(new SpecException(wrong));
        return await AcceptedAsync(context, intake.Db, intake.Queue, await intake.QueueAsync(context, submission, id, cancel),
            cancel);
    }

    static async Task<IResult> DeleteAsync(Guid id, HttpContext context, MetaOptDb db, RunQueue queue, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var run = await FindOwnAsync(context, db, id, cancel);
        switch (await queue.DeleteAsync(id, context.AuditEvent("run.delete", id, new() { ["name"] = run.Name }), cancel))
        {
            case Deletion.NotFinal:
                throw new ProblemException(409, "not-final",
                    "The run waits or runs; cancel it first and delete it when it has stopped.");
            case Deletion.Needed:
                throw new ProblemException(409, "needed",
                    "A run that waits or runs comes after this one, or reads a checkpoint of it; delete it when that has ended.");
            case Deletion.Promoted:
                throw new ProblemException(409, "promoted",
                    "A checkpoint of the run is a model; take the model back first: DELETE /models/NAME@VERSION.");
            case Deletion.Unknown:
                throw ProblemException.NotFound($"run {id}");
        }
        return Results.NoContent();
    }

    /// <summary>The run, if the caller may change it.</summary>
    static async Task<Run> FindOwnAsync(HttpContext context, MetaOptDb db, Guid id, CancellationToken cancel)
    {
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel)
            ?? throw ProblemException.NotFound($"run {id}");
        context.RequireOwner(run.Owner);
        EntityTags.RequireMatch(context.Request, run.Version);
        return run;
    }

    static async Task<IResult> AcceptedAsync(HttpContext context, MetaOptDb db, RunQueue queue, Guid id,
        CancellationToken cancel) =>
        Results.Accepted($"/api/v1/runs/{id}", await RunsApi.DocumentAsync(context, db, queue, id, cancel));
}

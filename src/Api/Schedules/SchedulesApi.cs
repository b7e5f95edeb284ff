using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Schedules;

/// <summary>Submissions that are repeated at the times of a cron expression.</summary>
static class SchedulesApi
{
    const int DefaultPage = 50, LargestPage = 200, Shown = 5, MostShown = 50;

    public static void MapSchedules(this RouteGroupBuilder v1)
    {
        var schedules = v1.MapGroup("").WithTags("Schedules");
        schedules.MapPost("/schedules", CreateAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary($"Creates a schedule; its runs are the caller's. At most {ScheduleStore.MostPerOwner} for one user.");
        schedules.MapPost("/schedules:validate", ValidateAsync)
            .WithSummary("Checks a schedule without creating it: its next occurrences.");
        schedules.MapGet("/schedules", ListAsync)
            .WithSummary("Schedules, newest first. Query: owner, enabled (true, false), limit, cursor.");
        schedules.MapGet("/schedules/{id:guid}", GetAsync)
            .WithSummary("One schedule: what it submits, its last and its next occurrence.");
        schedules.MapGet("/schedules/{id:guid}/occurrences", OccurrencesAsync)
            .WithSummary($"Its next occurrences. Query: limit (1 to {MostShown}).");
        schedules.MapPatch("/schedules/{id:guid}", ChangeAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Changes a schedule. After a change of time or when it is enabled, it goes on from now.");
        schedules.MapDelete("/schedules/{id:guid}", DeleteAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Deletes a schedule; its runs stay.");
    }

    static async Task<IResult> CreateAsync(HttpContext context, [AsParameters] SubmissionService intake, ScheduleStore schedules,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var request = await intake.ReadAsync<ScheduleRequest>(context, "/run", Batch.Varied, cancel);
        await CheckAsync(context, intake, request.Run, request.Grid, cancel);
        var now = await intake.Db.NowAsync(cancel);
        var schedule = new Schedule
        {
            Id = Guid.CreateVersion7(now),
            Name = request.Name,
            Owner = context.CallerName(),
            Cron = request.Cron,
            TimeZone = request.TimeZone,
            Missed = request.Missed,
            Enabled = request.Enabled,
            Submission = ScheduleDocument.SubmissionOf(request.Run, request.Grid),
            CreatedAt = now,
            NextAt = request.Enabled ? Calendar.Of(request.Cron, request.TimeZone).After(now) : null,
        };
        try
        {
            await schedules.AddAsync(schedule, context.AuditEvent("schedule.create", detail: Facts(schedule)), cancel);
        }
        catch (TooManySchedulesException full)
        {
            throw new ProblemException(403, "quota-exceeded", full.Message);
        }
        return Results.Created($"/api/v1/schedules/{schedule.Id}",
            Document(context, await FindAsync(intake.Db, schedule.Id, cancel)));
    }

    static async Task<IResult> ValidateAsync(HttpContext context, [AsParameters] SubmissionService intake,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var request = await intake.ReadAsync<ScheduleRequest>(context, "/run", Batch.Varied, cancel);
        await CheckAsync(context, intake, request.Run, request.Grid, cancel);
        return Results.Json(new JsonObject
        {
            ["valid"] = true,
            ["occurrences"] = Texts(Calendar.Of(request.Cron, request.TimeZone).Next(await intake.Db.NowAsync(cancel), Shown)),
        });
    }

    static async Task<IResult> ListAsync(HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery("owner", "enabled", "limit", "cursor");
        var limit = (int)(request.QueryNumber("limit", 1, LargestPage) ?? DefaultPage);
        var schedules = db.Schedules.AsNoTracking();
        if (request.QueryText("owner") is { } owner) schedules = schedules.Where(s => s.Owner == owner);
        if (request.QueryChoice("enabled", ["true", "false"]) is { } enabled)
            schedules = schedules.Where(s => s.Enabled == (enabled == "true"));
        if (request.QueryText("cursor") is { } cursor)
        {
            var before = Cursor.Read(cursor);
            schedules = schedules.Where(s => s.Id.CompareTo(before) < 0);
        }
        var page = await schedules.OrderByDescending(s => s.Id).Take(limit + 1).ToListAsync(cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. page.Take(limit).Select(ScheduleDocument.Of)]),
            ["nextCursor"] = page.Count > limit ? Cursor.Of(page[limit - 1].Id) : null,
        });
    }

    static async Task<IResult> GetAsync(Guid id, HttpContext context, MetaOptDb db, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var document = Document(context, await FindAsync(db, id, cancel));
        return EntityTags.IsKnown(context.Request, context.Response.Headers.ETag.ToString())
            ? Results.StatusCode(304)
            : Results.Json(document);
    }

    static async Task<IResult> OccurrencesAsync(Guid id, HttpRequest request, MetaOptDb db, CancellationToken cancel)
    {
        request.AllowQuery("limit");
        var limit = (int)(request.QueryNumber("limit", 1, MostShown) ?? Shown);
        var schedule = await FindAsync(db, id, cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = schedule.Enabled
                ? Texts(Calendar.Of(schedule.Cron, schedule.TimeZone).Next(await db.NowAsync(cancel), limit))
                : [],
        });
    }

    static async Task<IResult> ChangeAsync(Guid id, HttpContext context, [AsParameters] SubmissionService intake,
        ScheduleStore schedules, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var schedule = await FindAsync(intake.Db, id, cancel);
        context.RequireOwner(schedule.Owner);
        var change = await context.Request.ReadChangeAsync<ScheduleChange>();
        EntityTags.RequireMatch(context.Request, schedule.Version);
        if (change == new ScheduleChange()) return Results.Json(Document(context, schedule));
        if (change.Run is not null) await CheckAsync(context, intake, change.Run, change.Grid, cancel);
        schedule.Name = change.Name ?? schedule.Name;
        schedule.Missed = change.Missed ?? schedule.Missed;
        schedule.Submission = change.Run is null ? schedule.Submission : ScheduleDocument.SubmissionOf(change.Run, change.Grid);
        var (cron, zone, enabled) = (change.Cron ?? schedule.Cron, change.TimeZone ?? schedule.TimeZone,
            change.Enabled ?? schedule.Enabled);
        if ((cron, zone, enabled) != (schedule.Cron, schedule.TimeZone, schedule.Enabled))
            schedule.NextAt = enabled ? Calendar.Of(cron, zone).After(await intake.Db.NowAsync(cancel)) : null;
        (schedule.Cron, schedule.TimeZone, schedule.Enabled) = (cron, zone, enabled);
        if (!await schedules.ChangeAsync(schedule, schedule.Version, context.AuditEvent("schedule.change", id, Facts(schedule)),
            cancel))
            throw EntityTags.ChangedMeanwhile();
        return Results.Json(Document(context, await FindAsync(intake.Db, id, cancel)));
    }

    static async Task<IResult> DeleteAsync(Guid id, HttpContext context, MetaOptDb db, ScheduleStore schedules,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var schedule = await FindAsync(db, id, cancel);
        context.RequireOwner(schedule.Owner);
        EntityTags.RequireMatch(context.Request, schedule.Version);
        await schedules.DeleteAsync(id, context.AuditEvent("schedule.delete", id, new() { ["name"] = schedule.Name }), cancel);
        return Results.NoContent();
    }

    /// <summary>The submission is one that the caller may make now.</summary>
    static async Task CheckAsync(HttpContext context, SubmissionService intake, Submission run, IReadOnlyList<Batch.Axis>? grid,
        CancellationToken cancel)
    {
        try
        {
            if (grid is null) await intake.ResolveAsync(context, run, cancel);
        }
        catch (ProblemException wrong) when (wrong.Errors.Count > 0)
        {
            throw ProblemException.Invalid(new SpecException([.. wrong.Errors]), "/run");
        }
        if (grid is not null)
            await foreach (var _ in BatchApi.ResolveAsync(context, new Batch { Run = run, Grid = grid }, intake, cancel)) { }
    }

    static async Task<Schedule> FindAsync(MetaOptDb db, Guid id, CancellationToken cancel) =>
        await db.Schedules.AsNoTracking().FirstOrDefaultAsync(s => s.Id == id, cancel)
            ?? throw ProblemException.NotFound($"schedule {id}");

    static JsonObject Document(HttpContext context, Schedule schedule)
    {
        var document = ScheduleDocument.Of(schedule);
        context.Response.Headers.ETag = EntityTags.Of(schedule.Version, document);
        return document;
    }

    static JsonObject Facts(Schedule schedule) => new()
    {
        ["name"] = schedule.Name,
        ["cron"] = schedule.Cron,
        ["timeZone"] = schedule.TimeZone,
        ["enabled"] = schedule.Enabled,
    };

    static JsonArray Texts(IEnumerable<DateTimeOffset> occurrences) => new([.. occurrences.Select(at => (JsonNode)at)]);
}

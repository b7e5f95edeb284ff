using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hangfire;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Schedules;

/// <summary>
/// Submits what has come due, every minute. Each occurrence goes through the door of POST /runs under an idempotency key of its
/// own, and the schedule is advanced afterwards: whenever a process dies, or two do it at once, the occurrence is the same run.
/// </summary>
public sealed class ScheduleRounds(IServiceScopeFactory scopes, ScheduleStore schedules, UserStore users,
    ILogger<ScheduleRounds> log)
{
    /// <summary>
    /// One round over all schedules that are due. A fault of one leaves it for the next round, and does not stop the others.
    /// </summary>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task SubmitDueAsync(CancellationToken cancel)
    {
        foreach (var id in await schedules.ListDueAsync(cancel))
            try
            {
                await SubmitAsync(id, cancel);
            }
            catch (Exception fault) when (!DatabaseOutage.Is(fault) && !cancel.IsCancellationRequested)
            {
                log.LogError(fault, "Schedule {Schedule} was left for the next round", id);
            }
    }

    async Task SubmitAsync(Guid id, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<MetaOptDb>();
        var (schedule, now) = (await db.Schedules.AsNoTracking().FirstOrDefaultAsync(s => s.Id == id, cancel),
            await db.NowAsync(cancel));
        if (schedule is not { Enabled: true, NextAt: { } seen } || seen > now) return;
        Calendar calendar;
        try
        {
            calendar = Calendar.Of(schedule.Cron, schedule.TimeZone);
        }
        catch (SpecException unknown)
        {
            await schedules.AdvanceAsync(id, seen, null, new(seen, [], unknown.Message), 0, cancel);
            return;
        }
        var (due, skipped) = calendar.Due(seen, now, schedule.Missed);
        if (due.Count == 0) await schedules.AdvanceAsync(id, seen, calendar.After(now), null, skipped, cancel);
        foreach (var occurrence in due)
        {
            var next = calendar.After(occurrence);
            var outcome = await SubmitAsync(schedule, occurrence, cancel);
            // Somebody changed it, or another process was faster: then that one goes on.
            if (!await schedules.AdvanceAsync(id, seen, next, outcome, skipped, cancel) || next is null) return;
            (seen, skipped) = (next.Value, 0);
        }
    }

    /// <summary>Submits an occurrence as if its owner had posted it: the same checks, rights, quotas and audit.</summary>
    async Task<ScheduleOutcome> SubmitAsync(Schedule schedule, DateTimeOffset occurrence, CancellationToken cancel)
    {
        if (await users.FindUserAsync(schedule.Owner, cancel) is not { DisabledAt: null } owner)
            return new(occurrence, [], $"The owner {schedule.Owner} is disabled.");
        if (!Scopes.Of(owner.Role).Contains(Scopes.RunsWrite))
            return new(occurrence, [],
                $"The owner {schedule.Owner} may not submit runs: the role is {owner.Role.ToString().ToLowerInvariant()}.");
        await using var scope = scopes.CreateAsyncScope();
        var (run, isGrid) = (schedule.Submission.GetProperty("run"), schedule.Submission.TryGetProperty("grid", out _));
        var request = new DefaultHttpContext
        {
            RequestServices = scope.ServiceProvider,
            User = Authentication.Principal(new(owner.Id, owner.Name, owner.Role, "", Scopes.Of(owner.Role)), []),
            RequestAborted = cancel,
        };
        (request.Request.Method, request.Request.ContentType) = (HttpMethods.Post, "application/json");
        request.Request.Body = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(isGrid ? schedule.Submission : run));
        request.Request.Headers["Idempotency-Key"] = KeyOf(schedule.Id, occurrence);
        var intake = ActivatorUtilities.CreateInstance<SubmissionService>(scope.ServiceProvider);
        try
        {
            if (!isGrid)
                return new(occurrence,
                    [await intake.QueueAsync(request, await intake.ReadAsync<Submission>(request, "", null, cancel), null,
                        cancel)], null);
            var answer = (JsonObject)((IValueHttpResult)await BatchApi.SubmitAsync(request, intake, cancel)).Value!;
            return new(occurrence, [.. answer["runs"]!.AsArray().Select(r => Guid.Parse((string)r!["id"]!))], null);
        }
        // It was submitted before the schedule was changed.
        catch (ProblemException before) when (before.Code == "idempotency-conflict")
        {
            var (key, db) = (KeyOf(schedule.Id, occurrence), intake.Db);
            return new(occurrence,
                await db.Runs.Where(r => r.Owner == owner.Name
                    && (r.IdempotencyKey == key || r.IdempotencyKey!.StartsWith(key + "#")))
                .OrderBy(r => r.Id).Select(r => r.Id).ToListAsync(cancel), null);
        }
        catch (ProblemException refused)
        {
            return new(occurrence, [],
                string.Join(' ', [refused.Message, .. refused.Errors.Select(e => $"{e.Pointer} {e.Detail}")]));
        }
        catch (SpecException refused)
        {
            return new(occurrence, [], string.Join(' ', refused.Errors.Select(e => $"{e.Pointer} {e.Detail}")));
        }
    }

    /// <summary>The same for every attempt at an occurrence, and for no other.</summary>
    static string KeyOf(Guid schedule, DateTimeOffset occurrence) =>
        string.Create(CultureInfo.InvariantCulture, $"schedule:{schedule:N}:{occurrence.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}");
}

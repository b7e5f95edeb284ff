using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>The owner has as many schedules as one user may have.</summary>
public sealed class TooManySchedulesException(string owner)
    : Exception($"{owner} has {ScheduleStore.MostPerOwner} schedules, which is the maximum; delete one first.");

/// <summary>Schedules, and how far each has come.</summary>
public sealed class ScheduleStore(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>Most schedules of one user.</summary>
    public const int MostPerOwner = 100;

    // Any constant will do, as long as nobody else in the database uses it.
    const long OwnersLock = 0x6d6574616f707407;

    /// <summary>Stores a new schedule.</summary>
    /// <exception cref="TooManySchedulesException">Its owner has as many as one may have.</exception>
    public async Task AddAsync(Schedule schedule, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        // Two at once would both find room.
        await db.Database.ExecuteSqlAsync($"select pg_advisory_xact_lock(hashtextextended({schedule.Owner}, {OwnersLock}))",
            cancel);
        if (await db.Schedules.CountAsync(s => s.Owner == schedule.Owner, cancel) >= MostPerOwner)
            throw new TooManySchedulesException(schedule.Owner);
        db.Add(schedule);
        db.Add((audit with { Subject = schedule.Id.ToString() }).Entry);
        await db.SaveChangesAsync(cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>
    /// Stores what a person changed. False: it is gone, or not in the version <paramref name="version"/> any more.
    /// </summary>
    public async Task<bool> ChangeAsync(Schedule changed, long version, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var rows = await db.Schedules.Where(s => s.Id == changed.Id && s.Version == version).ExecuteUpdateAsync(set => set
            .SetProperty(s => s.Name, changed.Name).SetProperty(s => s.Cron, changed.Cron)
            .SetProperty(s => s.TimeZone, changed.TimeZone)
            .SetProperty(s => s.Missed, changed.Missed).SetProperty(s => s.Enabled, changed.Enabled)
            .SetProperty(s => s.Submission, changed.Submission).SetProperty(s => s.NextAt, changed.NextAt)
            .SetProperty(s => s.Version, s => s.Version + 1), cancel);
        if (rows == 0) return false;
        db.Add(audit.Entry);
        await db.SaveChangesAsync(cancel);
        await transaction.CommitAsync(cancel);
        return true;
    }

    /// <summary>Deletes a schedule; its runs stay. False: there is none.</summary>
    public Task<bool> DeleteAsync(Guid id, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "delete from schedules where id = @id", ("id", id));

    /// <summary>Ids of enabled schedules with an occurrence that has come, the longest overdue first.</summary>
    public async Task<IReadOnlyList<Guid>> ListDueAsync(CancellationToken cancel)
    {
        await using var read =
            dataSource.Command("select id from schedules where enabled and next_at <= clock_timestamp() order by next_at");
        await using var reader = await read.ExecuteReaderAsync(cancel);
        var due = new List<Guid>();
        while (await reader.ReadAsync(cancel)) due.Add(reader.GetGuid(0));
        return due;
    }

    /// <summary>
    /// Notes that the occurrences before <paramref name="next"/> were dealt with. False: somebody else did it or changed the
    /// schedule since it was read with the first occurrence <paramref name="seen"/>.
    /// </summary>
    /// <param name="id">The schedule.</param>
    /// <param name="seen">Its <see cref="Schedule.NextAt"/> as read.</param>
    /// <param name="next">Its new one; null when none follows.</param>
    /// <param name="done">The occurrence that was dealt with and what came of it; null when all were skipped.</param>
    /// <param name="skipped">Occurrences that were skipped.</param>
    /// <param name="cancel">Leaves it as it is.</param>
    public async Task<bool> AdvanceAsync(Guid id, DateTimeOffset seen, DateTimeOffset? next, ScheduleOutcome? done, long skipped,
        CancellationToken cancel)
    {
        await using var advance = dataSource.Command(
            """
            update schedules set next_at = @next, skipped = skipped + @skipped,
              last_at = coalesce(@at, last_at), last_runs = coalesce(@runs, last_runs),
              last_error = case when @at::timestamptz is null then last_error else @error end
            where id = @id and enabled and next_at = @seen
            """,
            ("id", id), ("seen", seen.ToUniversalTime()), ("next", next?.ToUniversalTime()), ("skipped", skipped),
            ("at", done?.At.ToUniversalTime()), ("runs", done?.Runs.ToArray()), ("error", done?.Error));
        return await advance.ExecuteNonQueryAsync(cancel) > 0;
    }
}

/// <summary>The outcome of an occurrence.</summary>
/// <param name="At">The occurrence.</param>
/// <param name="Runs">Runs that it submitted.</param>
/// <param name="Error">Why it submitted none, or null.</param>
public sealed record ScheduleOutcome(DateTimeOffset At, IReadOnlyList<Guid> Runs, string? Error);

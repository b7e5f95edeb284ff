using System.Text.RegularExpressions;
using Cronos;
using MetaOpt.Storage;

namespace MetaOpt.Api.Schedules;

/// <summary>
/// The occurrences of a cron expression in a time zone. Where clocks are put forward, an occurrence in the hour that is left out
/// comes right after it; where they are put back, one at a fixed time comes once.
/// </summary>
sealed partial record Calendar(CronExpression Expression, TimeZoneInfo Zone)
{
    /// <summary>Most missed occurrences that are made up for at once; older ones are skipped.</summary>
    public const int MostMadeUp = 100;

    /// <summary>
    /// How late an occurrence may be and still be no missed one: restarts and short outages are nobody's fault.
    /// </summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMinutes(10);

    /// <summary>The errors of the expression and the zone; pointers as in the request's body.</summary>
    public static IEnumerable<SpecError> Check(string? cron, string? zone)
    {
        if (cron is not null && !CronExpression.TryParse(cron, out _))
            yield return new("/cron",
                $"must be a cron expression of five fields (minute, hour, day of month, month, day of week) such as \"0 3 * * "
                + $"1-5\", got \"{cron}\".");
        if (zone is not null && ZoneOf(zone) is null)
            yield return new("/timeZone",
                $"must be the IANA name of a time zone that the server knows, such as UTC or Europe/Berlin, got \"{zone}\".");
    }

    /// <summary>The calendar of a schedule.</summary>
    /// <exception cref="SpecException">The server does not know the time zone any more.</exception>
    public static Calendar Of(string cron, string zone) =>
        Check(cron, zone).ToList() is [_, ..] errors
            ? throw new SpecException(errors)
            : new(CronExpression.Parse(cron), ZoneOf(zone)!);

    /// <summary>The first occurrence after an instant; null when none comes in the next 100 years.</summary>
    public DateTimeOffset? After(DateTimeOffset instant) =>
        Expression.GetNextOccurrence(instant.UtcDateTime, Zone) is { } next ? new DateTimeOffset(next, TimeSpan.Zero) : null;

    /// <summary>The next occurrences, at most <paramref name="count"/>.</summary>
    public IEnumerable<DateTimeOffset> Next(DateTimeOffset instant, int count)
    {
        for (var next = After(instant); next is { } occurrence && count-- > 0; next = After(occurrence)) yield return occurrence;
    }

    /// <summary>
    /// Which occurrences from <paramref name="first"/> to <paramref name="now"/> are made up for, and how many are not.
    /// </summary>
    public (IReadOnlyList<DateTimeOffset> Due, long Skipped) Due(DateTimeOffset first, DateTimeOffset now,
        MissedOccurrences missed)
    {
        var (latest, count) = (new Queue<DateTimeOffset>(), 0L);
        for (DateTimeOffset? next = first; next is { } occurrence && occurrence <= now; next = After(occurrence))
        {
            count++;
            latest.Enqueue(occurrence);
            if (latest.Count > (missed == MissedOccurrences.All ? MostMadeUp : 1)) latest.Dequeue();
        }
        if (missed == MissedOccurrences.None && latest.TryPeek(out var last) && now - last > Grace) latest.Clear();
        return ([.. latest], count - latest.Count);
    }

    /// <summary>Only names without dots: they are looked up as files.</summary>
    static TimeZoneInfo? ZoneOf(string name) =>
        ZoneName().IsMatch(name) && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) ? zone : null;

    [GeneratedRegex(@"\A[A-Za-z0-9_+-]{1,30}(/[A-Za-z0-9_+-]{1,30}){0,2}\z")]
    private static partial Regex ZoneName();
}

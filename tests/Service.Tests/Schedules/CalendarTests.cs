using MetaOpt.Api.Schedules;
using MetaOpt.Storage;
using Xunit;

namespace MetaOpt.Service.Tests.Schedules;

/// <summary>Occurrences of a cron expression, over changes of the clock and long outages.</summary>
public class CalendarTests
{
    static DateTimeOffset Utc(string text) =>
        DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture,
            System.Globalization.DateTimeStyles.AssumeUniversal);

    [Fact]
    public void Where_clocks_are_put_forward_the_occurrence_that_is_left_out_comes_right_after()
    {
        // On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00.
        var calendar = Calendar.Of("30 2 * * *", "Europe/Berlin");
        Assert.Equal([Utc("2026-03-28 01:30"), Utc("2026-03-29 01:00"), Utc("2026-03-30 00:30")],
            calendar.Next(Utc("2026-03-28 00:00"), 3));
    }

    [Fact]
    public void Where_clocks_are_put_back_a_fixed_time_comes_once_and_hourly_ones_each_hour()
    {
        // On 25 October 2026 they go from 03:00 to 02:00: 02:30 is there twice.
        var calendar = Calendar.Of("30 2 * * *", "Europe/Berlin");
        Assert.Equal([Utc("2026-10-25 00:30"), Utc("2026-10-26 01:30")], calendar.Next(Utc("2026-10-24 12:00"), 2));
        var (due, _) = Calendar.Of("30 * * * *", "Europe/Berlin")
            .Due(Utc("2026-10-24 22:30"), Utc("2026-10-25 22:59"), MissedOccurrences.All);
        Assert.Equal(25, due.Distinct().Count());
    }

    [Theory]
    [InlineData(MissedOccurrences.All, 6, 0)]
    [InlineData(MissedOccurrences.One, 1, 5)]
    [InlineData(MissedOccurrences.None, 0, 6)]
    public void Missed_occurrences_are_made_up_for_as_the_schedule_says(MissedOccurrences missed, int due, int skipped)
    {
        var found = Calendar.Of("0 * * * *", "UTC").Due(Utc("2026-01-01 00:00"), Utc("2026-01-01 05:30"), missed);
        Assert.Equal((due, (long)skipped), (found.Due.Count, found.Skipped));
        Assert.All(found.Due.TakeLast(1), last => Assert.Equal(Utc("2026-01-01 05:00"), last));
    }

    [Fact]
    public void One_that_is_only_a_little_late_is_no_missed_one()
    {
        var found = Calendar.Of("0 * * * *", "UTC").Due(Utc("2026-01-01 00:00"), Utc("2026-01-01 02:03"), MissedOccurrences.None);
        Assert.Equal((Utc("2026-01-01 02:00"), 2L), (Assert.Single(found.Due), found.Skipped));
    }

    [Fact]
    public void After_a_long_outage_the_latest_hundred_are_made_up_for_and_the_others_counted()
    {
        var (first, now) = (Utc("2026-01-01 00:00"), Utc("2026-03-01 00:00"));
        var found = Calendar.Of("* * * * *", "UTC").Due(first, now, MissedOccurrences.All);
        Assert.Equal((Calendar.MostMadeUp, now), (found.Due.Count, found.Due[^1]));
        Assert.Equal((long)(now - first).TotalMinutes + 1 - Calendar.MostMadeUp, found.Skipped);
    }

    [Theory]
    [InlineData("every day", "UTC", "/cron")]
    [InlineData("0 0 3 * * *", "UTC", "/cron")]
    [InlineData("61 * * * *", "UTC", "/cron")]
    [InlineData("0 3 * * *", "Mars/Olympus", "/timeZone")]
    [InlineData("0 3 * * *", "../../etc/passwd", "/timeZone")]
    [InlineData("0 3 * * *", "Europe/../Europe/Berlin", "/timeZone")]
    [InlineData("0 3 * * *", "", "/timeZone")]
    public void Wrong_ones_are_told_with_their_field(string cron, string zone, string pointer) =>
        Assert.Equal(pointer, Assert.Single(Calendar.Check(cron, zone)).Pointer);
}

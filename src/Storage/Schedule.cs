using System.Text.Json;

namespace MetaOpt.Storage;

/// <summary>Treatment of occurrences that came due while nothing submitted them.</summary>
public enum MissedOccurrences
{
    /// <summary>Each is made up for.</summary>
    All,
    /// <summary>Of several, only the latest is.</summary>
    One,
    /// <summary>They are skipped.</summary>
    None,
}

/// <summary>A submission that is repeated at the times of a cron expression.</summary>
public sealed class Schedule
{
    /// <summary>UUIDv7: sorts by time of creation.</summary>
    public Guid Id { get; init; }
    /// <summary>The name that its owner gives it.</summary>
    public required string Name { get; set; }
    /// <summary>Name of the user whose runs it submits, with that user's rights.</summary>
    public required string Owner { get; init; }
    /// <summary>Cron expression of five fields: minute, hour, day of month, month, day of week.</summary>
    public required string Cron { get; set; }
    /// <summary>IANA name of the time zone that the expression is read in.</summary>
    public required string TimeZone { get; set; }
    /// <summary>The treatment of occurrences that were missed.</summary>
    public MissedOccurrences Missed { get; set; }
    /// <summary>Whether it submits anything.</summary>
    public bool Enabled { get; set; }
    /// <summary>Its submission: the members <c>run</c> and perhaps <c>grid</c>, as HTTP takes them.</summary>
    public JsonElement Submission { get; set; }
    /// <summary>When it was created, by the database's clock.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>The first occurrence that was not dealt with yet; null: none follows, or it is disabled.</summary>
    public DateTimeOffset? NextAt { get; set; }
    /// <summary>The occurrence that was dealt with last.</summary>
    public DateTimeOffset? LastAt { get; set; }
    /// <summary>Runs that it submitted.</summary>
    public List<Guid> LastRuns { get; set; } = [];
    /// <summary>Why that occurrence made no run; null when it did.</summary>
    public string? LastError { get; set; }
    /// <summary>Occurrences that were missed and not made up for.</summary>
    public long Skipped { get; set; }
    /// <summary>Grows with each change that a person makes.</summary>
    public long Version { get; set; } = 1;
}

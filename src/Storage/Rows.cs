namespace MetaOpt.Storage;

// Rows that only SQL touches. They are in the model so that one migration describes the whole schema.

/// <summary>A named trajectory of a run.</summary>
sealed class SeriesRow
{
    public long Id { get; init; }
    public Guid RunId { get; init; }
    public required string Name { get; init; }
}

/// <summary>One point; NaN and infinities are stored as such.</summary>
sealed class SeriesPointRow
{
    public long SeriesId { get; init; }
    public long Step { get; init; }
    public double Value { get; init; }
}

/// <summary>
/// Points of steps [Bucket * Width, (Bucket + 1) * Width). Values beyond 1e300 count as diverged, so that sums cannot overflow;
/// min, max and mean are over the others and null when there are none.
/// </summary>
sealed class SeriesRollupRow
{
    public long SeriesId { get; init; }
    public int Width { get; init; }
    public long Bucket { get; init; }
    public double? Min { get; init; }
    public double? Max { get; init; }
    public double? Mean { get; init; }
    public long Finite { get; init; }
    public long Diverged { get; init; }
}

/// <summary>4 MB of a checkpoint; belongs to no header until the last one is written.</summary>
sealed class CheckpointChunkRow
{
    public Guid CheckpointId { get; init; }
    public int Seq { get; init; }
    public Guid RunId { get; init; }
    public required byte[] Data { get; init; }
}

/// <summary>Header of a resume point: it exists once the bytes are complete. A run has one at most.</summary>
sealed class ResumePointRow
{
    public Guid Id { get; init; }
    public Guid RunId { get; init; }
    public long Step { get; init; }
    public long Size { get; init; }
    public required string Sha256 { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>4 MB of a resume point.</summary>
sealed class ResumePointChunkRow
{
    public Guid ResumePointId { get; init; }
    public int Seq { get; init; }
    public Guid RunId { get; init; }
    public required byte[] Data { get; init; }
}

/// <summary>Slot-seconds an owner used, decayed to <see cref="UpdatedAt"/> with a half-life of a day.</summary>
sealed class UsageRow
{
    public required string Owner { get; init; }
    public double SlotSeconds { get; init; }
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Seconds an owner used of any device on a day, UTC.</summary>
sealed class UsageDayRow
{
    public required string Owner { get; init; }
    public DateOnly Day { get; init; }
    public double Seconds { get; init; }
}

/// <summary>A line that a run's child wrote to its log.</summary>
sealed class RunLogRow
{
    public Guid RunId { get; init; }
    public long Seq { get; init; }
    public int Attempt { get; init; }
    public DateTimeOffset At { get; init; }
    public required string Text { get; init; }
}

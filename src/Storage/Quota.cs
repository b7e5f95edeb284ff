namespace MetaOpt.Storage;

/// <summary>
/// Limits of an owner; null: no limit. Of the row of <see cref="Everybody"/>: whoever has no limit of their own.
/// </summary>
public sealed class Quota
{
    /// <summary>Owner of the row that holds for everybody else.</summary>
    public const string Everybody = "";

    /// <summary>A user's name, or <see cref="Everybody"/>.</summary>
    public required string Owner { get; init; }
    /// <summary>Runs at once.</summary>
    public int? Running { get; set; }
    /// <summary>Runs that wait.</summary>
    public int? Queued { get; set; }
    /// <summary>Bytes of checkpoints and resume points.</summary>
    public long? StoredBytes { get; set; }
    /// <summary>Hours on devices in seven days.</summary>
    public double? DeviceHours { get; set; }
}

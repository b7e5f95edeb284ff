using System.Text.Json;
using MetaOpt.Runs;

namespace MetaOpt.Storage;

/// <summary>
/// A submitted job: the row that users see and the queue works on. People change name, tags, notes and priority;
/// everything else is written by <see cref="RunQueue"/> and <see cref="LeasedRun"/>.
/// </summary>
public sealed class Run
{
    /// <summary>
    /// Characters of an id's short form, taken from its end: a UUIDv7 begins with the time and ends with 62 random bits.
    /// </summary>
    public const int ShortIdLength = 8;

    /// <summary>UUIDv7: sorts by time of submission.</summary>
    public Guid Id { get; init; }
    /// <summary>Name of its kind.</summary>
    public required string Kind { get; init; }
    /// <summary>The name that its owner gives it.</summary>
    public required string Name { get; set; }
    /// <summary>Free labels.</summary>
    public List<string> Tags { get; set; } = [];
    /// <summary>Free text.</summary>
    public string Notes { get; set; } = "";
    /// <summary>Name of the user who submitted it.</summary>
    public required string Owner { get; init; }
    /// <summary>Which workers may take it.</summary>
    public required string Pool { get; init; }
    /// <summary>Higher goes first.</summary>
    public int Priority { get; set; }
    /// <summary>The normalised specification.</summary>
    public JsonElement Spec { get; init; }
    /// <summary>Lower-case hex over the compact UTF-8 text of the specification as submitted.</summary>
    public required string SpecSha256 { get; init; }
    /// <summary>A worker without this dataset does not take the run.</summary>
    public string? RequiredDataset { get; init; }
    /// <summary>Where it stands.</summary>
    public RunState State { get; set; }
    /// <summary>Claims so far.</summary>
    public int Attempt { get; set; }
    /// <summary>Deaths in a row without a new resume point.</summary>
    public int Deaths { get; set; }
    /// <summary>At this many deaths in a row the run fails.</summary>
    public int MaxDeaths { get; init; }
    /// <summary>Worker that holds the lease, while running.</summary>
    public string? LeaseOwner { get; set; }
    /// <summary>Fencing token: grows by one with each claim.</summary>
    public long LeaseToken { get; set; }
    /// <summary>When the reaper may take it, while running.</summary>
    public DateTimeOffset? LeaseExpiresAt { get; set; }
    /// <summary>For how long the lease was last renewed.</summary>
    public TimeSpan? LeaseTtl { get; set; }
    /// <summary>Up to when the owner's share has been charged.</summary>
    public DateTimeOffset? LeaseChargedAt { get; set; }
    /// <summary>Somebody wants it stopped.</summary>
    public DateTimeOffset? CancelRequestedAt { get; set; }
    /// <summary>Not claimed earlier.</summary>
    public DateTimeOffset NotBefore { get; set; }
    /// <summary>When it joined the queue: at its submission, at a retry. First come goes by it.</summary>
    public DateTimeOffset QueuedAt { get; set; }
    /// <summary>Runs that must have succeeded before it is claimed.</summary>
    public List<Guid> After { get; init; } = [];
    /// <summary>Not claimed until somebody resumes it.</summary>
    public bool Paused { get; set; }
    /// <summary>Its worker hands it back at the next resume point, to the end of the queue.</summary>
    public bool YieldRequested { get; set; }
    /// <summary>Time of all attempts together after which it fails; null: no limit.</summary>
    public TimeSpan? TimeLimit { get; set; }
    /// <summary>Checkpoints it reads: their runs cannot be deleted while it waits or runs.</summary>
    public List<Guid> Inputs { get; init; } = [];
    /// <summary>The runs that were submitted together with it have the same.</summary>
    public Guid? Batch { get; init; }
    /// <summary>The run whose specification it began with.</summary>
    public Guid? ForkedFrom { get; init; }
    /// <summary>The client's key: a second submission with it is the same run.</summary>
    public string? IdempotencyKey { get; init; }
    /// <summary>Hash of the submission that came with the key.</summary>
    public string? RequestSha256 { get; init; }
    /// <summary>Submission.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>First claim.</summary>
    public DateTimeOffset? StartedAt { get; set; }
    /// <summary>Final state reached.</summary>
    public DateTimeOffset? FinishedAt { get; set; }
    /// <summary>The latest <see cref="RunProgress"/>, camelCase.</summary>
    public JsonElement? Progress { get; set; }
    /// <summary>Result document of a run that succeeded.</summary>
    public JsonElement? Result { get; set; }
    /// <summary>Code of the error that made it fail.</summary>
    public string? ErrorCode { get; set; }
    /// <summary>The error in words, with what to do.</summary>
    public string? ErrorDetail { get; set; }
    /// <summary>Grows with each change a client can see, set by the database: for ETags.</summary>
    public long Version { get; init; }
    /// <summary>Time of the last change of state or cancel request.</summary>
    public DateTimeOffset MovedAt { get; init; }
    /// <summary>One for each claim.</summary>
    public List<Attempt> Attempts { get; } = [];
}

/// <summary>One claim of a run: who had it, from where it went on, and how it ended.</summary>
public sealed class Attempt
{
    /// <summary>The run.</summary>
    public Guid RunId { get; init; }
    /// <summary>1, 2, ...</summary>
    public int Number { get; init; }
    /// <summary>Name of the worker.</summary>
    public required string Worker { get; init; }
    /// <summary>Fencing token of its lease.</summary>
    public long Token { get; init; }
    /// <summary>Time of the claim.</summary>
    public DateTimeOffset StartedAt { get; init; }
    /// <summary>End, null while it runs.</summary>
    public DateTimeOffset? EndedAt { get; set; }
    /// <summary>
    /// succeeded, failed, cancelled, handed-back, died (the child), lost (the lease expired) or cut-off (it did, and the run is
    /// not to blame); null while it runs.
    /// </summary>
    public string? Outcome { get; set; }
    /// <summary>Why it died or failed.</summary>
    public string? Detail { get; set; }
    /// <summary>Step of the resume point it went on from, null when it began at the beginning.</summary>
    public long? ResumedFromStep { get; set; }
    /// <summary>Host, kernel set, vector width, threads, versions, data hashes.</summary>
    public JsonElement Facts { get; set; }
}

/// <summary>Header of a stored result; its bytes lie in chunk rows and are complete once it exists.</summary>
public sealed class Checkpoint
{
    /// <summary>UUIDv7.</summary>
    public Guid Id { get; init; }
    /// <summary>The run that made it.</summary>
    public Guid RunId { get; init; }
    /// <summary>For example <c>final</c>; unique together with <see cref="Step"/> in a run.</summary>
    public required string Name { get; init; }
    /// <summary>Steps done when it was made.</summary>
    public long Step { get; init; }
    /// <summary>Bytes.</summary>
    public long Size { get; init; }
    /// <summary>Lower-case hex over the bytes.</summary>
    public required string Sha256 { get; init; }
    /// <summary>When it was stored.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

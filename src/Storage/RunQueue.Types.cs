using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;

namespace MetaOpt.Storage;

/// <summary>A submission, already validated.</summary>
/// <param name="Kind">Name of its kind.</param>
/// <param name="Name">What its owner calls it.</param>
/// <param name="Owner">Name of the user.</param>
/// <param name="Spec">The normalised specification.</param>
public sealed record NewRun(string Kind, string Name, string Owner, JsonObject Spec)
{
    /// <summary>Free labels.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Free text.</summary>
    public string Notes { get; init; } = "";
    /// <summary>The dataset that a worker must have, or null.</summary>
    public string? RequiredDataset { get; init; }
    /// <summary>Which workers may take it.</summary>
    public string Pool { get; init; } = "cpu";
    /// <summary>-100 to 100, higher goes first.</summary>
    public int Priority { get; init; }
    /// <summary>Deaths in a row without a new resume point at which the run fails.</summary>
    public int MaxDeaths { get; init; } = 3;
    /// <summary>Not claimed earlier; null for at once.</summary>
    public DateTimeOffset? NotBefore { get; init; }
    /// <summary>Time of all attempts together after which it fails; null: no limit.</summary>
    public TimeSpan? TimeLimit { get; init; }
    /// <summary>Runs that must have succeeded before it is claimed.</summary>
    public IReadOnlyList<Guid> After { get; init; } = [];
    /// <summary>Checkpoints it reads.</summary>
    public IReadOnlyList<Guid> Inputs { get; init; } = [];
    /// <summary>Shared by the runs that are submitted together.</summary>
    public Guid? Batch { get; init; }
    /// <summary>The run whose specification it began with.</summary>
    public Guid? ForkedFrom { get; init; }
    /// <summary>A second submission of this owner with the same key and content is the same run.</summary>
    public string? IdempotencyKey { get; init; }
}

/// <summary>Changes to a run; a field that is null stays as it is.</summary>
public sealed record RunEdit(string? Name, IReadOnlyList<string>? Tags, string? Notes, int? Priority, TimeSpan? TimeLimit);

/// <summary>An idempotency key came again with another submission.</summary>
public sealed class IdempotencyConflictException(string key)
    : Exception($"The idempotency key '{key}' was used for another submission; use a new key for a new run.");

/// <summary>A run to wait for, or a checkpoint to read, was deleted meanwhile.</summary>
public sealed class MissingInputException(IReadOnlyList<Guid> missing)
    : Exception($"Deleted meanwhile, and needed by the run: {string.Join(", ", missing)}.");

/// <summary>The outcome of a request to delete a run.</summary>
public enum Deletion
{
    /// <summary>It is gone, with its series and checkpoints.</summary>
    Deleted,
    /// <summary>There is none.</summary>
    Unknown,
    /// <summary>It waits or runs.</summary>
    NotFinal,
    /// <summary>A run that waits or runs needs it, or one of its checkpoints.</summary>
    Needed,
    /// <summary>A checkpoint of it is a model.</summary>
    Promoted,
}

/// <summary>A worker, as it describes itself.</summary>
/// <param name="Name">Unique among workers.</param>
/// <param name="Pool">It takes runs of this pool only.</param>
/// <param name="Datasets">Names of the datasets it can read.</param>
/// <param name="Facts">Host, cores, versions.</param>
/// <param name="Slots">Runs it executes at once.</param>
public sealed record WorkerIdentity(string Name, string Pool, IReadOnlyList<string> Datasets, JsonObject Facts, int Slots = 1)
{
    /// <summary>The kernel sets that it computes with: <c>kernelSets</c> of its facts.</summary>
    public IEnumerable<string> KernelSets => (Facts["kernelSets"] as JsonArray ?? []).Select(name => (string)name!);
}

/// <summary>The right to execute a run and to write for it, until it expires and is reaped.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Token">Fencing token: the database refuses writes with any but the run's current one.</param>
/// <param name="Worker">Name of the worker that holds it.</param>
public sealed record Lease(Guid RunId, long Token, string Worker);

/// <summary>A claimed run.</summary>
public sealed record Claim(Lease Lease, int Attempt, string Kind, JsonElement Spec);

/// <summary>The answer to a heartbeat.</summary>
public enum Beat
{
    /// <summary>The lease holds for another ttl.</summary>
    Renewed,
    /// <summary>Renewed as well; somebody asked for the run to be cancelled.</summary>
    CancelRequested,
    /// <summary>
    /// Renewed as well; the run is to be handed back at its next resume point: somebody paused it, or lets others go first.
    /// </summary>
    YieldRequested,
    /// <summary>Renewed as well; the run has used up its time.</summary>
    OutOfTime,
    /// <summary>The run is no longer this worker's: kill the child and write nothing more.</summary>
    Lost,
}

/// <summary>The state or the cancel request of a run changed. May come more than once for one change.</summary>
public sealed record RunNotification(Guid RunId, RunState State, bool CancelRequested);

/// <summary>Why a queued run is not running yet.</summary>
public enum WaitCause
{
    /// <summary>Others go first.</summary>
    Position,
    /// <summary>No live worker of its pool.</summary>
    NoWorker,
    /// <summary>No live worker of its pool has its dataset.</summary>
    NoDataset,
    /// <summary>No live worker of its pool has the kernel set that it names.</summary>
    NoKernels,
    /// <summary>It was asked to wait until a time.</summary>
    NotBefore,
    /// <summary>Runs that it comes after have not succeeded.</summary>
    After,
    /// <summary>Somebody paused it.</summary>
    Paused,
    /// <summary>Its owner has as much as they may have.</summary>
    Quota,
    /// <summary>Every worker that could take it takes no more runs.</summary>
    Draining,
}

/// <summary>Why a queued run is not running yet.</summary>
/// <param name="Position">1 is the next of its pool, by the shares as they stand.</param>
/// <param name="Cause">The kind of reason.</param>
/// <param name="Reason">A sentence for people.</param>
public sealed record WaitReason(int Position, WaitCause Cause, string Reason)
{
    /// <summary>Nothing but the queue keeps it: it starts when its turn comes.</summary>
    public bool IsDue => Cause == WaitCause.Position;
}

/// <summary>The owner has as much as they may have.</summary>
public sealed class QuotaExceededException(string owner, string what)
    : Exception($"{owner} has {what}: delete or cancel something, or ask an administrator for a larger quota.");

/// <summary>How far a run is.</summary>
/// <param name="Phase">What the units are of.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all.</param>
/// <param name="StepsPerSecond">Recent speed.</param>
/// <param name="SecondsLeft">Prediction, null when unknown.</param>
public sealed record RunProgress(string Phase, long Done, long Total, double StepsPerSecond, double? SecondsLeft);

/// <summary>Why a run failed.</summary>
/// <param name="Code">Stable, kebab-case.</param>
/// <param name="Detail">What happened and what to do.</param>
public sealed record RunError(string Code, string Detail);

/// <summary>Where an attempt goes on from.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Bytes">What the executing run yielded.</param>
public sealed record StoredResumePoint(long Step, byte[] Bytes);

/// <summary>The run is no longer this lease's: stop, write nothing more.</summary>
public sealed class LeaseLostException(Lease lease)
    : Exception(
        $"Run {lease.RunId} is no longer leased to '{lease.Worker}' (token {lease.Token}): it was reaped, finished or deleted.");

namespace MetaOpt.Runs;

/// <summary>Where a run stands; see docs/run-states.md.</summary>
public enum RunState
{
    /// <summary>
    /// Waits to be claimed: freshly submitted, handed back by a worker, or taken from a dead one by the reaper.
    /// </summary>
    Queued,
    /// <summary>
    /// A worker holds its lease. Holds exactly while a lease is held; a crash leaves it so until the lease expires.
    /// </summary>
    Running,
    /// <summary>The worker finished it. Final.</summary>
    Succeeded,
    /// <summary>A user error, or three deaths in a row without a new resume point. Final, unless somebody retries it.</summary>
    Failed,
    /// <summary>Somebody asked for it, and it stopped. Final, unless somebody retries it.</summary>
    Cancelled,
}

/// <summary>The rules of <see cref="RunState"/>.</summary>
public static class RunStates
{
    /// <summary>Nothing happens to it by itself any more; only <see cref="CanBeRetried"/> leads out.</summary>
    public static bool IsFinal(this RunState state) => state is RunState.Succeeded or RunState.Failed or RunState.Cancelled;

    /// <summary>It may be queued again as itself; what succeeded stays as it is.</summary>
    public static bool CanBeRetried(this RunState state) => state is RunState.Failed or RunState.Cancelled;

    /// <summary>The edges of the state machine.</summary>
    public static bool CanBecome(this RunState from, RunState to) => (from, to) switch
    {
        (RunState.Queued, RunState.Running or RunState.Cancelled) => true,
        (RunState.Running, RunState.Queued or RunState.Succeeded or RunState.Failed or RunState.Cancelled) => true,
        (_, RunState.Queued) => from.CanBeRetried(),
        _ => false,
    };
}

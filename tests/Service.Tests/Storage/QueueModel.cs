using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>The queue as docs/run-states.md has it: what <see cref="QueueModelTests"/> expects of the database.</summary>
sealed class QueueModel
{
    int _clock;

    public Dictionary<Guid, ModelRun> Runs { get; } = [];
    public Dictionary<string, (int? Running, int? Queued)> Quotas { get; } = [];
    /// <summary>Workers that have been seen, and whether they drain.</summary>
    public Dictionary<string, bool> Workers { get; } = [];

    public void Submit(Guid id, ModelRun run)
    {
        run.Join(++_clock);
        Runs.Add(id, run);
    }

    /// <summary>What a worker claims now, by the shares in the database.</summary>
    public Guid? Next(string worker, string[] datasets, Dictionary<string, double> used) => Workers[worker] ? null : Runs
        .Where(r => r.Value.State == RunState.Queued && !r.Value.Paused && !r.Value.Later && MayStart(r.Value.Owner)
            && r.Value.After.All(Succeeded) && (r.Value.Dataset is null || datasets.Contains(r.Value.Dataset)))
        .OrderByDescending(r => r.Value.Priority).ThenBy(r => used.GetValueOrDefault(r.Value.Owner)).ThenBy(r => r.Value.Joined)
        .Select(r => (Guid?)r.Key).FirstOrDefault();

    public void Reap()
    {
        foreach (var run in Runs.Values) run.Reap();
    }

    /// <summary>The exception with which another waiting run of the owner is refused, null when there is room.</summary>
    public Type? RefusalOf(string owner) =>
        Quotas.GetValueOrDefault(owner).Queued < 1 + Count(owner, RunState.Queued) ? typeof(QuotaExceededException) : null;

    public Type? RefusalOfRetry(ModelRun run) =>
        run.After.All(Runs.ContainsKey) ? RefusalOf(run.Owner) : typeof(MissingInputException);

    public bool Retry(ModelRun run) => run.Retry(++_clock);

    public void HandBack(ModelRun run) => run.HandBack(++_clock);

    public Deletion Delete(Guid id)
    {
        if (!Runs[id].State.IsFinal()) return Deletion.NotFinal;
        if (Runs.Values.Any(r => !r.State.IsFinal() && r.After.Contains(id))) return Deletion.Needed;
        Runs.Remove(id);
        return Deletion.Deleted;
    }

    public bool Drain(string worker, bool drain) => Workers.ContainsKey(worker) && (Workers[worker] = drain) == drain;

    public bool Holds(Lease lease) => Runs.TryGetValue(lease.RunId, out var run) && run.Holds(lease.Token);

    bool MayStart(string owner) => !(Quotas.GetValueOrDefault(owner).Running <= Count(owner, RunState.Running));

    bool Succeeded(Guid id) => Runs.TryGetValue(id, out var run) && run.State == RunState.Succeeded;

    int Count(string owner, RunState state) => Runs.Values.Count(r => r.Owner == owner && r.State == state);
}

/// <summary>A run in it.</summary>
sealed class ModelRun(string owner, int priority, string? dataset, int maxDeaths, Guid[] after, bool later)
{
    // Tokens of the leases whose loss or death still counts.
    readonly List<long> _counted = [];
    bool _expired, _whileAway;

    public string Owner => owner;
    public int Priority => priority;
    public int MaxDeaths => maxDeaths;
    public string? Dataset => dataset;
    public Guid[] After => after;
    /// <summary>Its time has not come.</summary>
    public bool Later { get; private set; } = later;
    /// <summary>When it joined the queue.</summary>
    public int Joined { get; private set; }
    public RunState State { get; private set; } = RunState.Queued;
    public long Token { get; private set; }
    public int Deaths => _counted.Count;
    public long? ResumeStep { get; private set; }
    public bool CancelRequested { get; private set; }
    public bool Paused { get; private set; }
    public bool YieldRequested { get; private set; }
    public List<string?> Outcomes { get; } = [];

    public bool Holds(long token) => State == RunState.Running && Token == token;

    public void Join(int now) => Joined = now;

    public void ComeDue() => Later = false;

    public void Claim()
    {
        (State, _expired, _whileAway) = (RunState.Running, false, false);
        Token++;
        Outcomes.Add(null);
    }

    /// <summary>Its lease runs out, and was last renewed before or after the database's start.</summary>
    public void Expire(bool whileAway) => (_expired, _whileAway) = (true, whileAway);

    public Beat Beat(long token)
    {
        if (!Holds(token))
            return MetaOpt.Storage.Beat.Lost;
        (_expired, _whileAway) = (false, false);
        return CancelRequested ? MetaOpt.Storage.Beat.CancelRequested
            : Paused || YieldRequested ? MetaOpt.Storage.Beat.YieldRequested : MetaOpt.Storage.Beat.Renewed;
    }

    public void Reap()
    {
        if (_expired)
            Die(_whileAway ? "cut-off" : "lost", counts: !_whileAway);
    }

    public void Die(string outcome, bool counts = true)
    {
        if (counts) _counted.Add(Token);
        Leave(CancelRequested ? RunState.Cancelled : counts && Deaths >= maxDeaths ? RunState.Failed : RunState.Queued, outcome);
    }

    /// <summary>The worker of a lost lease lives.</summary>
    public void CutOff(long token)
    {
        if (Outcomes[(int)token - 1] != "lost") return;
        Outcomes[(int)token - 1] = "cut-off";
        if (!State.IsFinal()) _counted.Remove(token);
    }

    public void HandBack(int now)
    {
        if (YieldRequested) Joined = now;
        Leave(CancelRequested ? RunState.Cancelled : RunState.Queued, "handed-back");
    }

    public bool Pause() => !State.IsFinal() && (Paused = true);

    public bool Resume()
    {
        var paused = Paused;
        Paused = false;
        return paused;
    }

    public bool Yield() => State == RunState.Running && (YieldRequested = true);

    public void Finish(RunState final) => Leave(final, final.ToString().ToLowerInvariant());

    public RunState Cancel()
    {
        CancelRequested |= !State.IsFinal();
        if (State == RunState.Queued)
            (State, Paused) = (RunState.Cancelled, false);
        return State;
    }

    public bool Retry(int now)
    {
        if (State is not (RunState.Failed or RunState.Cancelled)) return false;
        (State, CancelRequested, Later, Joined) = (RunState.Queued, false, false, now);
        _counted.Clear();
        return true;
    }

    public void SaveResumePoint(long step)
    {
        if (step > (ResumeStep ?? -1))
            _counted.Clear();
        ResumeStep = step;
    }

    void Leave(RunState state, string outcome)
    {
        (State, _expired, YieldRequested, Outcomes[^1]) = (state, false, false, outcome);
        Paused &= !state.IsFinal();
        if (state == RunState.Succeeded)
            ResumeStep = null;
    }
}

using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Service.Tests.Storage;

/// <summary>A run as DESIGN's rules have it: what <see cref="QueueModelTests"/> expects of the database.</summary>
sealed class ModelRun(string owner, int priority, string? dataset, int maxDeaths, int joined)
{
    public string Owner => owner;
    public int Priority => priority;
    public string? Dataset => dataset;
    /// <summary>When it joined the queue.</summary>
    public int Joined { get; private set; } = joined;
    public RunState State { get; private set; } = RunState.Queued;
    public long Token { get; private set; }
    public int Deaths { get; private set; }
    public long? ResumeStep { get; private set; }
    public bool CancelRequested { get; private set; }
    public bool Expired { get; private set; }
    public bool Paused { get; private set; }
    public bool YieldRequested { get; private set; }
    public List<string?> Outcomes { get; } = [];

    public bool Holds(long token) => State == RunState.Running && Token == token;

    public void Claim()
    {
        (State, Expired) = (RunState.Running, false);
        Token++;
        Outcomes.Add(null);
    }

    public void Expire() => Expired = State == RunState.Running;

    public Beat Beat(long token)
    {
        if (!Holds(token))
            return MetaOpt.Storage.Beat.Lost;
        Expired = false;
        return CancelRequested ? MetaOpt.Storage.Beat.CancelRequested
            : Paused || YieldRequested ? MetaOpt.Storage.Beat.YieldRequested : MetaOpt.Storage.Beat.Renewed;
    }

    public void Reap()
    {
        if (Expired)
            Die("lost");
    }

    public void Die(string outcome)
    {
        Deaths++;
        Leave(CancelRequested ? RunState.Cancelled : Deaths >= maxDeaths ? RunState.Failed : RunState.Queued, outcome);
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
        (State, Deaths, CancelRequested, Joined) = (RunState.Queued, 0, false, now);
        return true;
    }

    public void SaveResumePoint(long step)
    {
        if (step > (ResumeStep ?? -1))
            Deaths = 0;
        ResumeStep = step;
    }

    void Leave(RunState state, string outcome)
    {
        (State, Expired, YieldRequested, Outcomes[^1]) = (state, false, false, outcome);
        Paused &= !state.IsFinal();
        if (state == RunState.Succeeded)
            ResumeStep = null;
    }
}

using MetaOpt.Runs;

namespace MetaOpt.Domain.Tests.Runs;

/// <summary>The rules of run states over all of them; docs/run-states.md draws them.</summary>
public class RunStateTests
{
    static readonly RunState[] s_all = Enum.GetValues<RunState>();

    static readonly (RunState From, RunState To)[] s_edges =
    [
        (RunState.Queued, RunState.Running),
        (RunState.Queued, RunState.Cancelled),
        (RunState.Running, RunState.Queued),
        (RunState.Running, RunState.Succeeded),
        (RunState.Running, RunState.Failed),
        (RunState.Running, RunState.Cancelled),
        (RunState.Failed, RunState.Queued),
        (RunState.Cancelled, RunState.Queued),
    ];

    [Fact]
    public void There_are_exactly_these_edges()
    {
        var edges = from a in s_all from b in s_all where a.CanBecome(b) select (a, b);
        Assert.Equal(s_edges.Order(), edges.Order());
    }

    [Fact]
    public void A_state_is_final_exactly_when_nothing_but_a_retry_leaves_it()
    {
        foreach (var state in s_all)
        {
            var next = s_all.Where(other => state.CanBecome(other)).ToList();
            Assert.Equal(state.IsFinal(), next.Count == 0 || state.CanBeRetried());
            if (state.CanBeRetried()) Assert.Equal([RunState.Queued], next);
        }
        Assert.False(RunState.Succeeded.CanBeRetried());
    }

    [Fact]
    public void A_run_can_be_cancelled_exactly_until_it_is_final()
    {
        foreach (var state in s_all) Assert.Equal(state.CanBecome(RunState.Cancelled), !state.IsFinal());
    }

    [Fact]
    public void Every_state_is_reached_from_the_queue_and_every_run_can_end()
    {
        var reached = new HashSet<RunState> { RunState.Queued };
        for (var before = 0; before < reached.Count;)
        {
            before = reached.Count;
            reached.UnionWith(s_all.Where(to => reached.Any(from => from.CanBecome(to))));
        }
        Assert.Equal(s_all.Order(), reached.Order());
        Assert.All(s_all.Where(s => !s.IsFinal()), s => Assert.Contains(s_all, to => to.IsFinal() && s.CanBecome(to)));
    }

    [Fact]
    public void No_state_becomes_itself() => Assert.All(s_all, state => Assert.False(state.CanBecome(state)));
}

using MetaOpt.Cli.Reproduce;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>Time that runs beside each other take.</summary>
public class BusyTimeTests
{
    [Fact]
    public void Time_that_runs_share_counts_once_and_pauses_do_not()
    {
        var busy = new BusyTime();
        Add(100, 160);
        Add(0, 10);
        Add(5, 20);
        Add(8, 9);
        Add(120, 130);
        Add(160, 170);
        Assert.Equal(20 + 70, busy.Total.TotalSeconds);

        void Add(int from, int until) =>
            busy.Add(DateTimeOffset.UnixEpoch.AddSeconds(from), DateTimeOffset.UnixEpoch.AddSeconds(until));
    }
}

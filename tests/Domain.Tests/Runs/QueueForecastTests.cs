using MetaOpt.Runs;

namespace MetaOpt.Domain.Tests.Runs;

public class QueueForecastTests
{
    [Fact]
    public void Whoever_is_next_takes_the_slot_that_is_free_first()
    {
        Assert.Equal([0, 5, 7, 15], QueueForecast.Starts(3, [5, 7], [20, 10, 30, 1]));
        Assert.Equal([0, 0, 1], QueueForecast.Starts(2, [], [1, 2, 3]));
        Assert.Empty(QueueForecast.Starts(1, [4], []));
    }

    [Fact]
    public void Where_more_runs_than_slots_are_left_the_first_to_end_are_followed_by_nobody() =>
        Assert.Equal([9], QueueForecast.Starts(1, [9, 3], [1]));
}

namespace MetaOpt.Cli.Reproduce;

/// <summary>
/// How long at least one of several runs was at work: what somebody waits, when runs go side by side and interrupted calls lie
/// between.
/// </summary>
public sealed class BusyTime
{
    readonly List<(DateTimeOffset From, DateTimeOffset Until)> _spans = [];

    /// <summary>A run that began and ended.</summary>
    public void Add(DateTimeOffset from, DateTimeOffset until) => _spans.Add((from, until));

    /// <summary>The length of all spans' union.</summary>
    public TimeSpan Total
    {
        get
        {
            var (total, end) = (TimeSpan.Zero, DateTimeOffset.MinValue);
            foreach (var (from, until) in _spans.Order())
            {
                if (until <= end) continue;
                total += until - (from > end ? from : end);
                end = until;
            }
            return total;
        }
    }
}

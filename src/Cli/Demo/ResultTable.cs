using System.Globalization;

namespace MetaOpt.Cli.Demo;

/// <summary>
/// The table at the end: every contestant, its losses with confidence intervals, and its ratio to the best baseline.
/// </summary>
public static class ResultTable
{
    /// <summary>Lines of text, aligned.</summary>
    public static IEnumerable<string> Render(Benchmark contest)
    {
        List<string[]> rows =
        [
            ["", "", $"loss at step {contest.Horizon}", "", "", $"mean of steps 1..{contest.Horizon}", "", ""],
            ["optimizer", "rate", "mean", "95 % CI", "/ best", "mean", "95 % CI", "/ best"],
            .. contest.Contestants.Select(c => (string[])
            [
                c.Learned ? $"{c.Name} (learned)" : c.Name,
                c.LearningRate is { } rate ? Show(rate, "G3") : "-",
                Show(c.Final, Loss(c.Final)), Show(c.FinalCi95), Show(c.Final / contest.BestFinal, "F2"),
                Show(c.Average, Loss(c.Average)), Show(c.AverageCi95), Show(c.Average / contest.BestAverage, "F2"),
            ]),
        ];
        // The first row spans columns, so it does not set their widths.
        var widths = Enumerable.Range(0, 8).Select(column => rows.Skip(1).Max(row => row[column].Length)).ToArray();
        widths[2] = Math.Max(widths[2], 7);
        yield return Heading(rows[0], widths);
        foreach (var row in rows.Skip(1))
            yield return string.Join("  ", row.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i])))
                .TrimEnd();
        yield return "";
        yield return $"Means over {contest.Instances.ToString("N0", CultureInfo.InvariantCulture)} instances that nobody trained "
            + "or tuned on, "
            + "the same for all. \"/ best\": ratio to the best";
        yield return "baseline; below 1 is better. Baselines have tuned learning rates.";
    }

    static string Heading(string[] spans, int[] widths)
    {
        var first = widths[0] + widths[1] + 4;
        var second = first + widths[2] + widths[3] + widths[4] + 6;
        return new string(' ', first) + spans[2].PadRight(second - first) + spans[5];
    }

    static string Show(Interval interval) =>
        double.IsFinite(interval.Low)
            ? $"[{Show(interval.Low, Loss(interval.Low))}, {Show(interval.High, Loss(interval.High))}]"
            : "-";

    // The same number of decimals down a column, unless a loss is unusual.
    static string Loss(double value) => value is >= 0.01 and < 1000 ? "F3" : "G3";

    static string Show(double value, string format) =>
        double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "diverged";
}

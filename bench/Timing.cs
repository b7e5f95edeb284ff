using System.Diagnostics;

namespace MetaOpt.Bench;

/// <summary>Measuring: works take turns in short rounds, so that a clock that changes, or a neighbour, meets all of them alike.</summary>
static class Timing
{
    const int FewestRounds = 5;
    const double SecondsOfASample = 0.01;

    /// <summary>Seconds of one call of each work in each round: [work][round].</summary>
    /// <param name="seconds">For each work, all rounds together; a work that is slower than that still gets five rounds.</param>
    /// <param name="works">What to measure.</param>
    public static double[][] Interleave(double seconds, params Action[] works)
    {
        var repetitions = Array.ConvertAll(works, work => Math.Max(1, (int)(Math.Min(SecondsOfASample, seconds / FewestRounds) / WarmUp(work, seconds))));
        var rounds = new List<double>[works.Length];
        for (var w = 0; w < works.Length; w++) rounds[w] = [];
        var start = Stopwatch.GetTimestamp();
        while (rounds[0].Count < FewestRounds || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds * works.Length)
            for (var w = 0; w < works.Length; w++) rounds[w].Add(Seconds(works[w], repetitions[w]));
        return Array.ConvertAll(rounds, r => r.ToArray());
    }

    /// <summary>Calls the work until the compiler's tiers have settled and caches are warm. Returns the seconds of its last call.</summary>
    static double WarmUp(Action work, double seconds)
    {
        var start = Stopwatch.GetTimestamp();
        double last;
        var calls = 0;
        do
        {
            last = Seconds(work, 1);
            calls++;
        }
        while (calls < 2 || Stopwatch.GetElapsedTime(start).TotalSeconds < Math.Min(0.4, seconds));
        return Math.Max(last, 1e-9);
    }

    static double Seconds(Action work, int repetitions)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < repetitions; i++) work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / repetitions;
    }

    /// <summary>The middle value; the mean of the two middle ones of an even number.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The median over the rounds of a / b.</summary>
    public static double MedianRatio(double[] a, double[] b) => Median(a.Zip(b, (x, y) => x / y));
}

using System.Diagnostics;

namespace MetaOpt.Bench;

/// <summary>Works take turns in short rounds, so that a changing clock, or a neighbour, meets all of them alike.</summary>
static class Timing
{
    const int FewestRounds = 5;
    const double SecondsOfWarmUp = 0.4;
    const double SecondsOfASample = 0.01;

    /// <summary>Seconds of one call of each work in each round: [work][round].</summary>
    /// <param name="seconds">For each work, all rounds together; a work that is slower than that still gets five rounds.</param>
    /// <param name="works">What to measure.</param>
    public static double[][] Interleave(double seconds, params Action[] works)
    {
        var sample = Math.Min(SecondsOfASample, seconds / FewestRounds);
        var repetitions = Array.ConvertAll(works, work => Math.Max(1, (int)(sample / WarmUp(work))));
        var rounds = new List<double>[works.Length];
        for (var w = 0; w < works.Length; w++) rounds[w] = [];
        var start = Stopwatch.GetTimestamp();
        while (rounds[0].Count < FewestRounds || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds * works.Length)
            for (var w = 0; w < works.Length; w++) rounds[w].Add(Seconds(works[w], repetitions[w]));
        return Array.ConvertAll(rounds, r => r.ToArray());
    }

    /// <summary>
    /// Calls the work until the compiler has settled and caches are warm; the fastest call's seconds, as any single one may have
    /// been interrupted.
    /// </summary>
    static double WarmUp(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        var fastest = double.PositiveInfinity;
        for (var calls = 0; calls < 2 || Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsOfWarmUp; calls++)
            fastest = Math.Min(fastest, Seconds(work, 1));
        return Math.Max(fastest, 1e-9);
    }

    static double Seconds(Action work, int repetitions)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < repetitions; i++) work();
        // Not as a TimeSpan, which counts in 100 ns.
        return (Stopwatch.GetTimestamp() - start) / (double)Stopwatch.Frequency / repetitions;
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

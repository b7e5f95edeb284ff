using MetaOpt.Compute;

namespace MetaOpt.Evaluation;

/// <summary>Quantiles, means and the paired bootstrap.</summary>
public static class Statistics
{
    /// <summary>The <paramref name="q"/> quantile of sorted values, linear between neighbours (R's type 7). NaN if one is NaN.</summary>
    public static double Quantile(ReadOnlySpan<double> sorted, double q)
    {
        if (sorted.IsEmpty || double.IsNaN(sorted[0])) return double.NaN; // NaN sorts first
        var position = q * (sorted.Length - 1);
        var below = (int)position;
        if (below + 1 >= sorted.Length || position == below || sorted[below] == sorted[below + 1]) return sorted[below]; // infinity too
        return sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]);
    }

    /// <summary>What is no number counts as infinitely bad: it loses every comparison and sorts last.</summary>
    public static double Score(double loss) => double.IsFinite(loss) ? loss : double.PositiveInfinity;

    /// <summary>The arithmetic mean, summed in order.</summary>
    public static double Mean(ReadOnlySpan<double> values)
    {
        var sum = 0.0;
        foreach (var value in values) sum += value;
        return sum / values.Length;
    }

    /// <summary>
    /// Means of each of <paramref name="columns"/> under resampling of the instances with replacement, [resample][column]. All
    /// columns see the same resamples: differences and ratios between them are paired (Efron and Tibshirani 1993, chapter 10).
    /// </summary>
    public static double[][] BootstrapMeans(IReadOnlyList<double[]> columns, int resamples, ulong seed)
    {
        var count = columns[0].Length;
        var result = new double[resamples][];
        var indices = new int[count];
        for (var r = 0; r < resamples; r++)
        {
            var stream = new RandomStream(seed, Split.Test, Purpose.Bootstrap, (uint)r);
            for (var i = 0; i < count; i += 4)
            {
                var (a, b, c, d) = stream.Block((uint)i >> 2);
                indices[i] = Scaled(a, count);
                if (i + 1 < count) indices[i + 1] = Scaled(b, count);
                if (i + 2 < count) indices[i + 2] = Scaled(c, count);
                if (i + 3 < count) indices[i + 3] = Scaled(d, count);
            }
            result[r] = [.. columns.Select(column =>
            {
                var sum = 0.0;
                foreach (var index in indices) sum += column[index];
                return sum / count;
            })];
        }
        return result;
    }

    static int Scaled(uint bits, int count) => (int)(((ulong)bits * (ulong)count) >> 32);

    /// <summary>The central 95 % of values that a bootstrap gave.</summary>
    public static (double Low, double High) Interval95(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (Quantile(sorted, 0.025), Quantile(sorted, 0.975));
    }
}

using MetaOpt.Compute;

namespace MetaOpt.Evaluation;

/// <summary>Quantiles, means, the paired bootstrap and paired tests.</summary>
public static class Statistics
{
    /// <summary>
    /// The <paramref name="q"/> quantile of sorted values, linear between neighbours (R's type 7). NaN if one is NaN.
    /// </summary>
    public static double Quantile(ReadOnlySpan<double> sorted, double q)
    {
        if (sorted.IsEmpty || double.IsNaN(sorted[0])) return double.NaN; // NaN sorts first
        var position = q * (sorted.Length - 1);
        var below = (int)position;
        if (below + 1 >= sorted.Length || position == below || sorted[below] == sorted[below + 1])
            return sorted[below]; // infinity too
        return sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]);
    }

    /// <summary>Replaces a value that is not a number by infinity: it loses every comparison and sorts last.</summary>
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

    /// <summary>
    /// Two-sided p of the signed-rank test that paired x and y differ in neither direction (Wilcoxon, 1945): exact up to 30
    /// pairs, beyond that by the normal distribution with corrections for ties and continuity. Equal pairs say nothing and are
    /// left out.
    /// </summary>
    public static double SignedRank(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var differences = new List<(double Size, bool Above)>();
        for (var i = 0; i < x.Length; i++)
            if (x[i] != y[i]) differences.Add((Math.Abs(x[i] - y[i]), x[i] > y[i]));
        differences.Sort((a, b) => a.Size.CompareTo(b.Size));
        var count = differences.Count;
        var ranks = new int[count]; // doubled: ties share the mean of their ranks
        double ties = 0;
        for (int first = 0, next; first < count; first = next)
        {
            for (next = first + 1; next < count && differences[next].Size == differences[first].Size;) next++;
            for (var i = first; i < next; i++) ranks[i] = first + next + 1;
            ties += Math.Pow(next - first, 3) - (next - first);
        }
        long above = 0, all = 0;
        for (var i = 0; i < count; i++)
        {
            all += ranks[i];
            if (differences[i].Above) above += ranks[i];
        }
        var smaller = Math.Min(above, all - above);
        if (count <= 30) return Math.Min(1, 2 * ShareOfSumsUpTo(smaller, ranks));
        var deviation = Math.Sqrt(count * (count + 1.0) * (2 * count + 1) / 24 - ties / 48);
        return Math.Min(1, Erfc((all / 2.0 - smaller - 1) / 2 / deviation / Math.Sqrt(2)));
    }

    /// <summary>The share of all 2^n choices of signs whose positive ranks sum to at most <paramref name="most"/>.</summary>
    static double ShareOfSumsUpTo(long most, ReadOnlySpan<int> ranks)
    {
        var shares = new double[most + 1];
        shares[0] = 1;
        foreach (var rank in ranks)
            for (var sum = most; sum >= 0; sum--) shares[sum] = 0.5 * (shares[sum] + (sum >= rank ? shares[sum - rank] : 0));
        return Mean(shares) * shares.Length;
    }

    /// <summary>1 - erf(x) for x >= -1, to 1.2e-7 of itself (Press et al., Numerical Recipes, section 6.2).</summary>
    static double Erfc(double x)
    {
        var t = 1 / (1 + 0.5 * Math.Abs(x));
        ReadOnlySpan<double> c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
            1.48851587, -0.82215223, 0.17087277];
        var sum = 0.0;
        for (var i = c.Length - 1; i >= 0; i--) sum = sum * t + c[i];
        var result = t * Math.Exp(sum - x * x);
        return x >= 0 ? result : 2 - result;
    }

    /// <summary>
    /// The same p-values made safe for having looked at all of them (Holm, 1979): the chance of any false alarm is bounded.
    /// </summary>
    public static double[] Holm(IReadOnlyList<double> p)
    {
        var adjusted = new double[p.Count];
        var (largest, left) = (0.0, p.Count);
        foreach (var i in Enumerable.Range(0, p.Count).OrderBy(i => p[i]))
            adjusted[i] = largest = Math.Max(largest, Math.Min(1, left-- * p[i]));
        return adjusted;
    }
}

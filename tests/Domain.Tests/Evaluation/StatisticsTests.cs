using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Tasks;
using MetaOpt.Evaluation;

namespace MetaOpt.Domain.Tests.Evaluation;

/// <summary>Quantiles and the bootstrap against closed forms.</summary>
public class StatisticsTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 10)]
    [InlineData(0.5, 5.5)]
    [InlineData(0.25, 3.25)]
    [InlineData(0.1, 1.9)]
    public void Quantiles_are_linear_between_neighbours(double q, double expected) =>
        Assert.Equal(expected, Statistics.Quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], q), 12);

    [Fact]
    public void A_quantile_beside_infinity_is_still_a_number()
    {
        double[] sorted = [1, 2, 3, double.PositiveInfinity, double.PositiveInfinity];
        Assert.Equal(3, Statistics.Quantile(sorted, 0.5));
        Assert.Equal(1.4, Statistics.Quantile(sorted, 0.1), 12);
        Assert.Equal(double.PositiveInfinity, Statistics.Quantile(sorted, 0.9));
        Assert.Equal(double.PositiveInfinity, Statistics.Quantile(sorted, 0.6));
        Assert.Equal(7, Statistics.Quantile([7], 0.3));
        Assert.True(double.IsNaN(Statistics.Quantile([], 0.5)));
    }

    [Fact]
    public void The_bootstrap_spreads_as_the_standard_error_of_the_mean()
    {
        var values = new double[400];
        new RandomStream(3, Split.Test, Purpose.Instance).FillNormal<double>(values, 2);
        var means = Statistics.BootstrapMeans([values], 4000, 1).Select(m => m[0]).ToArray();
        var mean = values.Average();
        var error = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / values.Length) / Math.Sqrt(values.Length);
        Assert.InRange(means.Average() - mean, -0.1 * error, 0.1 * error);
        Assert.InRange(Math.Sqrt(means.Sum(m => (m - means.Average()) * (m - means.Average())) / means.Length) / error, 0.95,
            1.05);
        var (low, high) = Statistics.Interval95(means);
        Assert.InRange((mean - low) / error, 1.8, 2.15);
        Assert.InRange((high - mean) / error, 1.8, 2.15);
    }

    [Fact]
    public void All_columns_see_the_same_resamples()
    {
        double[] values = [1, 5, 2, 8, 3, 3, 9];
        var means = Statistics.BootstrapMeans([values, [.. values.Select(v => 3 * v + 1)]], 100, 7);
        Assert.All(means, m => Assert.Equal(3 * m[0] + 1, m[1], 12));
        Assert.Equal(means, Statistics.BootstrapMeans([values, [.. values.Select(v => 3 * v + 1)]], 100, 7));
        Assert.NotEqual(means[0][0], Statistics.BootstrapMeans([values], 100, 8)[0][0]);
    }

    [Fact]
    public void A_constant_has_an_interval_of_no_width()
    {
        var means = Statistics.BootstrapMeans([[4, 4, 4]], 100, 1).Select(m => m[0]);
        Assert.Equal((4.0, 4.0), Statistics.Interval95(means));
    }

    [Fact]
    public void The_central_interval_leaves_a_fortieth_on_either_side() =>
        Assert.Equal((25.0, 975.0), Statistics.Interval95(Enumerable.Range(0, 1001).Select(i => (double)(i * 8 % 1001))));

    /// <summary>Each of five is drawn a fifth of the time, in every place of a block of four and beyond it.</summary>
    [Fact]
    public void Resamples_draw_every_instance_equally_often()
    {
        var columns = Enumerable.Range(0, 5).Select(i => Enumerable.Range(0, 5).Select(j => i == j ? 1.0 : 0).ToArray())
            .ToArray();
        var means = Statistics.BootstrapMeans(columns, 20_000, 3);
        Assert.All(means, m => Assert.Equal(1, m.Sum(), 1e-12));
        // 100,000 draws: a share of 0.2 has a standard deviation of 0.0013.
        for (var i = 0; i < 5; i++) Assert.InRange(means.Average(m => m[i]), 0.195, 0.205);
        // All five the same: 5 / 5^5; of two columns that add up, never both.
        Assert.InRange(means.Count(m => m.Max() == 1) / 20_000.0, 0.0006, 0.0027);
    }

    [Fact]
    public void What_is_no_number_scores_worst()
    {
        Assert.Equal(double.PositiveInfinity, Statistics.Score(double.NaN));
        Assert.Equal(double.PositiveInfinity, Statistics.Score(double.NegativeInfinity));
        Assert.Equal(-3, Statistics.Score(-3));
        Assert.True(double.IsNaN(Statistics.Quantile([double.NaN, 1, 2], 0.5)));
    }

    /// <summary>About 95 of 100 intervals for the mean of normal samples contain the true mean.</summary>
    [Fact]
    public void Intervals_cover_the_truth_as_often_as_they_say()
    {
        var covered = 0;
        for (var trial = 0u; trial < 400; trial++)
        {
            var values = new double[60];
            new RandomStream(11, Split.Test, Purpose.Instance, trial).FillNormal<double>(values, 1);
            var (low, high) = Statistics.Interval95(Statistics.BootstrapMeans([values], 300, trial).Select(m => m[0]));
            if (low <= 0 && 0 <= high) covered++;
        }
        Assert.InRange(covered / 400.0, 0.90, 0.98);
    }

    /// <summary>Counted by hand: the signs of n ranks fall in 2^n ways.</summary>
    [Theory]
    [InlineData(new double[] { 1, 2, 3, 4, 5 }, 2.0 / 32)] // all on one side
    [InlineData(new double[] { -1, 2, 3, 4, 5 }, 4.0 / 32)] // sums 0, 1
    [InlineData(new double[] { -3, 1, 2, 4, 5 }, 10.0 / 32)] // sums 0, 1, 2, 3 twice
    [InlineData(new double[] { -1, 1, 1, 1 }, 10.0 / 16)] // ties: no or one negative sign
    [InlineData(new double[] { 0, 0, 1, 2, 3, 4, 5 }, 2.0 / 32)] // equal pairs say nothing
    [InlineData(new double[] { 0, 0 }, 1)]
    [InlineData(new double[] { double.PositiveInfinity, 1, 2, double.PositiveInfinity }, 2.0 / 16)]
    public void The_signed_rank_test_is_exact_for_few_pairs(double[] differences, double p)
    {
        Assert.Equal(p, Statistics.SignedRank(differences, new double[differences.Length]), 1e-12);
        Assert.Equal(p, Statistics.SignedRank(new double[differences.Length], differences), 1e-12);
    }

    [Fact]
    public void The_signed_rank_test_goes_on_where_it_becomes_approximate()
    {
        // Ranks 1 .. n, the k largest on the other side: with and without one more pair of the smallest size.
        double[] Pairs(int n, int k) => [.. Enumerable.Range(1, n).Select(i => i > n - k ? -1.0 * i : i)];
        foreach (var k in (int[])[5, 6, 8])
            Assert.InRange(
                Statistics.SignedRank(Pairs(31, k), new double[31]) / Statistics.SignedRank(Pairs(30, k), new double[30]), 0.6,
                1);
        var p = Statistics.SignedRank(Pairs(400, 0), new double[400]);
        Assert.InRange(p, 1e-70, 1e-60); // z = 17.3
    }

    public static TheoryData<string> Pairs
    {
        get
        {
            using var stream = typeof(StatisticsTests).Assembly.GetManifestResourceStream("signed-rank.json")!;
            return [.. JsonDocument.Parse(stream).RootElement.GetProperty("cases").EnumerateObject().Select(c => c.Name)];
        }
    }

    /// <summary>
    /// Above 30 pairs, corrected for ties and continuity: by SciPy's formula (goldens/signed-rank.py). The complementary error
    /// function is good to 1.2e-7.
    /// </summary>
    [Theory, MemberData(nameof(Pairs))]
    public void The_signed_rank_test_of_many_pairs_is_that_of_SciPy(string name)
    {
        var golden = GoldenTask.Read("signed-rank.json", name);
        double[] differences = [.. golden.GetProperty("differences").EnumerateArray().Select(d => d.GetDouble())];
        var p = golden.GetProperty("p").GetDouble();
        Assert.Equal(1, Statistics.SignedRank(differences, new double[differences.Length]) / p, 3e-7);
        Assert.Equal(1, Statistics.SignedRank(new double[differences.Length], differences) / p, 3e-7);
    }

    /// <summary>
    /// 30 pairs are still counted: with the smallest 3 ranks on the other side the sums 0 .. 6 are 14 sets of ranks.
    /// </summary>
    [Fact]
    public void Thirty_pairs_are_exact()
    {
        double[] differences = [.. Enumerable.Range(1, 30).Select(i => i <= 3 ? -1.0 * i : i)];
        Assert.Equal(14, Statistics.SignedRank(differences, new double[30]) / 2 * (1 << 30), 1e-6);
    }

    [Fact]
    public void The_signed_rank_test_raises_as_many_false_alarms_as_it_says()
    {
        var random = new Random(1);
        var alarms = 0;
        for (var i = 0; i < 2000; i++)
        {
            double[] x = [.. Enumerable.Range(0, 60).Select(_ => random.NextDouble() - 0.5)];
            if (Statistics.SignedRank(x, new double[60]) < 0.05) alarms++;
        }
        Assert.InRange(alarms, 70, 130); // 100 expected, standard deviation 10
    }

    [Fact]
    public void Holm_multiplies_the_smallest_most_and_keeps_the_order()
    {
        var adjusted = Statistics.Holm([0.01, 0.04, 0.03, 0.005]);
        Assert.Equal([0.03, 0.06, 0.06, 0.02], adjusted.Select(p => Math.Round(p, 12)));
        Assert.Equal([1, 1], Statistics.Holm([0.9, 0.7]));
        // 3 x 0.02, then 2 x 0.025 = 0.05 is raised to it; 0.6 stays, and no p exceeds 1.
        Assert.Equal([0.6, 0.06, 0.06], Statistics.Holm([0.6, 0.02, 0.025]).Select(p => Math.Round(p, 12)));
        Assert.Equal([0.3], Statistics.Holm([0.3]));
        Assert.Empty(Statistics.Holm([]));
    }
}

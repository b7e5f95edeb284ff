using MetaOpt.Compute;
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
        Assert.InRange(Math.Sqrt(means.Sum(m => (m - means.Average()) * (m - means.Average())) / means.Length) / error, 0.95, 1.05);
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
}

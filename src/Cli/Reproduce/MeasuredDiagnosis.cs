using System.Text.Json;
using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Reproduce;

/// <summary>One estimator in a diagnosis of meta-gradients.</summary>
/// <param name="Estimator">Its name.</param>
/// <param name="Reference">What it should come out as on average.</param>
/// <param name="Bias">Norm of the difference of the means; infinite when it overflowed.</param>
/// <param name="StandardError">Of the bias.</param>
/// <param name="RelativeBias">The bias over the norm of the reference.</param>
/// <param name="Variance">Trace of one estimate's covariance.</param>
/// <param name="Cosine">Of the angle between both means.</param>
public sealed record EstimatorRow(
    string Estimator, string Reference, double Bias, double StandardError, double RelativeBias, double Variance, double Cosine)
{
    /// <summary>The standard error over the norm of the reference.</summary>
    public double RelativeStandardError => StandardError / Bias * RelativeBias;
}

/// <summary>A diagnosis that is over, for one seed.</summary>
public sealed record MeasuredDiagnosis(string Name, string Title, string Seed, double Horizon, double Unroll,
    double ReferencePairs, IReadOnlyList<EstimatorRow> Rows)
{
    internal static MeasuredDiagnosis Read(JsonElement planned, string seed, JsonElement result) => new(
        planned.Text("name")!, planned.Text("title")!, seed, result.Number("horizon") ?? 0, result.Number("unroll") ?? 0,
        result.Number("referencePairs") ?? 0,
        [
            .. (result.Field("rows") ?? default).Items().Select(row => new EstimatorRow(
                row.Text("estimator")!, row.Text("reference")!, Number(row, "biasNorm"), Number(row, "biasStandardError"),
                Number(row, "relativeBias"),
                Number(row, "variance"), row.Number("cosine") ?? double.NaN)),
        ]);

    /// <summary>The row of <paramref name="estimator"/>.</summary>
    public EstimatorRow Of(string estimator) => Rows.Single(r => r.Estimator == estimator);

    /// <summary>Whether the mean of the seeds' ratios keeps the bound of a preset's <c>biasClaims</c>.</summary>
    internal static ClaimResult Judge(JsonElement claim, IEnumerable<MeasuredDiagnosis> all)
    {
        var (estimator, than) = (claim.Text("estimator")!, claim.Text("than")!);
        List<MeasuredDiagnosis> seeds = [.. all.Where(d => d.Name == claim.Text("diagnosis"))];
        List<SeedRatio> ratios = [.. seeds.Select(d =>
            new SeedRatio($"{estimator}/{d.Seed}", than, d.Of(estimator).Bias / d.Of(than).Bias, new(double.NaN, double.NaN)))];
        return new($"{estimator} / {than}: norm of the bias, mean of the seeds", seeds[0].Title, null,
            ratios.Average(r => r.Ratio), claim.Number("atMost")!.Value, ratios);
    }

    // JSON has no infinity.
    static double Number(JsonElement row, string field) => row.Number(field) ?? double.PositiveInfinity;
}

using System.Text.Json;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Demo;
using MetaOpt.Cli.Reproduce;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>What a reproduction concludes from results that are known beforehand.</summary>
public sealed class FindingsTests
{
    /// <summary>Three seeds of one training, two of another, three baselines of which one diverged.</summary>
    const string Result =
        """
        {"horizon": 100, "instances": 10, "contestants": [
          {"name": "lstm/1", "learned": true, "finalMean": 1.0, "averageLoss": 9},
          {"name": "lstm/2", "learned": true, "finalMean": 3.0, "averageLoss": 6},
          {"name": "lstm/3", "learned": true, "finalMean": 1.4, "averageLoss": 3},
          {"name": "lstm2/1", "learned": true, "finalMean": 0.8, "averageLoss": 30},
          {"name": "lost/1", "learned": true, "finalMean": null, "averageLoss": null},
          {"name": "sgd", "learned": false, "finalMean": 4, "averageLoss": 5},
          {"name": "adam", "learned": false, "finalMean": 2, "averageLoss": 8},
          {"name": "nag", "learned": false, "finalMean": null, "averageLoss": null}],
         "comparisons": [{"a": "lstm/2", "b": "adam", "finalRatioCi95": [1.2, 1.9], "averageRatioCi95": [0.1, 0.2]},
                         {"a": "lstm/2", "b": "sgd", "finalRatioCi95": [7, 8], "averageRatioCi95": [1.1, 1.3]}]}
        """;

    static async Task<Findings> FindAsync(string claims, string published = "[]")
    {
        using var api = new ApiClient(new Uri("http://127.0.0.1:1"), null); // nothing is asked: all is in the result
        var result = JsonDocument.Parse(Result).RootElement;
        var measured = new Measured(api, "run", "functions", "Functions", Benchmark.Read(result), result);
        var preset =
            JsonDocument.Parse(
                $$"""{"name": "p", "claims": {{claims}}, "biasClaims": [], "published": {{published}}}""").RootElement;
        return await Findings.OfAsync(preset, [measured], [], 0, default);
    }

    static string Claim(string learned, string against, string step, string seeds, double atMost) => FormattableString.Invariant(
        $$"""{"evaluation": "functions", "learned": {{learned}}, "against": {{against}}, "step": {{step}}, "seeds": "{{seeds}}", "atMost": {{atMost}}}""");

    const string Baselines = """["sgd", "adam", "nag"]""";

    /// <summary>Over the best baseline, adam with 2 at the horizon and sgd with 5 on average, whichever is named first.</summary>
    [Theory]
    [InlineData("100", "worst", "adam", 1.5)]
    [InlineData("100", "median", "adam", 0.7)]
    [InlineData("100", "mean", "adam", 0.9)]
    [InlineData("null", "worst", "sgd", 1.8)]
    [InlineData("null", "median", "sgd", 1.2)]
    [InlineData("null", "mean", "sgd", 1.2)]
    public async Task The_seeds_are_taken_together_over_the_best_baseline(string step, string seeds, string baseline,
        double ratio)
    {
        foreach (var against in new[] { Baselines, """["nag", "adam", "sgd"]""" })
        {
            var claim = Assert.Single((await FindAsync($"[{Claim("""["lstm"]""", against, step, seeds, 1)}]")).Claims);
            Assert.Equal(ratio, claim.Ratio, 1e-12);
            Assert.Equal(ratio <= 1, claim.Met);
            Assert.Equal(["lstm/1", "lstm/2", "lstm/3"], claim.Seeds.Select(s => s.Contestant));
            Assert.All(claim.Seeds, s => Assert.Equal(baseline, s.Baseline));
            Assert.Equal(step == "100" ? (1.2, 1.9) : (1.1, 1.3), (claim.Seeds[1].Ci95.Low, claim.Seeds[1].Ci95.High));
        }
    }

    [Fact]
    public async Task Of_several_trainings_the_best_counts_and_one_that_diverged_never_does()
    {
        var claims =
            (await FindAsync(
                $"[{Claim("""["lost", "lstm", "lstm2"]""", Baselines, "100", "worst", 0.4)}, {Claim("""["lost"]""", Baselines, "100", "mean", 1e9)}]")).Claims;
        Assert.Equal((0.4, "lstm2/1", true),
            (claims[0].Ratio, claims[0].Seeds.Single().Contestant, claims[0].Met)); // met at equality
        Assert.Equal((double.PositiveInfinity, false), (claims[1].Ratio, claims[1].Met));
    }

    [Fact]
    public async Task A_claim_does_not_hold_where_all_baselines_diverged()
    {
        var claim = Assert.Single((await FindAsync($"[{Claim("""["lstm"]""", """["nag"]""", "100", "worst", 1e9)}]")).Claims);
        Assert.Equal((double.PositiveInfinity, false), (claim.Ratio, claim.Met));
    }

    [Fact]
    public async Task All_claims_must_hold()
    {
        var (met, missed) = (Claim("""["lstm"]""", Baselines, "100", "mean", 0.91),
            Claim("""["lstm"]""", Baselines, "100", "mean", 0.89));
        Assert.True((await FindAsync($"[{met}, {met}]")).Met);
        Assert.False((await FindAsync($"[{met}, {missed}]")).Met);
    }

    [Fact]
    public async Task Beside_a_published_number_stands_the_mean_of_the_seeds_in_its_unit()
    {
        var rows = (await FindAsync("[]",
            """
            [{"evaluation": "functions", "contestant": "lstm", "step": 100, "paper": 0.3, "code": null, "unit": 10},
             {"evaluation": "functions", "contestant": "sgd", "step": null, "paper": null, "code": 4, "unit": 1}]
            """)).Published;
        Assert.Equal([(0.18, 0.3, null), (5, null, 4.0)], rows.Select(r => (Math.Round(r.Ours, 12), r.Paper, r.Code)));
    }
}

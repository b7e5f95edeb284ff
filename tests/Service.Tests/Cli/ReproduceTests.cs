using System.Text.Json.Nodes;
using System.Xml.Linq;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>A preset, run by the real command with a real API, worker and database.</summary>
public sealed class ReproduceTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    // The first start on a database writes the only token into its data folder.
    static readonly string s_home = TestFolders.New("reproduce");

    [Fact]
    public async Task A_preset_is_run_and_judged_and_a_second_time_nothing_is_computed_again()
    {
        var first = await CommandLine.RunAsync(s_home, postgres.ConnectionString,
            "reproduce learnable --json first.json --docs docs --out out");
        Assert.True(first.ExitCode == 0, first.Output);

        var findings = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(s_home, "first.json")))!;
        Assert.True((bool)findings["met"]!);
        var claims = findings["presets"]![0]!["claims"]!.AsArray();
        Assert.Equal(["sgd", "adam"], claims.Select(c => (string)c!["seeds"]![0]!["baseline"]!));
        foreach (var claim in claims)
        {
            var ratios = claim!["seeds"]!.AsArray().Select(s => (double)s!["ratio"]!).ToList();
            Assert.Equal(3, ratios.Count);
            Assert.Equal(ratios.Average(), (double)claim["ratio"]!, 1e-12);
            Assert.All(claim["seeds"]!.AsArray(),
                s => Assert.InRange((double)s!["ratio"]!, (double)s["ci95"]![0]!, (double)s["ci95"]![1]!));
        }
        // One curve for each training, the mean of its seeds, and one for each baseline.
        var svg = XDocument.Load(Path.Combine(s_home, "docs/reproduction/learnable-quadratics.svg"));
        Assert.Equal(4, svg.Descendants().Count(e => e.Name.LocalName == "polyline"));
        var page = await File.ReadAllTextAsync(Path.Combine(s_home, "docs/reproduction.md"));
        Assert.Contains("| learnable-sgd / best of sgd: loss at step 100, mean of the seeds (sgd) |", page,
            StringComparison.Ordinal);
        Assert.Matches(@"\| learnable \| [^|]+ \| 2 of 2 met, [\d.]+ min \(declared 1\) \| not run \(15 min\) \|", page);
        Assert.Matches(@"\| cifar-10 \| [^|]+ \| not run \(\d+ min\) \| not run \(\d+ min\) \|", page);

        var ledger = await File.ReadAllTextAsync(Path.Combine(s_home, "out/runs.json"));
        Assert.Equal(7, JsonNode.Parse(ledger)!.AsObject().Count);
        var again = await CommandLine.RunAsync(s_home, postgres.ConnectionString,
            "reproduce learnable --json again.json --docs docs --out out");
        Assert.True(again.ExitCode == 0, again.Output);
        Assert.Equal(ledger, await File.ReadAllTextAsync(Path.Combine(s_home, "out/runs.json")));
        Assert.Equal(claims.ToJsonString(),
            JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(s_home, "again.json")))!["presets"]![0]!["claims"]!
                .ToJsonString());
        Assert.Single((await File.ReadAllTextAsync(Path.Combine(s_home, "docs/reproduction.md")))
            .Split("<!-- begin learnable quick: 2 of 2 met, ")[1..]);
    }

    [Fact]
    public async Task Without_a_name_the_presets_are_listed_and_an_unknown_one_is_refused()
    {
        var list = await CommandLine.RunAsync(s_home, postgres.ConnectionString, "reproduce");
        Assert.True(list.ExitCode == 0, list.Output);
        foreach (var preset in Catalog.Presets) Assert.Contains(preset.Title, list.Output, StringComparison.Ordinal);
        var unknown = await CommandLine.RunAsync(s_home, postgres.ConnectionString, "reproduce figure-12");
        Assert.True(unknown.ExitCode == 2, unknown.Output);
        Assert.Contains("There is no preset \"figure-12\"; choose from learnable, ", unknown.Output, StringComparison.Ordinal);
    }
}

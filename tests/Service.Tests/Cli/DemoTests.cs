using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>The whole path, small: the real command with a real API, worker and database.</summary>
public sealed class DemoTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    const string Small = """
        {"title": "2-dimensional quadratics",
         "training": {"kind": "meta-training", "name": "small", "tags": ["demo"], "spec": {
           "task": {"type": "quadratic", "dimensions": 2},
           "optimizer": {"type": "lstm", "layers": [4], "preprocessing": "log-and-sign", "outputScale": 0.1},
           "training": {"horizon": 20, "unroll": 10, "metaBatch": 4, "metaEpochs": 4, "validation": {"every": 2, "instances": 8}}}},
         "evaluation": {"kind": "evaluation", "name": "small", "tags": ["demo"], "spec": {
           "task": {"type": "quadratic", "dimensions": 2}, "horizon": 20, "instances": 16, "tuning": {"instances": 16},
           "contestants": [{"name": "lstm", "checkpoint": ""}, {"optimizer": {"type": "sgd"}}, {"optimizer": {"type": "adam"}}]}}}
        """;

    [Fact]
    public async Task The_demo_trains_evaluates_and_leaves_table_plot_checkpoint_and_summary()
    {
        var home = TestFolders.New("demo");
        await File.WriteAllTextAsync(Path.Combine(home, "small.json"), Small);

        var first = await RunAsync(home, "demo --seed 3 --plan small.json --out out --json first.json");
        var again = await RunAsync(home, "demo --seed 3 --plan small.json --out again --json again.json");
        var other = await RunAsync(home, "demo --seed 4 --plan small.json --out other --json other.json");

        Assert.Contains("lstm (learned)", first, StringComparison.Ordinal);
        Assert.Contains("/swagger", first, StringComparison.Ordinal);
        var svg = XDocument.Load(Path.Combine(home, "out/quadratic-seed3.svg"));
        Assert.Equal(3, svg.Descendants().Count(e => e.Name.LocalName == "polyline"));
        var summary = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(home, "first.json")))!;
        Assert.Equal(["setup", "build", "start", "train", "evaluate"], summary["phases"]!.AsObject().Select(p => p.Key));
        Assert.Equal(3, (long)summary["seed"]!);
        Assert.Equal(["adam", "lstm", "sgd"], summary["contestants"]!.AsArray().Select(c => (string)c!["name"]!).Order());

        Assert.Equal(Contestants(home, "first.json"), Contestants(home, "again.json"));
        Assert.NotEqual(Contestants(home, "first.json"), Contestants(home, "other.json"));
        Assert.Equal(Hash(home, "out/quadratic-seed3.safetensors"), Hash(home, "again/quadratic-seed3.safetensors"));
        Assert.NotEqual(Hash(home, "out/quadratic-seed3.safetensors"), Hash(home, "other/quadratic-seed4.safetensors"));
    }

    [Fact]
    public async Task The_demo_cancels_what_one_that_was_killed_left()
    {
        // A database of its own: its first token goes into the data folder of whoever comes first.
        var (home, database) = (TestFolders.New("demo"), await PostgresFixture.CreateDatabaseAsync());
        await File.WriteAllTextAsync(Path.Combine(home, "small.json"), Small);
        await File.WriteAllTextAsync(Path.Combine(home, "long.json"),
            Small.Replace("\"metaEpochs\": 4,", "\"metaEpochs\": 100000,"));
        string[] Left() =>
            Directory.Exists(Path.Combine(home, "run")) ? Directory.GetFiles(Path.Combine(home, "run"), "*.demo-run") : [];
        using (var killed = CommandLine.Start(home, database, "demo --plan long.json --out out"))
        {
            for (; Left().Length == 0; await Task.Delay(50))
                if (killed.HasExited)
                    Assert.Fail(
                        $"The demo ended before it was killed: {await killed.StandardOutput.ReadToEndAsync()}{await killed.StandardError.ReadToEndAsync()}");
            killed.Kill();
            await killed.WaitForExitAsync();
        }
        var run = Path.GetFileNameWithoutExtension(Assert.Single(Left()));

        var (exitCode, output) = await CommandLine.RunAsync(home, database, "demo --plan small.json --out out --json out.json");
        Assert.True(exitCode == 0, output);
        Assert.Contains($"Cancelled run {run}", output, StringComparison.Ordinal);
        Assert.Empty(Left());
        await using var source = NpgsqlDataSource.Create(database);
        await using var read = source.CreateCommand($"select cancel_requested_at is not null from runs where id = '{run}'");
        Assert.Equal(true, await read.ExecuteScalarAsync());
    }

    static string Contestants(string home, string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(home, file)))!["contestants"]!.ToJsonString();

    static string Hash(string home, string file) =>
        Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Path.Combine(home, file))));

    async Task<string> RunAsync(string home, string arguments)
    {
        var (exitCode, output) = await CommandLine.RunAsync(home, postgres.ConnectionString, arguments);
        Assert.True(exitCode == 0, $"exit code {exitCode}\n{output}");
        return output;
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Demo;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

public sealed class ResultTableTests
{
    static readonly JsonElement Result = JsonElement.Parse("""
        {"kind":"evaluation","horizon":100,"instances":2000,"contestants":[
          {"name":"sgd","learned":false,"learningRate":0.01,"finalMean":null,"finalMeanCi95":null,"averageLoss":null,"averageLossCi95":null,"diverged":3},
          {"name":"adam","learned":false,"learningRate":0.31622776,"finalMean":0.4,"finalMeanCi95":[0.35,0.45],"averageLoss":1.13,"averageLossCi95":[1.1,1.2]},
          {"name":"lstm","learned":true,"learningRate":null,"finalMean":0.28,"finalMeanCi95":[0.25,0.31],"averageLoss":0.75,"averageLossCi95":[0.7,0.8]},
          {"name":"nag","learned":false,"learningRate":0.01,"finalMean":0.5,"finalMeanCi95":[0.4,0.6],"averageLoss":1.0,"averageLossCi95":[0.9,1.1]}]}
        """);

    [Fact]
    public void The_learned_optimizer_comes_first_and_ratios_are_to_each_columns_best_baseline()
    {
        var lines = ResultTable.Render(Benchmark.Read(Result)).ToList();

        Assert.Contains("loss at step 100", lines[0], StringComparison.Ordinal);
        Assert.Equal(
            "lstm (learned)  -  0.280 [0.250, 0.310] 0.70 0.750 [0.700, 0.800] 0.75".Split(' ',
                StringSplitOptions.RemoveEmptyEntries), Words(lines[2]));
        Assert.Equal(["adam", "nag", "sgd"], lines.Skip(3).Take(3).Select(line => Words(line)[0]));
        Assert.Equal("0.316", Words(lines[3])[1]);
    }

    [Fact]
    public void What_diverged_says_so() =>
        Assert.Contains("diverged", ResultTable.Render(Benchmark.Read(Result)).ElementAt(5), StringComparison.Ordinal);

    [Fact]
    public void Columns_are_aligned()
    {
        var rows = ResultTable.Render(Benchmark.Read(Result)).Skip(2).Take(2).ToList();
        Assert.Equal(rows[0].IndexOf("0.250", StringComparison.Ordinal), rows[1].IndexOf("0.350", StringComparison.Ordinal));
    }

    [Fact]
    public void The_summary_has_the_documented_fields_and_no_NaN()
    {
        var clock = PhaseClock.FromEnvironment();
        clock.End("train");
        var summary = JsonNode.Parse(DemoReport.Summarize(clock, 12.5, 7, Benchmark.Read(Result)).ToJsonString())!;

        Assert.Equal(12.5, (double)summary["seconds"]!);
        Assert.Equal(7, (long)summary["seed"]!);
        Assert.Equal(["setup", "build", "train"], summary["phases"]!.AsObject().Select(p => p.Key));
        var lstm = summary["contestants"]![0]!.AsObject();
        Assert.Equal(
            ["name", "learned", "learningRate", "meanAt100", "meanAt100Ci95", "averageLoss", "averageLossCi95"],
            lstm.Select(p => p.Key));
        Assert.True((bool)lstm["learned"]!);
        Assert.Null(lstm["learningRate"]);
        Assert.Equal(0.31, (double)lstm["meanAt100Ci95"]![1]!);
        Assert.Null(summary["contestants"]![3]!["meanAt100"]);
    }

    static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}

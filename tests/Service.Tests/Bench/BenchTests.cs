using System.Text.Json.Nodes;
using MetaOpt.Bench;
using MetaOpt.Compute;
using Xunit;

namespace MetaOpt.Service.Tests.Bench;

/// <summary>What <c>./metaopt bench</c> refuses, what its files look like, that a wrong peer is not timed.</summary>
public sealed class BenchTests : IDisposable
{
    readonly string file = Path.GetTempFileName();

    [Theory]
    [InlineData("frobnicate", "frobnicate")]
    [InlineData("peak --seconds 0", "from 0.01 to 600")]
    [InlineData("peak --threads x", "x")]
    [InlineData("kernels --coordinates 0", "from 1 to 10000000")]
    [InlineData("meta-step --task imagenet", "imagenet")]
    [InlineData("meta-step --coordinates 100", "--task mlp")]
    [InlineData("meta-step --task mlp --coordinates 3", "from 10 to 20000000")]
    [InlineData("scale --coordinates 5", "from 800 to 20000000")]
    [InlineData("peers --case jax", "jax")]
    [InlineData("peers --rounds 1", "from 5 to 1000")]
    public void A_wrong_argument_is_named_and_exits_with_two(string arguments, string named)
    {
        var (code, output, error) = Run(arguments.Split(' '));
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_said_before_the_work()
    {
        var (code, output, error) = Run("peak", "--json", "/no/such/folder/x.json");
        Assert.Equal((1, ""), (code, output));
        Assert.Contains("/no/such/folder", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_meta_step_has_its_parts_in_the_table_and_in_the_file()
    {
        const string arguments = "meta-step --task quadratic --coordinates 70 --unroll 3 --threads 1 --seconds 0.01 --json";
        var (code, output, _) = Run([.. arguments.Split(' '), file]);
        Assert.Equal(0, code);
        Assert.Contains("optimizer forward ms", output, StringComparison.Ordinal);
        var row = Assert.Single(JsonNode.Parse(File.ReadAllText(file))!.AsArray())!;
        Assert.Equal((70, 3, 1), (Number(row, "coordinates"), Number(row, "unroll"), Number(row, "threads")));
        string[] parts = ["ms", "optimizeeMs", "forwardMs", "metaGradientMs", "adamMs"];
        Assert.All(parts, part => Assert.True(Number(row, part) > 0, part));
        Assert.True(Number(row, "ms") >= Number(row, "forwardMs"));
        Assert.Contains(".NET", row["machine"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_size_is_measured_in_a_process_of_its_own()
    {
        Assert.Equal(0, Run("scale", "--coordinates", "800", "1700", "--threads", "1", "--seconds", "0.01", "--json", file).Code);
        var rows = JsonNode.Parse(File.ReadAllText(file))!.AsArray();
        Assert.Equal([805.0, 1600.0], rows.Select(r => Number(r!, "coordinates")));
        Assert.All(rows, r => Assert.InRange(Number(r!, "peakMiB"), 1, Number(r!, "limitMiB")));
    }

    [Fact]
    public void Every_optimizer_of_the_catalogue_has_a_row()
    {
        Assert.Equal(0, Run("inner-step", "--threads", "1", "--seconds", "0.01", "--json", file).Code);
        var rows = JsonNode.Parse(File.ReadAllText(file))!.AsArray();
        Assert.Equal(Catalog.Optimizers.Entries.Count + Catalog.LearnedOptimizers.Entries.Count, rows.Count);
        Assert.All(rows, r => Assert.True(Number(r!, "ns100") > 0));
        var fused = rows.Where(r => r!["case"]!.GetValue<string>() is "lstm, frozen" or "adam").ToList();
        Assert.Equal(2, fused.Count);
        Assert.All(fused, r => Assert.True(Number(r!, "ns1000") > 0 && Number(r!, "ns15910") > 0 && Number(r!, "ns1000000") > 0));
        var limited = rows.Single(r => r!["case"]!.GetValue<string>() == "ntm-bfgs, frozen")!;
        Assert.Null(limited["ns1000"]);
    }

    [Fact]
    public void The_peers_file_has_case_times_and_ratio_or_PyTorch_is_asked_for()
    {
        var (code, _, error) = Run("peers", "--case", "mnist-inner-step", "--peer", "pytorch", "--rounds", "5", "--seconds",
            "0.01", "--json", file);
        if (Peer.PyTorch() is null)
        {
            Assert.Equal(1, code);
            Assert.Contains("python3-torch", error, StringComparison.Ordinal);
            return;
        }
        Assert.Equal(0, code);
        var row = Assert.Single(JsonNode.Parse(File.ReadAllText(file))!.AsArray())!;
        Assert.Equal("mnist-inner-step", row["case"]!.GetValue<string>());
        Assert.True(Number(row, "oursMs") > 0 && Number(row, "peerMs") > 0);
        Assert.InRange(Number(row, "ratio"), Number(row, "ratioMin"), Number(row, "ratioMax"));
        Assert.InRange(Number(row, "relativeError"), 0, 1e-3);
    }

    [Fact]
    public void A_peer_with_one_other_weight_does_not_agree()
    {
        using var kernels = KernelSets.Create("auto", 1);
        var work = Workload.Quadratic(4, 5);
        using var ours = new MetaStepCase("test", kernels, work, 0, []);
        var (right, wrong) = (Workload.Phi(), Workload.Phi());
        wrong[67] += 0.01f;
        Assert.InRange(PeerCase.Agree(ours.Result(), Values(right), "test"), 0, 1e-7);
        var refusal = Assert.Throws<BenchException>(() => PeerCase.Agree(ours.Result(), Values(wrong), "test"));
        Assert.Contains("lstm.0.", refusal.Message, StringComparison.Ordinal);

        double[][] Values(float[] phi)
        {
            using var peer = new MetaStepCase("peer", kernels, work, 0, [], phi);
            return [.. peer.Result().Select(t => t.Values)];
        }
    }

    static double Number(JsonNode row, string field) => row[field]!.GetValue<double>();

    static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        return (BenchCommand.Run(arguments, output, error), output.ToString(), error.ToString());
    }

    public void Dispose() => File.Delete(file);
}

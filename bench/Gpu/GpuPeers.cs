using System.CommandLine;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Workers.Torch;

namespace MetaOpt.Bench;

/// <summary>
/// <c>gpu</c>: meta-steps on the GPU by turns with PyTorch eager and torch.compile on the same GPU in the same run. Only in the
/// flavours (-p:Gpu=cuda, or cpu to try it): ./metaopt bench gpu builds one. Both sides first have to agree on the meta-gradient
/// to 1e-3.
/// </summary>
static class GpuPeers
{
    const int Million = 1_000_000;
    static readonly string[] s_eager = ["cell", "fused", "decoupled-lstm"];

    public static Command Create()
    {
        var rounds = BenchCommand.Number("--rounds", "Rounds; in each, ours and every variant take turns.", 7, 3, 1000);
        var device = new Option<string>("--device")
        {
            Description = "cuda, or cpu to try the program.",
            DefaultValueFactory = _ => "cuda"
        };
        device.AcceptOnlyFromAmong("cuda", "cpu");
        var coordinates = BenchCommand.Number("--coordinates", "Of the large case.", Million, 1000, 100 * Million);
        return BenchCommand.Subcommand("gpu", "Meta-steps on the GPU, by turns with PyTorch eager and torch.compile.", 1,
            (arguments, bench) =>
            Measure(bench, arguments.GetValue(device)!, arguments.GetValue(rounds), arguments.GetValue(coordinates)), rounds,
            device, coordinates);
    }

    static void Measure(Bench bench, string device, int rounds, int coordinates)
    {
        TorchFlavour.Register();
        using var kernels = KernelSets.Create($"torch-{device}", Environment.ProcessorCount);
        Environment.SetEnvironmentVariable("METAOPT_PEER_DEVICE", device);
        var table = new Table("PyTorch and ours on one device (median of the rounds; ratio: peer / ours)",
            new("case", "case"), new("peer", "variant"), new("ours ms", "oursMs"), new("peer ms", "peerMs"),
            new("ratio", "ratio"),
            new("least", "ratioMin"), new("largest", "ratioMax"), new("difference", "relativeError", "G2"));
        var hidden = Workload.HiddenUnits(coordinates);
        foreach (var (name, units) in new[] { ("mnist-meta-step", 20), ("large-meta-step", hidden) })
            foreach (var row in Turns(bench, name, kernels, units, rounds)) table.Add(row);
        table.Note(string.Join(", ", kernels.Facts.Select(f => $"{f.Key}: {f.Value}"))
            + $"; the large case has {785 * hidden + 11 * hidden + 10} coordinates.");
        table.Note("Targets on a GPU: 5 times the fastest eager variant for the MNIST meta-step, 2 times in the large case.");
        table.Finish(bench);
    }

    static IEnumerable<JsonObject> Turns(Bench bench, string name, IKernels<float> kernels, int hidden, int rounds)
    {
        using var work = new MetaStepCase(name, kernels, Workload.Network("mnist", hidden, 20), hidden, s_eager);
        using var folder = new PeerFolder();
        work.Write(folder);
        using var peer = new PeerProcess(Peer.PyTorch() ?? throw new BenchException("PyTorch is missing: no Python has it."),
            folder);
        string[] variants = (bool)peer.Hello["compiles"]! ? [.. s_eager, .. s_eager.Select(v => $"{v}-compiled")] : s_eager;
        var errors = new Dictionary<string, double>();
        foreach (var variant in variants)
        {
            bench.Log.WriteLine($"{name}: PyTorch {peer.Hello["torch"]}, {variant} ...");
            var answer = peer.Ask(new() { ["do"] = "result", ["variant"] = variant });
            errors[variant] = PeerCase.Agree(work.Result(),
                [.. answer["result"]!.AsArray().Select(t => t!.AsArray().GetValues<double>().ToArray())], $"{name}, {variant}");
            Time(peer, variant, 0);
        }
        work.Measure(bench.Seconds);
        var samples = variants.ToDictionary(v => v, _ => (Ours: new List<double>(), Peer: new List<double>()));
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (variant, (ours, theirs)) in samples)
            {
                ours.Add(work.Measure(bench.Seconds));
                theirs.Add(Time(peer, variant, bench.Seconds));
            }
        }
        return samples.Select(s => Row(name, s.Key, s.Value.Ours, s.Value.Peer, errors[s.Key]));
    }

    static double Time(PeerProcess peer, string variant, double seconds) =>
        peer.Ask(new()
        {
            ["do"] = "time",
            ["variant"] = variant,
            ["seconds"] = seconds,
            ["threads"] = Environment.ProcessorCount
        })["seconds"]!.GetValue<double>();

    static JsonObject Row(string name, string variant, List<double> ours, List<double> peer, double error)
    {
        double[] ratios = [.. peer.Zip(ours, (p, o) => p / o)];
        return new()
        {
            ["case"] = name,
            ["variant"] = variant,
            ["oursMs"] = 1e3 * Timing.Median(ours),
            ["peerMs"] = 1e3 * Timing.Median(peer),
            ["ratio"] = Timing.Median(ratios),
            ["ratioMin"] = ratios.Min(),
            ["ratioMax"] = ratios.Max(),
            ["relativeError"] = error,
        };
    }
}

public static partial class BenchCommand
{
    static partial void AddFlavour(Command root) => root.Add(GpuPeers.Create());
}

using System.CommandLine;
using System.Text.Json.Nodes;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>
/// <c>peers</c>: the same work in PyTorch eager (bench/peers) and in libtorch through TorchSharp (bench/LibTorch), by turns with
/// ours. Each first has to agree with ours on the result to 1e-3. The peer is the fastest of its variants: a loop over LSTMCell,
/// or one product a layer; on one thread, on all, or on all but for its matrix products, which are small; after two rounds of
/// all. A peer with decoupled back-propagation is a row of its own.
/// </summary>
static class Peers
{
    const string Decoupled = "decoupled";

    // Then the fastest variant goes on alone: all of them would take most of an hour.
    const int RoundsForAll = 2;
    static readonly string[] MetaStepVariants = ["cell", "fused", "decoupled-loop", "decoupled-lstm"];
    static readonly string[] Names = ["mnist-meta-step", "quadratic-meta-step", "mnist-inner-step"];

    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var threads = BenchCommand.Threads();
        var rounds = BenchCommand.Number("--rounds", "Rounds; in each, ours and every variant take turns.", 7, 5, 1000);
        var only = new Option<string?>("--case") { Description = "Only this one." };
        only.AcceptOnlyFromAmong(Names);
        var whom = new Option<string?>("--peer") { Description = "Only this one." };
        whom.AcceptOnlyFromAmong("pytorch", "libtorch");
        return BenchCommand.Subcommand("peers", "The same work in PyTorch and libtorch, by turns with ours.", 0.3,
            (arguments, bench) =>
        {
            var names = arguments.GetValue(only) is { } name ? [name] : Names;
            Measure(bench, names, Find(arguments.GetValue(whom)), arguments.GetValue(threads), arguments.GetValue(rounds));
        }, threads, rounds, only, whom);
    }

    /// <exception cref="BenchException">The one that was asked for, or every one, is missing.</exception>
    static List<Peer> Find(string? name)
    {
        List<Peer> found = [.. name != "libtorch" && Peer.PyTorch() is { } pyTorch ? [pyTorch] : (Peer[])[],
            .. name != "pytorch" && Peer.LibTorch() is { } libTorch ? [libTorch] : (Peer[])[]];
        return found.Count > 0 ? found : throw new BenchException(name == "libtorch"
            ? "The peer over libtorch is not built. Build it with: dotnet build bench/LibTorch -c Release -p:Gpu=cpu"
            : "PyTorch is missing. Install it with: sudo apt-get install -y python3-torch python3-numpy libopenblas0-pthread");
    }

    static PeerCase Open(string name, IKernels<float> kernels) => name switch
    {
        "mnist-meta-step" => new MetaStepCase(name, kernels, Workload.Network("mnist", 20, 20), 20, MetaStepVariants),
        "quadratic-meta-step" => new MetaStepCase(name, kernels, Workload.Quadratic(128, 20), 0, MetaStepVariants),
        _ => new InnerStepCase(name, kernels, 15_910),
    };

    static void Measure(Bench bench, string[] names, List<Peer> peers, int threads, int rounds)
    {
        var table = new Table("Peers and ours (median of the rounds; ratio: peer / ours, with its least and largest)",
            new("case", "case"), new("peer", "peer"), new("ours ms", "oursMs"), new("peer ms", "peerMs"), new("ratio", "ratio"),
            new("least", "ratioMin"), new("largest", "ratioMax"), new("fastest peer", "variant"),
            new("its threads", "peerThreads", "N0"), new("in products", "peerBlasThreads", "N0"),
            new("difference", "relativeError", "G2"),
            new("idle peer's load", "idleLoad"));
        using var kernels = KernelSets.Create("auto", threads);
        foreach (var name in names)
        {
            using var work = Open(name, kernels);
            using var folder = new PeerFolder();
            work.Write(folder);
            foreach (var other in peers)
            {
                using var peer = new PeerProcess(other, folder);
                bench.Log.WriteLine($"{name}: {other.Name} {peer.Hello["torch"]}, {peer.Hello["blas"]} ...");
                List<string> variants = [.. work.Variants.Intersect(peer.Hello["variants"]!.AsArray().GetValues<string>())];
                var errors = variants.ToDictionary(v => v, v => Check(work, peer, v));
                var samples = TakeTurns(bench, work, peer, variants, threads, rounds);
                foreach (var group in samples.GroupBy(IsDecoupled))
                {
                    var row = Row(group.Key ? $"{name}-{Decoupled}" : name, [.. group], threads, errors);
                    (row["peer"], row["torch"]) = ($"{other.Name} {peer.Hello["torch"]}", (string?)peer.Hello["torch"]);
                    table.Add(row);
                }
            }
        }
        table.Note($"Ours on {threads} threads. A sample is {bench.Seconds} s, or one run if that is longer.");
        table.Note("Ratio: the peer's sample by ours of just before it; load: the waiting peer's processor time while ours ran.");
        table.Note($"\"-{Decoupled}\": the peer, taught our method.");
        table.Finish(bench);
    }

    /// <summary>The relative error of the worst tensor.</summary>
    static double Check(PeerCase work, PeerProcess peer, string variant)
    {
        var answer = peer.Ask(new() { ["do"] = "result", ["variant"] = variant });
        var tensors = answer["result"]!.AsArray().Select(t => t!.AsArray().GetValues<double>().ToArray());
        return PeerCase.Agree(work.Result(), [.. tensors], $"{work.Name}, {variant}");
    }

    sealed record Samples(string Variant, int Threads, int BlasThreads)
    {
        public List<double> Ours { get; } = [];
        public List<double> Peer { get; } = [];
        public List<double> Load { get; } = [];
        public double[] Ratios => [.. Peer.Zip(Ours, (p, o) => p / o)];
    }

    static List<Samples> TakeTurns(Bench bench, PeerCase work, PeerProcess peer, IEnumerable<string> variants, int threads,
        int rounds)
    {
        var threadCounts = new[] { (1, 1), (threads, 1), (threads, threads) }.Distinct();
        var samples = (from v in variants from t in threadCounts select new Samples(v, t.Item1, t.Item2)).ToList();
        foreach (var s in samples) Time(peer, s, 0); // warm-up
        work.Measure(Math.Max(0.5, bench.Seconds));
        for (var round = 0; round < rounds; round++)
        {
            bench.Log.WriteLine($"round {round + 1} of {rounds}");
            var running = round < RoundsForAll ? samples : [.. samples.GroupBy(IsDecoupled).Select(Fastest)];
            foreach (var s in running)
            {
                Thread.Sleep(60); // the peer's threads spin for a while before they sleep
                var before = peer.ProcessorSeconds();
                var start = System.Diagnostics.Stopwatch.GetTimestamp();
                s.Ours.Add(work.Measure(bench.Seconds));
                s.Load.Add((peer.ProcessorSeconds() - before) / System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds);
                s.Peer.Add(Time(peer, s, bench.Seconds));
            }
        }
        return samples;
    }

    static bool IsDecoupled(Samples samples) => samples.Variant.StartsWith(Decoupled, StringComparison.Ordinal);

    /// <summary>Among those that were in every round.</summary>
    static Samples Fastest(IEnumerable<Samples> group)
    {
        var rounds = group.Max(s => s.Peer.Count);
        return group.Where(s => s.Peer.Count == rounds).MinBy(s => Timing.Median(s.Peer))!;
    }

    static double Time(PeerProcess peer, Samples s, double seconds)
    {
        var answer = peer.Ask(new()
        {
            ["do"] = "time",
            ["variant"] = s.Variant,
            ["threads"] = s.Threads,
            ["blasThreads"] = s.BlasThreads,
            ["seconds"] = seconds,
        });
        return answer["seconds"]!.GetValue<double>();
    }

    static JsonObject Row(string name, List<Samples> group, int threads, Dictionary<string, double> errors)
    {
        var fastest = Fastest(group);
        var ratios = fastest.Ratios;
        return new()
        {
            ["case"] = name,
            ["oursMs"] = 1e3 * Timing.Median(fastest.Ours),
            ["peerMs"] = 1e3 * Timing.Median(fastest.Peer),
            ["ratio"] = Timing.Median(ratios),
            ["ratioMin"] = ratios.Min(),
            ["ratioMax"] = ratios.Max(),
            ["rounds"] = ratios.Length,
            ["threads"] = threads,
            ["variant"] = fastest.Variant,
            ["peerThreads"] = fastest.Threads,
            ["peerBlasThreads"] = fastest.BlasThreads,
            ["relativeError"] = errors[fastest.Variant],
            ["idleLoad"] = group.Max(s => Timing.Median(s.Load)),
            ["variants"] = new JsonArray([.. group.Select(s => (JsonNode)new JsonObject
            {
                ["variant"] = s.Variant,
                ["threads"] = s.Threads,
                ["blasThreads"] = s.BlasThreads,
                ["peerMs"] = 1e3 * Timing.Median(s.Peer),
            })]),
        };
    }
}

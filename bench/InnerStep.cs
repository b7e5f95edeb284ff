using System.CommandLine;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;

namespace MetaOpt.Bench;

/// <summary>
/// <c>inner-step</c>: one update of every optimizer in the catalogue, learned ones with frozen phi, in nanoseconds a coordinate.
/// </summary>
static class InnerStep
{
    const int Large = 10_000_000;

    /// <summary>
    /// Rules that are defined on the tape alone keep every operation's result, hundreds of floats a coordinate.
    /// </summary>
    const int MostOnTheTape = 20_000;

    /// <summary>The LSTM's state at 10^7 coordinates is the most: 320 bytes each.</summary>
    const long LargeBytes = 4L << 30;

    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var threads = BenchCommand.Threads();
        var large = new Option<bool>("--large") { Description = "Also 10^7 coordinates (4 GiB)." };
        return BenchCommand.Subcommand("inner-step", "Each optimizer's update, ns a coordinate.", 0.3, (arguments, bench) =>
        {
            List<int> sizes = [100, 1000, 15_910, 1_000_000];
            if (arguments.GetValue(large)) sizes.Add(Large);
            if (sizes.Contains(Large) && Machine.FreeBytes() < LargeBytes)
                throw new BenchException($"--large needs 4 GiB and {Machine.FreeBytes() >> 20:N0} MiB are free; leave it out.");
            Measure(bench, sizes, arguments.GetValue(threads));
        }, threads, large);
    }

    static void Measure(Bench bench, List<int> sizes, int threads)
    {
        Column[] columns = [new("optimizer", "case"), .. sizes.Select(n => new Column($"ns at {n:N0}", Field(n), "F3"))];
        var table = new Table($"One inner step, ns a coordinate (median), {threads} threads", columns);
        using var kernels = KernelSets.Create("auto", threads);
        foreach (var (name, optimizer, most) in Catalogue())
        {
            bench.Log.WriteLine(name + " ...");
            var row = new JsonObject { ["case"] = name, ["threads"] = threads };
            foreach (var size in sizes.Where(s => s <= most))
                row[Field(size)] = 1e9 * Seconds(bench.Seconds, kernels, optimizer, size) / size;
            table.Add(row);
        }
        table.Note("Blank: more coordinates than the rule is made for, or than its way over the tape has memory for.");
        table.Finish(bench);
    }

    static string Field(int size) => $"ns{size}";

    static IEnumerable<(string Name, IOptimizer Optimizer, int Most)> Catalogue()
    {
        foreach (var entry in Catalog.Optimizers.Entries)
        {
            var options = (OptimizerOptions)Activator.CreateInstance(entry.Options)!;
            yield return (entry.Name, (options with { LearningRate = 1e-6 }).Create(horizon: int.MaxValue),
                options.MostCoordinates);
        }
        foreach (var entry in Catalog.LearnedOptimizers.Entries)
        {
            var options = (LearnedOptimizerOptions)Activator.CreateInstance(entry.Options)!;
            var rule = options.Create();
            var phi = new float[rule.MetaParameterCount];
            rule.Initialise(Workload.Seed, phi);
            yield return (entry.Name + ", frozen", new FrozenOptimizer(rule, phi),
                Math.Min(options.MostCoordinates, rule.IsFused ? int.MaxValue : MostOnTheTape));
        }
    }

    static double Seconds(double seconds, IKernels<float> kernels, IOptimizer optimizer, int coordinates)
    {
        using var arena = kernels.NewArena();
        using var state = optimizer.Start(kernels, 1, coordinates);
        var (theta, gradient) = (arena.Zeros(new Shape(1, coordinates)), arena.Take(new Shape(1, coordinates)));
        new RandomStream(Workload.Seed, Split.Train, Purpose.Instance).FillNormal(gradient.Span, 0.01);
        return Timing.Median(Timing.Interleave(seconds, () => state.Step(theta, gradient))[0]);
    }
}

using System.CommandLine;
using System.Diagnostics;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>
/// <c>peak</c>: what this machine can do at most, measured: fused multiply-adds in registers, next to units x lanes x 2 x the
/// measured clock; and passes over memory with the reads and writes of Adam and RMSprop.
/// </summary>
static class Peak
{
    /// <summary>Elements of each array of a pass over memory: far more than any cache holds.</summary>
    const int StreamElements = 10_000_000;

    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var threads = BenchCommand.Threads();
        return BenchCommand.Subcommand("peak", "The machine's own limits: multiply-adds and memory.", 1,
            (arguments, bench) => Measure(bench, arguments.GetValue(threads)), threads);
    }

    static void Measure(Bench bench, int threads)
    {
        var table = new Table("The machine's limits",
            new("measured", "case"), new("threads", "threads", "N0"), new("GFLOP/s", "gflops"),
            new("GB/s", "gigabytes"), new("GHz", "gigahertz"),
            new("FMA/cycle", "fmaPerCycle"), new("share of units x lanes x 2 x clock", "share"));
        using var one = KernelSets.Create("auto", 1);
        using var all = KernelSets.Create("auto", threads);
        using var arena = one.NewArena();
        MultiplyAdds(bench, table, one, all, arena.Zeros(new Shape(64)));
        Streams(bench, table, one, all, arena);
        table.Finish(bench);
    }

    static void MultiplyAdds(Bench bench, Table table, IKernels<float> one, IKernels<float> all, Tensor<float> sink)
    {
        bench.Log.WriteLine("multiply-adds ...");
        var (wall, used) = (Stopwatch.GetTimestamp(), Machine.ThreadSeconds());
        var times = Timing.Interleave(bench.Seconds,
            () => Loops.Clock(sink), () => Loops.MultiplyAdd(one, sink), () => Loops.MultiplyAdd(all, sink),
            () => Loops.DependentMultiplyAdds(one, sink));
        var ran = (Machine.ThreadSeconds() - used) / Stopwatch.GetElapsedTime(wall).TotalSeconds;
        var fmas = Loops.MultiplyAddFlops(one) / 2 / Loops.Lanes(one);
        var perCycle = Timing.MedianRatio(times[0], times[1]) * fmas / Loops.ClockCycles;
        var units = perCycle > 1.1 ? 2 : 1;
        var cycles = Timing.MedianRatio(times[3], times[0]) * Loops.ClockCycles / Loops.ChainLength;
        table.Add(new()
        {
            ["case"] = "clock (dependent integer additions)",
            ["threads"] = 1,
            ["gigahertz"] = Loops.ClockCycles / Timing.Median(times[0]) / 1e9,
        });
        foreach (var (kernels, t) in new[] { (one, times[1]), (all, times[2]) })
        {
            var rate = Timing.MedianRatio(times[0], t) * fmas / Loops.ClockCycles;
            table.Add(new()
            {
                ["case"] = "fused multiply-add, 12 accumulators",
                ["threads"] = kernels.Threads,
                ["gflops"] = Loops.MultiplyAddFlops(one) / Timing.Median(t) / 1e9,
                ["fmaPerCycle"] = rate,
                ["share"] = rate / units / kernels.Threads,
            });
        }
        var speedUp = Timing.MedianRatio(times[1], times[2]);
        table.Note($"{units} units x {Loops.Lanes(one)} lanes; {all.Threads} threads are {speedUp:F2} times as fast as one. "
            + $"A multiply-add that waits for the last takes {cycles:F2} cycles of the integer chain.");
        if (perCycle / units < 0.9) table.Note("Below 0.9 on one thread: " + Why(ran, cycles));
        if (speedUp < 0.9 * all.Threads)
            table.Note("The threads slow each other: they share a core, its power, or the machine with other programs.");
    }

    static string Why(double ran, double cycles) =>
        ran < 0.95 ? $"this thread had its core only {100 * ran:F0} % of the time; other programs are running."
        : cycles > 4.3 ? "the clock is lower while vectors are in use (a multiply-add that waits takes 4 cycles otherwise)."
        : "fewer multiply-adds start in a cycle than two units could take: a neighbour on the same core, or narrower units.";

    static void Streams(Bench bench, Table table, IKernels<float> one, IKernels<float> all, Arena<float> arena)
    {
        var written = Enumerable.Range(0, 3).Select(_ => arena.Zeros(new Shape(StreamElements))).ToArray();
        var read = arena.Zeros(new Shape(StreamElements));
        for (var count = 1; count <= 3; count++)
        {
            var name = $"memory pass as {new[] { "an addition", "RMSprop", "Adam" }[count - 1]}: read {count + 1}, write {count}";
            var arrays = written[..count];
            bench.Log.WriteLine(name + " ...");
            var times = Timing.Interleave(
                bench.Seconds, () => Loops.Stream(one, arrays, read), () => Loops.Stream(all, arrays, read));
            foreach (var (kernels, t) in new[] { (one, times[0]), (all, times[1]) })
                table.Add(new()
                {
                    ["case"] = name,
                    ["threads"] = kernels.Threads,
                    ["gigabytes"] = 1e-9 * StreamElements * Loops.StreamBytes(count) / Timing.Median(t),
                });
        }
    }
}

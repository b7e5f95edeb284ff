using System.CommandLine;
using System.Diagnostics;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>
/// <c>meta-step</c>: how long one meta-step takes and where the time goes; and what an inner step allocates and how many page
/// faults it has once everything is warm (both should be zero).
/// </summary>
static class MetaStep
{
    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var task = new Option<string>("--task")
        {
            Description = "mnist: 784-20-10; quadratic: functions of 10 dimensions; mlp: 784-H-10.",
            DefaultValueFactory = _ => "mnist",
        };
        task.AcceptOnlyFromAmong("mnist", "quadratic", "mlp");
        var coordinates = new Option<int?>("--coordinates")
        {
            Description = "About how many: chooses H of mlp (100,000 by default), the number of quadratics (1,280).",
        };
        coordinates.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && int.TryParse(token.Value, out var value) && value is < 10 or > 20_000_000)
                result.AddError($"--coordinates is {token.Value}; give a number from 10 to 20000000.");
        });
        var unroll = BenchCommand.Number("--unroll", "Inner steps of a meta-step.", 20, 1, 1000);
        var threads = BenchCommand.Threads();
        return BenchCommand.Subcommand("meta-step", "Forward, meta-gradient, Adam on phi.", 3, (arguments, bench) => Measure(
            bench,
            Find(arguments.GetValue(task)!, arguments.GetValue(coordinates), arguments.GetValue(unroll)),
            arguments.GetValue(threads)), task, coordinates, unroll, threads);
    }

    static Workload Find(string task, int? coordinates, int unroll) => task switch
    {
        "mnist" when coordinates is not null =>
            throw new BenchException("The mnist network has 15,910 coordinates; for others choose --task mlp.", 2),
        "mnist" => Workload.Network("mnist", 20, unroll),
        "mlp" => Workload.Network("mlp", Workload.HiddenUnits(coordinates ?? 100_000), unroll),
        _ => Workload.Quadratic((coordinates ?? 1280) / 10, unroll),
    };

    static void Measure(Bench bench, Workload work, int threads)
    {
        using var kernels = new TimedKernels(KernelSets.Create("auto", threads));
        using var training = new MetaTraining(kernels, work);
        bench.Log.WriteLine($"{work.Name}, {work.Coordinates:N0} coordinates ...");
        var samples = Repeat(bench.Seconds, training, kernels);
        double Milliseconds(Func<Sample, double> part) => 1e3 * Timing.Median(samples.Select(part));
        var table = new Table("One meta-step (median)",
            new("task", "task"), new("coordinates", "coordinates", "N0"), new("unroll", "unroll", "N0"),
            new("threads", "threads", "N0"), new("ms", "ms"),
            new("optimizee ms", "optimizeeMs"), new("optimizer forward ms", "forwardMs"),
            new("meta-gradient ms", "metaGradientMs"),
            new("Adam ms", "adamMs", "F3"), new("bytes/step", "bytesPerStep", "F1"), new("faults/step", "faultsPerStep", "F1"));
        table.Add(new()
        {
            ["task"] = work.Name,
            ["coordinates"] = work.Coordinates,
            ["unroll"] = work.Unroll,
            ["threads"] = threads,
            ["ms"] = Milliseconds(s => s.Total),
            ["optimizeeMs"] = Milliseconds(s => s.Total - s.Forward - s.Backward - s.Adam),
            ["forwardMs"] = Milliseconds(s => s.Forward),
            ["metaGradientMs"] = Milliseconds(s => s.Backward),
            ["adamMs"] = Milliseconds(s => s.Adam),
            // What a step allocates, every meta-step does; what the runtime does once (it compiles again), only one.
            ["bytesPerStep"] = samples.Min(s => s.Bytes) / (double)work.Unroll,
            ["faultsPerStep"] = samples.Min(s => s.Faults) / (double)work.Unroll,
            ["metaSteps"] = samples.Count,
        });
        table.Note("Bytes: managed allocations of all threads; faults: those without disk; the least of all meta-steps, a step.");
        table.Note("Images, where the task has any, are random bytes: no time depends on what they show.");
        table.Finish(bench);
    }

    readonly record struct Sample(double Total, double Forward, double Backward, double Adam, long Bytes, long Faults);

    static List<Sample> Repeat(double seconds, MetaTraining training, TimedKernels kernels)
    {
        var samples = new List<Sample>();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; samples.Count < 3 || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; i++)
        {
            if (i % MetaTraining.UnrollsOfARun == 0) training.Begin();
            var sample = One(training, kernels);
            // Warm-up: two meta-steps, and a third of the time for the compiler.
            if (i < 2 || (samples.Count == 0 && Stopwatch.GetElapsedTime(start).TotalSeconds < seconds / 3)) continue;
            samples.Add(sample);
        }
        return samples;
    }

    static Sample One(MetaTraining training, TimedKernels kernels)
    {
        kernels.Restart();
        var (bytes, faults) = (GC.GetTotalAllocatedBytes(precise: true), Machine.PageFaults());
        var start = Stopwatch.GetTimestamp();
        training.Unroll();
        var unrolled = Stopwatch.GetTimestamp();
        training.UpdatePhi();
        var end = Stopwatch.GetTimestamp();
        faults = Machine.PageFaults() - faults;
        return new(
            Stopwatch.GetElapsedTime(start, end).TotalSeconds, kernels.ForwardSeconds, kernels.BackwardSeconds,
            Stopwatch.GetElapsedTime(unrolled, end).TotalSeconds, GC.GetTotalAllocatedBytes(precise: true) - bytes, faults);
    }
}

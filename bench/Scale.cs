using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>
/// <c>scale</c>: meta-steps of 784-H-10 networks from 10^3 to 10^7 coordinates: peak memory (VmHWM) in the second unroll of a
/// horizon, and the time of the optimizer's part for each coordinate and step. Every size has a process of its own, so that the
/// peak is that size's. PyTorch's peak at 10^5 stands next to it where PyTorch is installed.
/// </summary>
static class Scale
{
    const int Unroll = 20;
    const int PeerCoordinates = 100_000;
    const double MiB = 1 << 20;

    /// <summary>What PyTorch takes for a coordinate, measured; with room to spare.</summary>
    const long PeerBytesPerCoordinate = 45_000;

    /// <summary>What a size may take: 800 bytes a coordinate and 256 MiB.</summary>
    static double Limit(long coordinates) => 800.0 * coordinates + 256 * MiB;

    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var threads = BenchCommand.Threads();
        var sizes = new Option<int[]>("--coordinates")
        {
            Description = "About how many: chooses H.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [1000, 10_000, 100_000, 1_000_000, 10_000_000],
        };
        sizes.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
                if (int.TryParse(token.Value, out var value) && value is < 800 or > 20_000_000)
                    result.AddError($"--coordinates is {token.Value}; give numbers from 800 to 20000000.");
        });
        var child = new Option<bool>("--child") { Description = "Measure one size in this process; print JSON.", Hidden = true };
        return BenchCommand.Subcommand("scale", "Memory and time from 10^3 to 10^7 coordinates.", 2, (arguments, bench) =>
        {
            var (counts, count) = (arguments.GetValue(sizes)!, arguments.GetValue(threads));
            if (arguments.GetValue(child)) bench.Output.WriteLine(MeasureHere(bench.Seconds, counts[0], count).ToJsonString());
            else Measure(bench, counts, count);
        }, sizes, threads, child);
    }

    static void Measure(Bench bench, int[] sizes, int threads)
    {
        var table = new Table($"Meta-steps of 784-H-10 networks, batch 128, unroll {Unroll}, {threads} threads",
            new("", "case"), new("coordinates", "coordinates", "N0"), new("H", "hidden", "N0"),
            new("peak MiB", "peakMiB", "N0"), new("limit MiB", "limitMiB", "N0"),
            new("bytes/coordinate", "bytesPerCoordinate", "N0"), new("s/meta-step", "secondsPerMetaStep", "F3"),
            new("forward ns", "forwardNs", "F1"), new("backward ns", "backwardNs", "F1"), new("together", "optimizerNs", "F1"));
        var rows = 0;
        foreach (var size in sizes)
        {
            var (need, free) = (Limit(size), Machine.FreeBytes());
            if (need > free)
            {
                table.Note($"{size:N0} coordinates need up to {need / MiB:N0} MiB and {free / MiB:N0} MiB are free: left out.");
                continue;
            }
            bench.Log.WriteLine($"{size:N0} coordinates ...");
            table.Add(InAChild(bench.Seconds, size, threads));
            rows++;
        }
        if (rows == 0)
            throw new BenchException(
                $"No size fits into the {Machine.FreeBytes() / MiB:N0} MiB that are free; give smaller --coordinates.");
        if (sizes.Contains(PeerCoordinates)) AddPeer(bench, table);
        table.Note("Peak: VmHWM of the process after the second unroll; limit: 800 bytes a coordinate + 256 MiB.");
        table.Note("bytes/coordinate: of the peak beyond what the process had before.");
        table.Note("ns: the optimizer's part, for each coordinate and step; median, or the second meta-step if that is slow.");
        table.Finish(bench);
    }

    static JsonObject InAChild(double seconds, int size, int threads)
    {
        string[] arguments = [
            typeof(Scale).Assembly.Location, "scale", "--child", "--coordinates", $"{size}", "--threads", $"{threads}",
            "--seconds", seconds.ToString(System.Globalization.CultureInfo.InvariantCulture)];
        using var child = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true })!;
        var output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return child.ExitCode == 0 ? JsonNode.Parse(output)!.AsObject()
            : throw new BenchException($"Measuring {size:N0} coordinates failed ({child.ExitCode}); not enough memory?");
    }

    static JsonObject MeasureHere(double seconds, int size, int threads)
    {
        var work = Workload.Network("mlp", Workload.HiddenUnits(size), Unroll);
        var before = Machine.PeakBytes();
        using var kernels = new TimedKernels(KernelSets.Create("auto", threads));
        using var training = new MetaTraining(kernels, work);
        training.Begin();
        One(training, kernels);
        var samples = new List<Sample> { One(training, kernels) };
        var peak = Machine.PeakBytes();
        var start = Stopwatch.GetTimestamp();
        // A slow meta-step is warm by its second time; fast ones are repeated, the first of them for the compiler.
        for (var i = 2; samples[0].Total < seconds && Stopwatch.GetElapsedTime(start).TotalSeconds < 2 * seconds; i++)
        {
            if (i % MetaTraining.UnrollsOfARun == 0) training.Begin();
            if (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds) One(training, kernels);
            else samples.Add(One(training, kernels));
        }
        if (samples.Count > 1) samples.RemoveAt(0);
        double Nanoseconds(Func<Sample, double> part) => 1e9 * Timing.Median(samples.Select(part)) / work.Coordinates / Unroll;
        return new()
        {
            ["case"] = "ours",
            ["coordinates"] = work.Coordinates,
            ["hidden"] = Workload.HiddenUnits(size),
            ["peakMiB"] = peak / MiB,
            ["limitMiB"] = Limit(work.Coordinates) / MiB,
            ["bytesPerCoordinate"] = (peak - before) / (double)work.Coordinates,
            ["secondsPerMetaStep"] = Timing.Median(samples.Select(s => s.Total)),
            ["forwardNs"] = Nanoseconds(s => s.Forward),
            ["backwardNs"] = Nanoseconds(s => s.Backward),
            ["optimizerNs"] = Nanoseconds(s => s.Forward + s.Backward),
            ["metaSteps"] = samples.Count,
            ["threads"] = threads,
        };
    }

    readonly record struct Sample(double Total, double Forward, double Backward);

    static Sample One(MetaTraining training, TimedKernels kernels)
    {
        kernels.Restart();
        var start = Stopwatch.GetTimestamp();
        training.Unroll();
        training.UpdatePhi();
        return new(Stopwatch.GetElapsedTime(start).TotalSeconds, kernels.ForwardSeconds, kernels.BackwardSeconds);
    }

    /// <summary>Two meta-steps of PyTorch, of each variant in a process of its own.</summary>
    static void AddPeer(Bench bench, Table table)
    {
        var hidden = Workload.HiddenUnits(PeerCoordinates);
        var work = Workload.Network("mlp", hidden, Unroll);
        var need = PeerBytesPerCoordinate * work.Coordinates;
        if (Peer.PyTorch() is not { } pyTorch)
            table.Note("PyTorch is not installed (apt-get install python3-torch python3-numpy): what it needs is not shown.");
        else if (need > Machine.FreeBytes())
            table.Note($"PyTorch may need {need / MiB:N0} MiB, {Machine.FreeBytes() / MiB:N0} MiB are free: left out.");
        else
        {
            using var kernels = KernelSets.Create("auto", 1);
            using var ours = new MetaStepCase("scale", kernels, work, hidden, ["fused", "cell"]);
            using var folder = new PeerFolder();
            ours.Write(folder);
            foreach (var variant in ours.Variants)
            {
                bench.Log.WriteLine($"PyTorch, {variant} ...");
                table.Add(PeerRow(pyTorch, folder, variant, hidden, work.Coordinates));
            }
        }
    }

    static JsonObject PeerRow(Peer pyTorch, PeerFolder folder, string variant, int hidden, int coordinates)
    {
        using var peer = new PeerProcess(pyTorch, folder);
        double Number(string field, JsonObject request) => peer.Ask(request)[field]!.GetValue<double>();
        var before = Number("bytes", new() { ["do"] = "peak" });
        JsonObject Step() => new() { ["do"] = "time", ["variant"] = variant, ["seconds"] = 0 };
        Number("seconds", Step());
        var seconds = Number("seconds", Step());
        var peak = Number("bytes", new() { ["do"] = "peak" });
        return new()
        {
            ["case"] = $"PyTorch, {variant}, 1 thread",
            ["coordinates"] = coordinates,
            ["hidden"] = hidden,
            ["peakMiB"] = peak / MiB,
            ["bytesPerCoordinate"] = (peak - before) / coordinates,
            ["secondsPerMetaStep"] = seconds,
        };
    }
}

using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Training;

namespace MetaOpt.Bench;

/// <summary>
/// <c>predictions</c>: twelve specifications, each executed in a process of its own: its peak memory (VmHWM) and time next to
/// what
/// <c>:validate</c> predicts of it. A prediction should be within a factor of two of the memory and of three of the time.
/// </summary>
static class Predictions
{
    const double MiB = 1 << 20;
    const double MemoryFactor = 2, TimeFactor = 3;
    static readonly Guid s_learned = Guid.Parse("0198c0de-0000-7000-8000-000000000001");

    /// <summary>Name, kind and specification: some seconds each.</summary>
    static readonly (string Name, string Kind, string Spec)[] s_cases =
    [
        ("lstm on quadratics", TrainingKind.Entry.Name,
            """{"task": {"type": "quadratic"}, "optimizer": {"type": "lstm"}, "training": {"metaEpochs": 60, "validation": {"every": 20}}}"""),
        ("lstm on mnist", TrainingKind.Entry.Name,
            """{"task": {"type": "mlp-classification"}, "optimizer": {"type": "lstm"}, "training": {"metaBatch": 1, "metaEpochs": 8, "validation": {"every": 4, "instances": 4}}}"""),
        ("lstm on a convolution", TrainingKind.Entry.Name,
            """{"task": {"type": "conv-classification"}, "optimizer": {"type": "lstm"}, "training": {"metaBatch": 1, "metaEpochs": 2, "horizon": 20, "validation": {"every": 0}}}"""),
        ("second derivatives", TrainingKind.Entry.Name,
            """{"task": {"type": "quadratic"}, "optimizer": {"type": "lstm"}, "training": {"metaEpochs": 10, "secondDerivatives": true, "validation": {"every": 0}}}"""),
        ("lstm-gac", TrainingKind.Entry.Name,
            """{"task": {"type": "quadratic", "dimensions": 50}, "optimizer": {"type": "lstm-gac"}, "training": {"metaEpochs": 4, "validation": {"every": 0}}}"""),
        ("hierarchical-rnn", TrainingKind.Entry.Name,
            """{"task": {"type": "rosenbrock", "dimensions": 100}, "optimizer": {"type": "hierarchical-rnn"}, "training": {"metaEpochs": 4, "validation": {"every": 0}}}"""),
        ("evolution strategies", TrainingKind.Entry.Name,
            """{"task": {"type": "quadratic"}, "optimizer": {"type": "lstm"}, "training": {"metaEpochs": 20, "estimator": {"type": "pes", "pairs": 8}, "validation": {"every": 0}}}"""),
        ("imitation of Adam", TrainingKind.Entry.Name,
            """{"task": {"type": "quadratic", "dimensions": 100}, "optimizer": {"type": "rnnprop"}, "training": {"metaEpochs": 8, "imitation": {"shares": [0.5]}, "validation": {"every": 0}}}"""),
        ("many coordinates", TrainingKind.Entry.Name,
            """{"task": {"type": "rosenbrock", "dimensions": 4096}, "optimizer": {"type": "lstm"}, "training": {"metaEpochs": 2, "metaBatch": 64, "horizon": 20, "validation": {"every": 1, "instances": 64}}}"""),
        ("tuned baselines on quadratics", EvaluationKind.Entry.Name,
            """{"task": {"type": "quadratic"}, "instances": 2000, "contestants": [{"optimizer": {"type": "sgd"}}, {"optimizer": {"type": "adam"}}]}"""),
        ("a learned contestant on mnist", EvaluationKind.Entry.Name,
            """{"task": {"type": "mlp-classification"}, "instances": 8, "tuning": {"instances": 4}, "contestants": [{"checkpoint": "0198c0de-0000-7000-8000-000000000001"}, {"optimizer": {"type": "adam"}}]}"""),
        ("a diagnosis", DiagnosisKind.Entry.Name,
            """{"task": {"type": "quadratic"}, "optimizer": {"type": "lstm", "layers": [8]}, "estimates": 100, "referencePairs": 2000}"""),
    ];

    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var threads = BenchCommand.Threads();
        var child = new Option<int>("--child")
        {
            Description = "Execute one specification in this process; print JSON.",
            Hidden = true,
            DefaultValueFactory = _ => -1
        };
        return BenchCommand.Subcommand("predictions", "Predicted memory and time of twelve runs next to what they take.", 1,
            (arguments, bench) =>
        {
            var (number, count) = (arguments.GetValue(child), arguments.GetValue(threads));
            if (number >= 0) bench.Output.WriteLine(MeasureHere(s_cases[number], count).ToJsonString());
            else Measure(bench, count);
        }, threads, child);
    }

    static RunSpec Read((string Name, string Kind, string Spec) of) =>
        Catalog.RunKinds.Read(of.Kind, JsonDocument.Parse(of.Spec).RootElement);

    static void Measure(Bench bench, int threads)
    {
        var table = new Table($"Predicted and measured, {threads} threads",
            new("", "case"), new("predicted MiB", "predictedMiB", "N0"), new("peak MiB", "peakMiB", "N0"),
            new("ratio", "bytesRatio"),
            new("predicted s", "predictedSeconds", "F1"), new("s", "seconds", "F1"), new("processor s", "processorSeconds", "F1"),
            new("ratio", "secondsRatio"));
        var outside = 0;
        foreach (var (i, of) in s_cases.Index())
        {
            bench.Log.WriteLine($"{of.Name} ...");
            var row = InAChild(i, threads);
            table.Add(row);
            if (IsOutside((double)row["bytesRatio"]!, MemoryFactor) || IsOutside((double)row["secondsRatio"]!, TimeFactor))
                outside++;
        }
        table.Note($"{s_cases.Length - outside} of {s_cases.Length} within a factor of {MemoryFactor} of the memory and {TimeFactor} of the time.");
        table.Note("A busy machine makes seconds long; processor seconds are those of all threads together.");
        table.Finish(bench);
    }

    static bool IsOutside(double ratio, double factor) => ratio > factor || ratio < 1 / factor;

    static JsonObject InAChild(int number, int threads)
    {
        string[] arguments = [typeof(Predictions).Assembly.Location, "predictions", "--child", $"{number}", "--threads",
            $"{threads}"];
        using var child = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true })!;
        var output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return child.ExitCode == 0 ? JsonNode.Parse(output)!.AsObject()
            : throw new BenchException($"Measuring \"{s_cases[number].Name}\" failed ({child.ExitCode}).");
    }

    static JsonObject MeasureHere((string Name, string Kind, string Spec) of, int threads)
    {
        var spec = Read(of);
        var predicted = spec.PredictCost();
        var training = new TrainingSpec { Task = ((OptimizeeSpec)spec).Task, Optimizer = new CoordinatewiseLstm.Options() };
        var checkpoint = LearnedOptimizerCheckpoint.Write(training, Workload.Phi());
        using var kernels = KernelSets.Create("auto", threads);
        var inputs = new RunInputs(kernels, _ => Workload.RandomImages,
            new Dictionary<Guid, byte[]> { [s_learned] = checkpoint });
        var start = Stopwatch.GetTimestamp();
        foreach (var runEvent in spec.Execute(inputs, default))
            if (runEvent is RunEvent.ResumePoint point) point.Bytes(); // the worker stores them
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new()
        {
            ["case"] = of.Name,
            ["predictedMiB"] = predicted.Bytes / MiB,
            ["peakMiB"] = Machine.PeakBytes() / MiB,
            ["bytesRatio"] = predicted.Bytes / (double)Machine.PeakBytes(),
            ["predictedSeconds"] = predicted.Seconds,
            ["seconds"] = seconds,
            ["processorSeconds"] = Environment.CpuUsage.TotalTime.TotalSeconds,
            ["secondsRatio"] = predicted.Seconds / seconds,
        };
    }
}

using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Workers;

namespace MetaOpt.Service.Tests.Kinds;

/// <summary>
/// A kind of run that no program knows but these tests: the map x -> rate x (1 - x), whose every bit depends on all steps before.
/// </summary>
public static class LogisticMap
{
    public const string Name = "logistic-map", Series = "x";
    const string Orbit = "orbit";

    public static readonly RunKind Entry = new RunKind<LogisticMapSpec, LogisticMapResult>(
        Name, "Follow the logistic map.", new("an orbit", "Orbit", """{"steps":5}"""))
    {
        Makes = [new("final", Orbit)],
        Start = "start",
        Headline = result => new("last x", result.LastX),
    };

    /// <summary>The catalogue's kinds and this one.</summary>
    public static RunKinds Kinds => Catalog.RunKinds.With(Entry);

    /// <summary>The step after x.</summary>
    public static double Next(double rate, double x) => rate * x * (1 - x);

    public sealed record LogisticMapSpec : RunSpec
    {
        [Bounds(1, 10_000_000)]
        public required int Steps { get; init; }

        [Bounds(0, 4)]
        public double Rate { get; init; } = 3.9;

        /// <summary>Milliseconds that a step rests, so that a test can stop the run in its middle.</summary>
        [Bounds(0, 1000)]
        public int Rest { get; init; }

        [Input(Orbit, InputSource.Checkpoint)]
        public Guid? Start { get; init; }

        [Input(Orbit, InputSource.Run)]
        public Guid? Continues { get; init; }

        public override CostPrediction PredictCost() =>
            new(CostPrediction.ProcessBytes, Steps * (1e-6 + Rest * 1e-3), ["/steps"]);

        public override IEnumerable<RunEvent> Execute(RunInputs inputs, CancellationToken cancel)
        {
            var (step, x) = (0, 0.3);
            if ((Start ?? Continues) is { } id) x = BitConverter.ToDouble(inputs.Checkpoints[id]);
            if (inputs.ResumePoint is { } saved)
                (step, x) = (BitConverter.ToInt32(saved), BitConverter.ToDouble(saved, sizeof(int)));
            yield return new RunEvent.Metadata(new JsonObject { ["kernels"] = inputs.Kernels.Name });
            while (step < Steps)
            {
                if (cancel.IsCancellationRequested)
                {
                    yield return ResumePoint();
                    cancel.ThrowIfCancellationRequested();
                }
                if (Rest > 0) Thread.Sleep(Rest);
                (step, x) = (step + 1, Next(Rate, x));
                yield return new RunEvent.Point(Series, step, x);
                yield return new RunEvent.Progress("follow", step, Steps);
                yield return ResumePoint();
            }
            yield return new RunEvent.Checkpoint("final", step, BitConverter.GetBytes(x));
            yield return new RunEvent.Result(new LogisticMapResult { LastX = x, StepsDone = step });

            RunEvent ResumePoint() =>
                new RunEvent.ResumePoint(step, () => [.. BitConverter.GetBytes(step), .. BitConverter.GetBytes(x)]);
        }
    }

    public sealed record LogisticMapResult : RunResult
    {
        public override string Kind => Name;
        public double LastX { get; init; }
        public int StepsDone { get; init; }
    }
}

/// <summary>This assembly as a worker that knows the kind: <c>dotnet MetaOpt.Service.Tests.dll --pool NAME ..</c>.</summary>
static class WorkerWithLogisticMap
{
    public static Task<int> Main(string[] args) =>
        new WorkerHost(typeof(WorkerWithLogisticMap).Assembly.Location, () => LogisticMap.Kinds).RunAsync(args);
}

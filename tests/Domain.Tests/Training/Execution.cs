using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Runs, executed here and now on the tiny datasets.</summary>
static class Execution
{
    public static RunInputs Inputs(IKernels<float> kernels, byte[]? resumePoint = null,
        IReadOnlyDictionary<Guid, byte[]>? checkpoints = null) =>
        new(kernels, TinyDataset.Create, checkpoints ?? new Dictionary<Guid, byte[]>(), resumePoint);

    public static List<RunEvent> Run(RunSpec spec, byte[]? resumePoint = null, int threads = 2,
        IReadOnlyDictionary<Guid, byte[]>? checkpoints = null)
    {
        using var kernels = KernelSets.Create("auto", threads);
        return [.. spec.Execute(Inputs(kernels, resumePoint, checkpoints), default)];
    }

    /// <summary>All that a run says, and its resume points: their bytes are made while the run stands at them.</summary>
    public static (List<RunEvent> Events, List<(long Step, byte[] Bytes)> Points) RunWithPoints(RunSpec spec)
    {
        using var kernels = KernelSets.Create("auto", 2);
        var (events, points) = (new List<RunEvent>(), new List<(long Step, byte[] Bytes)>());
        foreach (var runEvent in spec.Execute(Inputs(kernels), default))
        {
            events.Add(runEvent);
            if (runEvent is RunEvent.ResumePoint point) points.Add((point.Step, point.Bytes()));
        }
        return (events, points);
    }

    /// <summary>
    /// What a run said that was cancelled at the point with number <paramref name="last"/>, and the resume point it left.
    /// </summary>
    public static (List<RunEvent> Events, byte[] Point) Cancel(RunSpec spec, int last)
    {
        using var source = new CancellationTokenSource();
        using var kernels = KernelSets.Create("auto", 2);
        var events = new List<RunEvent>();
        byte[]? resume = null;
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var runEvent in spec.Execute(Inputs(kernels), source.Token))
            {
                events.Add(runEvent);
                if (runEvent is RunEvent.Point { Series: "meta-loss" or "imitation-loss" } && --last == 0) source.Cancel();
                if (runEvent is RunEvent.ResumePoint point) resume = point.Bytes();
            }
        });
        Assert.Equal(0, last);
        return (events, Assert.IsType<byte[]>(resume));
    }

    /// <summary>The one checkpoint.</summary>
    public static byte[] Final(IEnumerable<RunEvent> events) => events.OfType<RunEvent.Checkpoint>().Single().Bytes;
}

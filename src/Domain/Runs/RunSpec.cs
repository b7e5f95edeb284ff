using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Runs;

/// <summary>
/// A closed and bounded description of what a run computes. Each kind of run has a record of its own, see <see cref="RunKind"/>.
/// </summary>
public abstract record RunSpec
{
    /// <summary>Every random number of the run is a function of it.</summary>
    [Bounds(0, 9007199254740991)]
    public long Seed { get; init; }

    /// <summary>
    /// Kernel set: <c>auto</c> (the worker's best), <c>simd</c> or <c>scalar</c>, or <c>torch-cpu</c> or <c>torch-cuda</c>, for
    /// which the run waits for a worker that has it.
    /// </summary>
    public KernelChoice Kernels { get; init; } = KernelChoice.Auto;

    /// <summary>
    /// Numbers in which the optimizee's products are multiplied; bfloat16 needs a kernel set that has it (torch-cpu, torch-cuda).
    /// The task torchscript computes in those that its module's file has.
    /// </summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Worst case memory and a typical time, before it is queued.</summary>
    public abstract CostPrediction PredictCost();

    /// <summary>
    /// Data that a worker must have for it, by the name that the worker lists it under: a dataset, or a network beside a dataset.
    /// Null: none. The kernel set that it needs is <see cref="Kernels"/>.
    /// </summary>
    public virtual string? RequiredData => null;

    /// <summary>
    /// Finds the artifacts that the run reads: the fields marked with <see cref="InputAttribute"/> that have a value.
    /// </summary>
    public IEnumerable<InputRef> FindInputs() => InputRef.Of(this);

    /// <summary>
    /// Executes lazily: work is done while the events are enumerated. Pure: same inputs and kernel set, same events.
    /// Stops at the next step boundary when <paramref name="cancel"/> fires, after yielding a last
    /// <see cref="RunEvent.ResumePoint"/>.
    /// </summary>
    /// <exception cref="SpecException">The specification asks for something impossible.</exception>
    public abstract IEnumerable<RunEvent> Execute(RunInputs inputs, CancellationToken cancel);
}

/// <summary>Inputs of an execution besides its specification.</summary>
/// <param name="Kernels">The kernel set to compute with.</param>
/// <param name="Datasets">Finds a dataset by name.</param>
/// <param name="Checkpoints">
/// Bytes of what <see cref="RunSpec.FindInputs"/> names, each under the id in the specification.
/// </param>
/// <param name="ResumePoint">Bytes of the last stored resume point, or null to start from the beginning.</param>
public sealed record RunInputs(
    IKernels<float> Kernels,
    Func<string, Dataset> Datasets,
    IReadOnlyDictionary<Guid, byte[]> Checkpoints,
    byte[]? ResumePoint = null)
{
    /// <summary>Takes over where the run stood, when there is a resume point.</summary>
    /// <param name="read">Reads its bytes and computes nothing, so whatever it throws is the bytes' fault.</param>
    /// <exception cref="SpecException">The resume point is damaged, or of a kernel set that the run does not allow.</exception>
    internal void Resume(Action<byte[]> read)
    {
        if (ResumePoint is null) return;
        try
        {
            read(ResumePoint);
        }
        catch (Exception damaged) when (damaged is not (SpecException or OutOfMemoryException))
        {
            throw new SpecException("/resumePoint",
                $"is damaged and cannot be continued from: {damaged.Message} Fork the run to begin anew.");
        }
    }

    /// <summary>The first event of every execution of <paramref name="spec"/> on <paramref name="task"/>: its metadata.</summary>
    internal JsonObject Facts(RunSpec spec, ITask task)
    {
        var facts = new JsonObject
        {
            ["kernels"] = Kernels.Name,
            ["vectorBits"] = Kernels.VectorBits,
            ["threads"] = Kernels.Threads,
            ["coordinates"] = task.Coordinates,
            ["seed"] = spec.Seed,
        };
        foreach (var (name, value) in task.Facts) facts[name] = value;
        return facts;
    }
}

/// <summary>Which kernel set a specification asks for.</summary>
public enum KernelChoice
{
    /// <summary>The worker's best.</summary>
    Auto,
    /// <summary>Vectorised and multi-threaded, CPU.</summary>
    Simd,
    /// <summary>Plain loops: the readable reference.</summary>
    Scalar,
    /// <summary>libtorch without a GPU, in workers built with it.</summary>
    TorchCpu,
    /// <summary>libtorch on a GPU.</summary>
    TorchCuda,
}

/// <summary>Numbers in which products are multiplied.</summary>
public enum Precision
{
    /// <summary>As everywhere.</summary>
    Float32,
    /// <summary>Eight bits of mantissa; sums, theta, and all of the learned optimizer stay float32.</summary>
    Bfloat16,
}

/// <summary>A prediction made before a run is queued.</summary>
/// <param name="Bytes">Peak memory of the executing process.</param>
/// <param name="Seconds">Time on one ordinary two-core worker; good to a factor of about two.</param>
/// <param name="Reducible">Pointers of the fields to lower, the most effective first.</param>
public sealed record CostPrediction(long Bytes, double Seconds, IReadOnlyList<string> Reducible)
{
    /// <summary>
    /// Bytes of a process that computes next to nothing: the runtime, compiled code, a few arenas. Part of every prediction.
    /// </summary>
    public const long ProcessBytes = 100L << 20;
}

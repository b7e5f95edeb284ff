using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;

namespace MetaOpt.Unrolling;

/// <summary>
/// Runs an optimizer on many instances side by side. Loss and gradient of step k come from one evaluation at theta_k on
/// mini-batch k, so that every optimizer sees the same instances and the same mini-batches.
/// </summary>
sealed class InnerRuns(IKernels<float> kernels, ITask task, TaskCost cost) : IDisposable
{
    /// <summary>Bytes of task data and coordinates that are worked on at once: bounds the memory, changes no number.</summary>
    const long MostBytes = 128L << 20;

    /// <summary>Memory of a portion of at most <paramref name="count"/> instances.</summary>
    /// <param name="bytesPerInstance">Of the task and the optimizer together.</param>
    /// <param name="count">How many are run in all.</param>
    public static long PortionBytes(long bytesPerInstance, int count) =>
        Math.Min(count * bytesPerInstance, Math.Max(MostBytes, bytesPerInstance));

    readonly Tape<float> _tape = new(kernels);
    readonly Arena<float> _arena = kernels.NewArena();

    /// <summary>
    /// The losses of instances <paramref name="first"/> .. at inner step <paramref name="step"/>: f(theta_step) of each.
    /// </summary>
    public delegate void Visitor(int step, int first, ReadOnlySpan<float> losses);

    /// <summary>The end of instances <paramref name="first"/> ..: theta_horizon of each, [B, P].</summary>
    public delegate void Ended(int first, ReadOnlySpan<float> theta);

    /// <summary>
    /// Visits f(theta_0) .. f(theta_horizon) of instances 0 .. count - 1 of <paramref name="split"/>, in portions. Lazy: a
    /// portion is done each time the next element, how many instances are done, is asked for.
    /// </summary>
    public IEnumerable<int> Portions(
        IOptimizer optimizer, ulong seed, Split split, int count, int horizon, Visitor visit, CancellationToken cancel,
        Ended? ended = null)
    {
        var portion = (int)Math.Clamp(MostBytes / (cost.BytesPerInstance + optimizer.BytesPerInstance(task.Coordinates)), 1,
            count);
        for (var first = 0; first < count; first += portion)
        {
            var size = Math.Min(portion, count - first);
            RunPortion(optimizer, seed, split, first, size, horizon, visit, cancel, ended);
            yield return first + size;
        }
    }

    void RunPortion(
        IOptimizer optimizer, ulong seed, Split split, int first, int count, int horizon, Visitor visit, CancellationToken cancel,
        Ended? ended)
    {
        _arena.Reset();
        var theta = _arena.Take(new Shape(count, task.Coordinates));
        using var instances = task.Allocate(kernels, count);
        using var state = optimizer.StartOn(kernels, new Layout(count, task.Parameters));
        instances.Draw(seed, split, first);
        var loop = new InnerLoop<float>(instances, _tape, theta);
        loop.Begin();
        var visits = new Visits(visit, first, cancel);
        loop.Run(state, 0, horizon, visits);
        visits.Add(horizon, loop.Loss(horizon));
        if (ended is null) return;
        using var last = theta.Read();
        ended(first, last.Span);
    }

    /// <summary>Hands the losses of a portion on, until it is cancelled.</summary>
    sealed class Visits(Visitor visit, int first, CancellationToken cancel) : IInnerObserver<float>
    {
        public void Observe(int t, Tensor<float> theta, Tensor<float> losses, Tensor<float> gradient)
        {
            cancel.ThrowIfCancellationRequested();
            Add(t, losses);
        }

        public void Add(int step, Tensor<float> losses)
        {
            using var values = losses.Read();
            visit(step, first, values.Span);
        }
    }

    public void Dispose()
    {
        _tape.Dispose();
        _arena.Dispose();
    }
}

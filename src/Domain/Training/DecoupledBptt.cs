using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>
/// Truncated back-propagation through time without a graph through the optimizee. The paper drops d(grad f)/d phi
/// (Andrychowicz et al., 2016, section 2, the dashed edges of figure 2), so the adjoint of update t is the sum over s &gt; t of
/// w_s grad f(theta_s), which the forward pass computes anyway. The forward pass stores K + 1 gradients and the state at the
/// unroll's start; one backward pass through the optimizer alone gives the meta-gradient. See docs/numerics.md.
/// </summary>
public sealed class DecoupledBptt<T> : IGradientEstimator<T>, IInnerObserver<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly ITaskInstances<T> _instances;
    readonly ILearnedState<T> _optimizer;
    readonly Tape<T> _tape;
    readonly InnerLoop<T> _loop;
    readonly Arena<T> _arena;
    readonly Tensor<T> _gradients, _adjoints, _startTheta, _startState, _weights;
    readonly Tensor<T> _losses, _slopes; // [K, B], and h' of each
    readonly LossWeights _kind;
    readonly int _steps;

    /// <param name="kernels">Where to compute.</param>
    /// <param name="task">The task.</param>
    /// <param name="rule">Any rule.</param>
    /// <param name="batch">B, instances side by side.</param>
    /// <param name="steps">K, steps of an unroll.</param>
    /// <param name="weights">w_t.</param>
    public DecoupledBptt(IKernels<T> kernels, ITask task, ILearnedOptimizer rule, int batch, int steps, LossWeights weights)
    {
        (_steps, _kind, _arena) = (steps, weights, kernels.NewArena());
        _tape = new Tape<T>(kernels);
        _instances = task.Allocate(kernels, batch);
        _optimizer = rule.StartOn(kernels, new Layout(batch, task.Parameters));
        _loop = new InnerLoop<T>(_instances, _tape, _arena.Zeros(new Shape(batch, task.Coordinates)));
        _gradients = _arena.Zeros(new Shape(steps + 1, batch * task.Coordinates));
        _adjoints = weights == LossWeights.Log
            ? _arena.Zeros(new Shape(steps, batch * task.Coordinates))
            : _gradients.Range(batch * task.Coordinates, steps * batch * task.Coordinates)
                .As(new Shape(steps, batch * task.Coordinates));
        _startTheta = _arena.Zeros(Theta.Shape);
        _startState = _arena.Zeros(_optimizer.State.Shape);
        _losses = _arena.Zeros(new Shape(steps, batch));
        _slopes = _arena.Zeros(new Shape(steps * batch, 1));
        _weights = _arena.Copy(
            [.. Enumerable.Range(0, steps).Select(i => T.CreateTruncating(StepWeights.Of(weights, i, steps) / batch))],
            new Shape(steps));
    }

    /// <inheritdoc/>
    public string Name => "truncated BPTT, decoupled";

    /// <summary>theta of all instances, [B, P].</summary>
    public Tensor<T> Theta => _loop.Theta;

    /// <summary>The optimizer's state.</summary>
    public Tensor<T> State => _optimizer.State;

    /// <summary>grad f(theta_0) .. grad f(theta_K) of the last unroll, [K + 1, B P].</summary>
    public Tensor<T> Gradients => _gradients;

    /// <summary>The state before the last unroll.</summary>
    public Tensor<T> StartState => _startState;

    /// <summary>w_1 .. w_K, divided by B.</summary>
    public Tensor<T> Weights => _weights;

    /// <inheritdoc/>
    public void Keep(Snapshot snapshot)
    {
        snapshot.Keep("theta", Theta);
        snapshot.Keep("optimizer-state", State);
    }

    /// <inheritdoc/>
    public void Begin(ulong seed, Split split, int first)
    {
        _instances.Draw(seed, split, first);
        _loop.Begin();
        _optimizer.Reset();
    }

    /// <inheritdoc/>
    public double Unroll(ReadOnlySpan<T> phi, int firstStep, Span<double> phiGradient)
    {
        _optimizer.SetParameters(phi);
        Theta.CopyTo(_startTheta);
        State.CopyTo(_startState);
        _loop.Run(_optimizer, firstStep, _steps, this);
        var (losses, gradient) = _loop.Evaluate(firstStep + _steps); // the next unroll begins with it
        Keep(_steps, losses, gradient);
        var total = MeanLosses();
        _optimizer.MetaGradient(new(_gradients, _adjoints, _weights, _startTheta, _startState), phiGradient);
        return total / _steps;
    }

    /// <inheritdoc/>
    public void Advance(ReadOnlySpan<T> phi, int firstStep, int steps)
    {
        _optimizer.SetParameters(phi);
        _loop.Run(_optimizer, firstStep, steps);
    }

    void IInnerObserver<T>.Observe(int t, Tensor<T> theta, Tensor<T> losses, Tensor<T> gradient) => Keep(t, losses, gradient);

    void Keep(int t, Tensor<T> losses, Tensor<T> gradient)
    {
        gradient.CopyTo(_gradients.Range(t * Theta.Count, Theta.Count));
        if (t > 0) losses.CopyTo(_losses.Range((t - 1) * _instances.Count, _instances.Count));
    }

    /// <summary>
    /// The sum over the steps of the mean over the instances. Only here the host waits for what the unroll computed.
    /// </summary>
    double MeanLosses()
    {
        using var losses = _losses.Read();
        var total = 0.0;
        for (var step = 0; step < _steps; step++)
        {
            var sum = 0.0;
            foreach (var loss in losses.Row(step)) sum += double.CreateTruncating(loss);
            total += sum / _instances.Count;
        }
        if (_kind == LossWeights.Log) Slopes(losses.Span);
        return total;
    }

    /// <summary>The meta-loss's derivative by theta: each instance's gradient times h' of its loss.</summary>
    void Slopes(ReadOnlySpan<T> losses)
    {
        using (var slopes = _slopes.Write())
            for (var i = 0; i < losses.Length; i++)
                slopes.Span[i] = T.CreateTruncating(StepWeights.Slope(_kind, double.CreateTruncating(losses[i])));
        var rows = new Shape(losses.Length, Theta.Count / _instances.Count);
        var adjoints = _adjoints.As(rows);
        _tape.Kernels.Broadcast(_slopes, 1, adjoints);
        _tape.Kernels.Zip(ZipOp.Multiply, adjoints, _gradients.Range(Theta.Count, adjoints.Count).As(rows), adjoints);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _instances.Dispose();
        _optimizer.Dispose();
        _tape.Dispose();
        _arena.Dispose();
    }
}

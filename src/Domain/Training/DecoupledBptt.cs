using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Truncated back-propagation through time without a graph through the optimizee. The paper drops d(grad f)/d phi
/// (Andrychowicz et al., 2016, section 2, the dashed edges of figure 2), so the adjoint of update t is the sum over s &gt; t of
/// w_s grad f(theta_s), which the forward pass computes anyway. The forward pass stores K + 1 gradients and the state at the
/// unroll's start; one backward pass through the optimizer alone gives the meta-gradient. See docs/numerics.md.
/// </summary>
public sealed class DecoupledBptt<T> : IMetaGradient<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly ITaskInstances<T> _instances;
    readonly ILearnedState<T> _optimizer;
    readonly Tape<T> _tape;
    readonly Arena<T> _arena = new();
    readonly Tensor<T> _gradients, _adjoints, _startTheta, _startState, _weights;
    readonly LossWeights _kind;
    readonly int _steps;
    bool _gradientIsCurrent;

    /// <param name="kernels">Where to compute.</param>
    /// <param name="task">The task.</param>
    /// <param name="rule">Any rule.</param>
    /// <param name="batch">B, instances side by side.</param>
    /// <param name="steps">K, steps of an unroll.</param>
    /// <param name="weights">w_t.</param>
    public DecoupledBptt(IKernels<T> kernels, ITask task, ILearnedOptimizer rule, int batch, int steps, LossWeights weights)
    {
        (_steps, _kind) = (steps, weights);
        _tape = new Tape<T>(kernels);
        _instances = task.Allocate(kernels, batch);
        _optimizer = rule.Start(kernels, new Layout(batch, task.Parameters));
        Theta = _arena.Zeros(new Shape(batch, task.Coordinates));
        _gradients = _arena.Zeros(new Shape(steps + 1, batch * task.Coordinates));
        _adjoints = weights == LossWeights.Log
            ? _arena.Zeros(new Shape(steps, batch * task.Coordinates))
            : _gradients.Range(batch * task.Coordinates, steps * batch * task.Coordinates).As(new Shape(steps, batch * task.Coordinates));
        _startTheta = _arena.Zeros(Theta.Shape);
        _startState = _arena.Zeros(_optimizer.State.Shape);
        _weights = _arena.Take(new Shape(steps));
        for (var i = 0; i < steps; i++) _weights.Span[i] = T.CreateTruncating(StepWeights.Of(weights, i, steps) / batch);
    }

    /// <inheritdoc/>
    public string Name => "truncated BPTT, decoupled";

    /// <summary>theta of all instances, [B, P].</summary>
    public Tensor<T> Theta { get; }

    /// <summary>The optimizer's state.</summary>
    public Tensor<T> State => _optimizer.State;

    /// <summary>grad f(theta_0) .. grad f(theta_K) of the last unroll, [K + 1, B P].</summary>
    public Tensor<T> Gradients => _gradients;

    /// <summary>The state before the last unroll.</summary>
    public Tensor<T> StartState => _startState;

    /// <summary>w_1 .. w_K, divided by B.</summary>
    public Tensor<T> Weights => _weights;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor<T> Values)> Carried => [("theta", Theta), ("optimizer-state", State)];

    /// <inheritdoc/>
    public void Begin(ulong seed, Split split, int first)
    {
        _instances.Draw(seed, split, first);
        _instances.InitialTheta(Theta);
        _optimizer.Reset();
        _gradientIsCurrent = false;
    }

    /// <inheritdoc/>
    public double Unroll(ReadOnlySpan<T> phi, int firstStep, Span<double> phiGradient)
    {
        _optimizer.SetParameters(phi);
        Theta.Span.CopyTo(_startTheta.Span);
        State.Span.CopyTo(_startState.Span);
        if (_gradientIsCurrent) Row(_steps).Span.CopyTo(Row(0).Span);
        else LossAndGradient(firstStep, Row(0));
        var total = 0.0;
        for (var step = 0; step < _steps; step++)
        {
            _optimizer.Step(Row(step), Theta);
            total += LossAndGradient(firstStep + step + 1, Row(step + 1), _adjoints.Range(step * Theta.Count, Theta.Count));
        }
        _gradientIsCurrent = true;
        _optimizer.MetaGradient(new(_gradients, _adjoints, _weights, _startTheta, _startState), phiGradient);
        return total / _steps;
    }

    /// <inheritdoc/>
    public void Advance(ReadOnlySpan<T> phi, int firstStep, int steps)
    {
        _optimizer.SetParameters(phi);
        for (var step = firstStep; step < firstStep + steps; step++)
        {
            LossAndGradient(step, Row(0));
            _optimizer.Step(Row(0), Theta);
        }
        _gradientIsCurrent = false;
    }

    /// <summary>The meta-loss's derivative by theta: each instance's gradient times h' of its loss.</summary>
    void Slopes(Tensor<T> losses, Tensor<T> gradient, Tensor<T> adjoint)
    {
        var coordinates = gradient.Count / losses.Count;
        for (var b = 0; b < losses.Count; b++)
        {
            var slope = T.CreateTruncating(StepWeights.Slope(_kind, double.CreateTruncating(losses.Span[b])));
            var from = gradient.Span.Slice(b * coordinates, coordinates);
            var to = adjoint.Span.Slice(b * coordinates, coordinates);
            for (var i = 0; i < coordinates; i++) to[i] = slope * from[i];
        }
    }

    Tensor<T> Row(int step) => _gradients.Range(step * Theta.Count, Theta.Count);

    /// <summary>Mean loss over the instances; each instance's own gradient goes to <paramref name="gradient"/>, the meta-loss's to <paramref name="adjoint"/>.</summary>
    double LossAndGradient(int step, Tensor<T> gradient, Tensor<T> adjoint = default)
    {
        _tape.Reset();
        var theta = _tape.Variable(Theta);
        var losses = _instances.Loss(_tape, theta, step);
        Tensor<T> result = default;
        _tape.Gradient(losses, new(in theta), new(ref result));
        result.Span.CopyTo(gradient.Span);
        if (_kind == LossWeights.Log && adjoint.Count > 0) Slopes(losses, gradient, adjoint);
        var sum = 0.0;
        foreach (var loss in losses.Span) sum += double.CreateTruncating(loss);
        return sum / losses.Count;
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

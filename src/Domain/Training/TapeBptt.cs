using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>
/// Truncated back-propagation through time on the tape, with second derivatives if asked for (d(grad f)/d phi is kept). The
/// reference for
/// <see cref="DecoupledBptt{T}"/>.
/// </summary>
public sealed class TapeBptt<T> : IGradientEstimator<T>, IUpdate<T>, IInnerObserver<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly ILearnedOptimizer _rule;
    readonly ITaskInstances<T> _instances;
    readonly Tape<T> _tape;
    readonly InnerLoop<T> _loop;
    readonly Arena<T> _arena;
    readonly double[] _weights;
    readonly Tensor<T>[] _losses; // of each step, on the tape's memory
    readonly bool _secondDerivatives;
    readonly LossWeights _kind;
    readonly Layout _layout;
    readonly IReadOnlyList<Shape> _shapes;
    readonly Tensor<T>[] _phi, _phiGradient, _state; // on the tape
    Tensor<T> _metaLoss;

    /// <inheritdoc cref="DecoupledBptt{T}(IKernels{T}, ITask, ILearnedOptimizer, int, int, LossWeights)"/>
    /// <param name="secondDerivatives">Keep the path through the gradients of f.</param>
#pragma warning disable CS1573 // the other parameters are inherited
    public TapeBptt(IKernels<T> kernels, ITask task, ILearnedOptimizer rule, int batch, int steps, LossWeights weights,
        bool secondDerivatives)
#pragma warning restore CS1573
    {
        (_rule, _secondDerivatives, _kind) = (rule, secondDerivatives, weights);
        (_tape, _arena) = (new Tape<T>(kernels), kernels.NewArena());
        _instances = task.Allocate(kernels, batch);
        Theta = _arena.Zeros(new Shape(batch, task.Coordinates));
        _loop = new InnerLoop<T>(_instances, _tape, Theta);
        _layout = new Layout(batch, task.Parameters);
        _shapes = rule.State(_layout);
        State = _arena.Zeros(new Shape(_shapes.Sum(s => s.Count)));
        _weights = [.. Enumerable.Range(0, steps).Select(i => StepWeights.Of(weights, i, steps) / batch)];
        _losses = new Tensor<T>[steps];
        (_phi, _phiGradient) = (new Tensor<T>[rule.MetaParameters.Count], new Tensor<T>[rule.MetaParameters.Count]);
        _state = new Tensor<T>[_shapes.Count];
    }

    /// <inheritdoc/>
    public string Name => _secondDerivatives ? "truncated BPTT, tape, second derivatives" : "truncated BPTT, tape";

    /// <summary>theta of all instances, [B, P].</summary>
    public Tensor<T> Theta { get; }

    /// <summary>The optimizer's state: its tensors, one after the other.</summary>
    public Tensor<T> State { get; }

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
        _loop.Theta = Theta;
        _loop.Begin();
        State.Clear();
    }

    /// <inheritdoc/>
    public double Unroll(ReadOnlySpan<T> phi, int firstStep, Span<double> phiGradient)
    {
        PutOnTape(phi);
        _metaLoss = _tape.Zeros(new Shape(1));
        _loop.Graph = _secondDerivatives ? Graph.Gradients : Graph.Updates;
        _loop.Run(this, firstStep, _weights.Length, this);
        Add(_weights.Length, _loop.Loss(firstStep + _weights.Length));
        _tape.Gradient(_metaLoss, _phi, _phiGradient);
        var at = 0;
        foreach (var gradient in _phiGradient)
        {
            using var values = gradient.Read();
            foreach (var value in values.Span) phiGradient[at++] = double.CreateTruncating(value);
        }
        TakeOffTape();
        var total = 0.0;
        foreach (var step in _losses)
        {
            using var values = step.Read();
            foreach (var loss in values.Span) total += double.CreateTruncating(loss);
        }
        return total / (_weights.Length * _instances.Count);
    }

    /// <inheritdoc/>
    public void Advance(ReadOnlySpan<T> phi, int firstStep, int steps)
    {
        _loop.Graph = Graph.Updates;
        for (var step = firstStep; step < firstStep + steps; step++) // each on a fresh tape
        {
            PutOnTape(phi);
            _loop.Run(this, step, 1);
            TakeOffTape();
        }
    }

    void IUpdate<T>.Step(Tensor<T> theta, Tensor<T> gradient)
    {
        var row = new Shape(1, Theta.Count);
        var update = _rule.Step(_tape, new StepInput<T>(_layout, _phi, _tape.Reshape(gradient, row), _tape.Reshape(theta, row)),
            _state);
        _loop.Theta = _tape.Add(theta, _tape.Reshape(update, Theta.Shape));
    }

    void IInnerObserver<T>.Observe(int t, Tensor<T> theta, Tensor<T> losses, Tensor<T> gradient) => Add(t, losses);

    /// <summary>Counts f(theta_t) for t = 1..K.</summary>
    void Add(int t, Tensor<T> losses)
    {
        if (t == 0) return;
        _losses[t - 1] = losses;
        var value = _tape.Sum(StepWeights.Value(_kind, _tape, losses));
        _metaLoss = _tape.Add(_metaLoss, _tape.Scale(value, T.CreateTruncating(_weights[t - 1])));
    }

    /// <summary>
    /// Begins a fresh tape with phi, theta and state; the state as a copy, as the new one is written in pieces.
    /// </summary>
    void PutOnTape(ReadOnlySpan<T> phi)
    {
        _tape.Reset();
        for (var i = 0; i < _phi.Length; i++)
        {
            var shape = _rule.MetaParameters[i].Shape;
            _phi[i] = _tape.Variable(_tape.Constant(phi[..shape.Count], shape));
            phi = phi[shape.Count..];
        }
        _loop.Theta = _tape.Variable(Theta);
        var (all, at) = (_tape.Copy(State), 0);
        for (var i = 0; i < _state.Length; at += _shapes[i++].Count) _state[i] = all.Range(at, _shapes[i].Count).As(_shapes[i]);
    }

    /// <summary>Keeps theta and state beyond the tape's next reset.</summary>
    void TakeOffTape()
    {
        _loop.Theta.CopyTo(Theta);
        var at = 0;
        foreach (var part in _state)
        {
            part.CopyTo(State.Range(at, part.Count));
            at += part.Count;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _instances.Dispose();
        _tape.Dispose();
        _arena.Dispose();
    }
}

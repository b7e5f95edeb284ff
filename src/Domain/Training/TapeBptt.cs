using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Truncated back-propagation through time on the tape, with second derivatives if asked for (d(grad f)/d phi is kept). The reference for
/// <see cref="DecoupledBptt{T}"/>.
/// </summary>
public sealed class TapeBptt<T> : IMetaGradient<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly ILearnedOptimizer _rule;
    readonly ITaskInstances<T> _instances;
    readonly Tape<T> _tape;
    readonly Arena<T> _arena;
    readonly double[] _weights;
    readonly Tensor<T>[] _losses; // of each step, on the tape's memory
    readonly bool _secondDerivatives;
    readonly LossWeights _kind;
    readonly Layout _layout;
    readonly IReadOnlyList<Shape> _shapes;

    /// <inheritdoc cref="DecoupledBptt{T}(IKernels{T}, ITask, ILearnedOptimizer, int, int, LossWeights)"/>
    /// <param name="secondDerivatives">Keep the path through the gradients of f.</param>
#pragma warning disable CS1573 // the other parameters are inherited
    public TapeBptt(IKernels<T> kernels, ITask task, ILearnedOptimizer rule, int batch, int steps, LossWeights weights, bool secondDerivatives)
#pragma warning restore CS1573
    {
        (_rule, _secondDerivatives, _kind) = (rule, secondDerivatives, weights);
        (_tape, _arena) = (new Tape<T>(kernels), kernels.NewArena());
        _instances = task.Allocate(kernels, batch);
        Theta = _arena.Zeros(new Shape(batch, task.Coordinates));
        _layout = new Layout(batch, task.Parameters);
        _shapes = rule.State(_layout);
        State = _arena.Zeros(new Shape(_shapes.Sum(s => s.Count)));
        _weights = [.. Enumerable.Range(0, steps).Select(i => StepWeights.Of(weights, i, steps) / batch)];
        _losses = new Tensor<T>[steps];
    }

    /// <inheritdoc/>
    public string Name => _secondDerivatives ? "truncated BPTT, tape, second derivatives" : "truncated BPTT, tape";

    /// <summary>theta of all instances, [B, P].</summary>
    public Tensor<T> Theta { get; }

    /// <summary>The optimizer's state: its tensors, one after the other.</summary>
    public Tensor<T> State { get; }

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor<T> Values)> Carried => [("theta", Theta), ("optimizer-state", State)];

    /// <inheritdoc/>
    public void Begin(ulong seed, Split split, int first)
    {
        _instances.Draw(seed, split, first);
        _instances.InitialTheta(Theta);
        State.Clear();
    }

    /// <inheritdoc/>
    public double Unroll(ReadOnlySpan<T> phi, int firstStep, Span<double> phiGradient)
    {
        _tape.Reset();
        var parameters = Parameters(phi);
        var theta = _tape.Variable(Theta);
        var state = SplitState();
        var losses = _instances.Loss(_tape, theta, firstStep);
        var metaLoss = _tape.Zeros(new Shape(1));
        for (var step = 0; step < _weights.Length; step++)
        {
            Tensor<T> gradient = default;
            _tape.Gradient(losses, new(in theta), new(ref gradient), _secondDerivatives);
            var row = _tape.Reshape(_secondDerivatives ? gradient : _tape.Detach(gradient), new Shape(1, Theta.Count));
            var update = _rule.Step(_tape, new StepInput<T>(_layout, parameters, row, _tape.Reshape(theta, row.Shape)), state);
            theta = _tape.Add(theta, _tape.Reshape(update, Theta.Shape));
            losses = _instances.Loss(_tape, theta, firstStep + step + 1);
            metaLoss = _tape.Add(metaLoss, _tape.Scale(_tape.Sum(StepWeights.Value(_kind, _tape, losses)), T.CreateTruncating(_weights[step])));
            _losses[step] = losses;
        }
        var gradients = new Tensor<T>[parameters.Length];
        _tape.Gradient(metaLoss, parameters, gradients);
        var at = 0;
        foreach (var gradient in gradients)
        {
            using var values = gradient.Read();
            foreach (var value in values.Span) phiGradient[at++] = double.CreateTruncating(value);
        }
        Keep(theta, state);
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
        for (var step = firstStep; step < firstStep + steps; step++)
        {
            var gradient = _instances.LossAndGradient(_tape, Theta, step).Gradient;
            var (row, state) = (new Shape(1, Theta.Count), SplitState());
            var update = _rule.Step(_tape, new StepInput<T>(_layout, Parameters(phi), _tape.Reshape(gradient, row), _tape.Reshape(Theta, row)), state);
            Keep(_tape.Add(Theta, _tape.Reshape(update, Theta.Shape)), state);
        }
    }

    void Keep(Tensor<T> theta, Tensor<T>[] state)
    {
        theta.CopyTo(Theta);
        var at = 0;
        foreach (var part in state)
        {
            part.CopyTo(State.Range(at, part.Count));
            at += part.Count;
        }
    }

    /// <summary>A copy, as the new state is written in pieces.</summary>
    Tensor<T>[] SplitState()
    {
        var all = _tape.Copy(State);
        var (result, at) = (new Tensor<T>[_shapes.Count], 0);
        for (var i = 0; i < result.Length; at += _shapes[i++].Count) result[i] = all.Range(at, _shapes[i].Count).As(_shapes[i]);
        return result;
    }

    Tensor<T>[] Parameters(ReadOnlySpan<T> phi)
    {
        var result = new Tensor<T>[_rule.MetaParameters.Count];
        for (var i = 0; i < result.Length; i++)
        {
            var shape = _rule.MetaParameters[i].Shape;
            result[i] = _tape.Variable(_tape.Constant(phi[..shape.Count], shape));
            phi = phi[shape.Count..];
        }
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _instances.Dispose();
        _tape.Dispose();
        _arena.Dispose();
    }
}

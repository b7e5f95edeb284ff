using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>
/// Imitation of a hand-designed optimizer (Chen et al., 2020, arXiv:2010.09089, section 3.2): in a share of the meta-epochs the
/// learned optimizer is not asked to lower the loss, but to make the teacher's updates on the teacher's own trajectory.
/// </summary>
public sealed record ImitationOptions
{
    /// <summary>
    /// The optimizer that is imitated; its learning rate must be given. A schedule runs over the training's horizon.
    /// </summary>
    public OptimizerOptions Teacher { get; init; } = new Adam.Options { LearningRate = 0.01 };

    /// <summary>
    /// Share of the meta-epochs in each stage of the curriculum; the last holds for all further stages, and without a curriculum.
    /// </summary>
    [Length(1, 17), Bounds(0, 1)]
    public IReadOnlyList<double> Shares { get; init; } = [0.3];

    /// <summary>The errors against the task; pointers are relative to the training's options.</summary>
    internal IEnumerable<SpecError> Check(int coordinates)
    {
        if (Teacher.LearningRate is null)
            yield return new("/imitation/teacher/learningRate", "is required here: nobody tunes it.");
        if (coordinates > Teacher.MostCoordinates)
            yield return new("/imitation/teacher",
                $"The task has {coordinates} coordinates; this optimizer is made for at most {Teacher.MostCoordinates}.");
    }
}

/// <summary>
/// The gradient of the imitation's loss: mean over the instances of sum over t = 1..K of |g_t - u_t|^2, where u_t is the
/// teacher's update and g_t the learned one at the same theta with the same gradient. theta follows the teacher, so nothing is
/// dropped here: given the state at the unroll's start it is the exact gradient.
/// </summary>
public sealed class Imitation : IGradientEstimator<float>, IUpdate<float>
{
    readonly ITaskInstances<float> _instances;
    readonly ILearnedState<float> _learned;
    readonly IOptimizerState _teacher;
    readonly Tape<float> _tape;
    readonly InnerLoop<float> _loop;
    readonly Arena<float> _arena;
    readonly Tensor<float> _moved; // [B, P]
    readonly Tensor<float> _thetas, _gradients, _adjoints; // [K, B P]
    readonly Tensor<float> _weights, _startState;
    int _step; // of the unroll
    double _total; // of squared differences

    /// <param name="kernels">Where to compute.</param>
    /// <param name="task">The task.</param>
    /// <param name="rule">Any rule.</param>
    /// <param name="teacher">Whose updates are the target.</param>
    /// <param name="batch">B, instances side by side.</param>
    /// <param name="steps">K, steps of an unroll.</param>
    public Imitation(IKernels<float> kernels, ITask task, ILearnedOptimizer rule, IOptimizer teacher, int batch, int steps)
    {
        var layout = new Layout(batch, task.Parameters);
        (_tape, _arena) = (new Tape<float>(kernels), kernels.NewArena());
        (_instances, _learned, _teacher) = (task.Allocate(kernels, batch), rule.StartOn(kernels, layout),
            teacher.StartOn(kernels, layout));
        _loop = new InnerLoop<float>(_instances, _tape, _arena.Zeros(new Shape(batch, task.Coordinates)));
        _moved = _arena.Zeros(_loop.Theta.Shape);
        var rows = new Shape(steps, layout.Count);
        (_thetas, _gradients, _adjoints) = (_arena.Zeros(rows), _arena.Zeros(rows), _arena.Zeros(rows));
        _startState = _arena.Zeros(_learned.State.Shape);
        _weights = _arena.Take(new Shape(steps));
        using var weights = _weights.Write();
        weights.Span.Fill(2f / batch);
    }

    /// <inheritdoc/>
    public string Name => "imitation";

    /// <inheritdoc/>
    /// <remarks>
    /// The teacher's state does not depend on phi: a resumed run lets it <see cref="Advance"/> from the start again.
    /// </remarks>
    public void Keep(Snapshot snapshot) => snapshot.Keep("optimizer-state", _learned.State);

    /// <inheritdoc/>
    public void Begin(ulong seed, Split split, int first)
    {
        _instances.Draw(seed, split, first);
        _loop.Begin();
        _learned.Reset();
        _teacher.Reset();
    }

    /// <inheritdoc/>
    /// <remarks>The teacher goes on alone; the learned optimizer's state stands still.</remarks>
    public void Advance(ReadOnlySpan<float> phi, int firstStep, int steps) => _loop.Run(_teacher, firstStep, steps);

    /// <inheritdoc/>
    /// <returns>The loss, a step and instance.</returns>
    public double Unroll(ReadOnlySpan<float> phi, int firstStep, Span<double> phiGradient)
    {
        _learned.SetParameters(phi);
        _learned.State.CopyTo(_startState);
        (_step, _total) = (0, 0);
        _loop.Run(this, firstStep, _weights.Count);
        _learned.MetaGradient(new(_gradients, _adjoints, _weights, _thetas, _startState, Forced: true), phiGradient);
        return _total / _weights.Count / _instances.Count;
    }

    /// <summary>Both move the same theta; the teacher's is where the run goes on.</summary>
    void IUpdate<float>.Step(Tensor<float> theta, Tensor<float> gradient)
    {
        var (from, count) = (_step++ * theta.Count, theta.Count);
        gradient.CopyTo(_gradients.Range(from, count));
        theta.CopyTo(_thetas.Range(from, count));
        theta.CopyTo(_moved);
        _learned.Step(_moved, gradient);
        _teacher.Step(theta, gradient);
        using var learned = _moved.Read();
        using var teacher = theta.Read();
        using var differences = _adjoints.Range(from, count).Write();
        _total += Differences(learned.Span, teacher.Span, differences.Span);
    }

    /// <summary>
    /// Both started from the same theta: these are the differences of the updates. Returns the sum of their squares.
    /// </summary>
    static double Differences(ReadOnlySpan<float> learned, ReadOnlySpan<float> teacher, Span<float> differences)
    {
        var sum = 0.0;
        for (var i = 0; i < differences.Length; i++)
        {
            differences[i] = learned[i] - teacher[i];
            sum += (double)differences[i] * differences[i];
        }
        return sum;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _instances.Dispose();
        _learned.Dispose();
        _teacher.Dispose();
        _tape.Dispose();
        _arena.Dispose();
    }
}

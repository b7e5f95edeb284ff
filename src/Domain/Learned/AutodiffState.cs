using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// Runs a rule that is defined on the tape alone. Theta is cut into groups (whole instances, or any coordinates if the rule is
/// coordinatewise) that are computed side by side on all threads, each on a tape of its own that a cache can hold. The
/// meta-gradient replays the unroll forward, keeping theta and state of every step, and goes back step by step, each on a fresh
/// tape: memory for one step's graph, whatever the unroll. Groups depend on sizes alone, and are summed in order in double.
/// </summary>
public sealed class AutodiffState<T> : ILearnedState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    const int FewestCoordinates = 1024;
    const int MostGroups = 256;

    /// <summary>A piece of theta, and where its coordinates and its state begin.</summary>
    sealed record Group(Layout Layout, int First, IReadOnlyList<Shape> Shapes, int FirstState)
    {
        public int StateElements { get; } = Shapes.Sum(s => s.Count);
    }

    readonly ILearnedOptimizer _rule;
    readonly IKernels<T> _kernels;
    readonly Arena<T> _arena;
    readonly Arena<T> _own; // of the state, until another is put in its place
    readonly List<Group> _groups = [];
    readonly Tensor<T> _phi;
    readonly double[] _sums; // [groups, phi]
    readonly Stack<Room> _rooms = [];

    /// <param name="rule">The rule.</param>
    /// <param name="kernels">Where to compute.</param>
    /// <param name="layout">Which coordinates belong together.</param>
    public AutodiffState(ILearnedOptimizer rule, IKernels<T> kernels, Layout layout)
    {
        (_rule, _kernels, _arena, _own) = (rule, kernels, kernels.NewArena(), kernels.NewArena());
        var (units, size) = rule.IsCoordinatewise ? (layout.Count, 1) : (layout.Batch, layout.PerInstance);
        var most = Math.Max((units + MostGroups - 1) / MostGroups, Math.Max(1, FewestCoordinates / Math.Max(1, size)));
        var elements = 0;
        for (var first = 0; first < units; first += most)
        {
            var count = Math.Min(most, units - first);
            var part = rule.IsCoordinatewise ? Layout.Flat(1, count) : layout with { Batch = count };
            _groups.Add(new(part, first * size, rule.State(part), elements));
            elements = checked(elements + _groups[^1].StateElements);
        }
        State = _own.Zeros(new Shape(elements));
        _phi = _arena.Zeros(new Shape(rule.MetaParameterCount));
        _sums = new double[_groups.Count * _phi.Count];
    }

    /// <inheritdoc/>
    public Tensor<T> State
    {
        get;
        set
        {
            if (field.Count > 0) _own.Dispose();
            field = value;
        }
    }

    /// <inheritdoc/>
    public void SetParameters(ReadOnlySpan<T> phi) => phi.CopyTo(_phi.Span);

    /// <inheritdoc/>
    public void Reset() => State.Span.Clear();

    /// <inheritdoc/>
    public void Step(Tensor<T> theta, Tensor<T> gradient) => _kernels.Run(_groups.Count, new StepJob(this, gradient, theta));

    readonly struct StepJob(AutodiffState<T> owner, Tensor<T> gradient, Tensor<T> theta) : IChunkJob
    {
        public void Run(int chunk)
        {
            var group = owner._groups[chunk];
            var room = owner.Rent();
            var part = theta.Range(group.First, group.Layout.Count);
            var state = owner.State.Range(group.FirstState, group.StateElements);
            owner.Forward(room, group, gradient.Range(group.First, part.Count), part, part, state, state);
            owner.Return(room);
        }
    }

    /// <inheritdoc/>
    public void MetaGradient(in Unrolled<T> unrolled, Span<double> phiGradient)
    {
        _kernels.Run(_groups.Count, new BackwardJob(this, unrolled));
        phiGradient.Clear();
        for (var i = 0; i < _sums.Length; i++) phiGradient[i % _phi.Count] += _sums[i];
    }

    readonly struct BackwardJob(AutodiffState<T> owner, Unrolled<T> unrolled) : IChunkJob
    {
        public void Run(int chunk)
        {
            var group = owner._groups[chunk];
            var (steps, count, elements) = (unrolled.Steps, group.Layout.Count, group.StateElements);
            var room = owner.Rent();
            room.Arena.Reset();
            var thetas = room.Arena.Take(new Shape(steps, count));
            var states = room.Arena.Take(new Shape(steps, elements));
            unrolled.Theta.Range(group.First, count).Span.CopyTo(thetas.Span);
            unrolled.StartState.Range(group.FirstState, elements).Span.CopyTo(states.Span);
            for (var step = 0; step < steps - 1; step++)
            {
                owner.Forward(
                    room, group, Row(unrolled.Gradients, step, group), thetas.Range(step * count, count),
                    thetas.Range((step + 1) * count, count),
                    states.Range(step * elements, elements), states.Range((step + 1) * elements, elements));
                if (unrolled.Forced)
                    Row(unrolled.Theta, step + 1, group).Span.CopyTo(thetas.Range((step + 1) * count, count).Span);
            }
            var sums = owner._sums.AsSpan(chunk * owner._phi.Count, owner._phi.Count);
            sums.Clear();
            var thetaAdjoint = room.Arena.Zeros(new Shape(1, count));
            var stateAdjoint = room.Arena.Zeros(new Shape(elements));
            for (var step = steps - 1; step >= 0; step--)
            {
                var adjoint = thetaAdjoint.Span;
                if (unrolled.Forced) adjoint.Clear();
                var after = Row(unrolled.Adjoints, step, group).Span;
                for (var i = 0; i < count; i++) adjoint[i] += unrolled.Weights.Span[step] * after[i];
                owner.Back(
                    room, group, Row(unrolled.Gradients, step, group), thetas.Range(step * count, count),
                    states.Range(step * elements, elements),
                    thetaAdjoint, stateAdjoint, sums);
            }
            owner.Return(room);
        }

        Tensor<T> Row(Tensor<T> rows, int step, Group group) =>
            rows.Range(step * unrolled.Coordinates + group.First, group.Layout.Count);
    }

    /// <summary>One step; the new theta and state may take the place of the old.</summary>
    void Forward(Room room, Group group, Tensor<T> gradient, Tensor<T> theta, Tensor<T> newTheta, Tensor<T> state,
        Tensor<T> newState)
    {
        var tape = room.Tape;
        tape.Reset();
        using var pause = tape.PauseRecording();
        room.Split(_phi, _rule.MetaParameters);
        room.Split(tape.Constant(state.Span, state.Shape), group.Shapes);
        var row = new Shape(1, theta.Count);
        var update = _rule.Step(tape, new StepInput<T>(group.Layout, room.Phi, gradient.As(row), theta.As(row)), room.State);
        _kernels.Zip(ZipOp.Add, theta, update.As(theta.Shape), newTheta);
        var at = 0;
        foreach (var part in room.State)
        {
            part.Span.CopyTo(newState.Span[at..]);
            at += part.Count;
        }
    }

    /// <summary>
    /// The step again, with a graph: adjoints of what comes out become adjoints of what went in, in place; phi's are added.
    /// </summary>
    void Back(
        Room room, Group group, Tensor<T> gradient, Tensor<T> theta, Tensor<T> state,
        Tensor<T> thetaAdjoint, Tensor<T> stateAdjoint, Span<double> sums)
    {
        var tape = room.Tape;
        tape.Reset();
        room.Split(_phi, _rule.MetaParameters);
        room.Split(state, group.Shapes);
        foreach (ref var tensor in room.Phi.AsSpan()) tensor = tape.Variable(tensor);
        foreach (ref var tensor in room.State.AsSpan()) tensor = tape.Variable(tensor);
        var row = tape.Variable(theta.As(thetaAdjoint.Shape));
        room.Phi.CopyTo(room.Sources, 0);
        room.State.CopyTo(room.Sources, room.Phi.Length);
        room.Sources[^1] = row;
        var update = _rule.Step(tape, new StepInput<T>(group.Layout, room.Phi, gradient.As(row.Shape), row), room.State);
        var loss = tape.Sum(tape.Multiply(update, thetaAdjoint));
        var at = 0;
        foreach (var part in room.State)
        {
            var adjoint = stateAdjoint.Range(at, part.Count).As(part.Shape);
            if (part.Node >= 0) loss = tape.Add(loss, tape.Sum(tape.Multiply(part, adjoint)));
            at += part.Count;
        }
        tape.Gradient(loss, room.Sources, room.Gradients);
        var sum = 0;
        var before = stateAdjoint.Span;
        for (var i = 0; i < room.Phi.Length; i++)
            foreach (var value in room.Gradients[i].Span) sums[sum++] += double.CreateTruncating(value);
        for (var i = room.Phi.Length; i < room.Gradients.Length - 1; i++)
        {
            room.Gradients[i].Span.CopyTo(before);
            before = before[room.Gradients[i].Count..];
        }
        _kernels.Zip(ZipOp.Add, thetaAdjoint, room.Gradients[^1], thetaAdjoint);
    }

    Room Rent()
    {
        lock (_rooms)
            if (_rooms.TryPop(out var room)) return room;
        return new Room(_kernels, _rule.MetaParameters.Count, _groups[0].Shapes.Count);
    }

    void Return(Room room)
    {
        lock (_rooms) _rooms.Push(room);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var room in _rooms) room.Dispose();
        _arena.Dispose();
        _own.Dispose();
    }

    /// <summary>Memory of one thread.</summary>
    sealed class Room(IKernels<T> kernels, int phi, int state) : IDisposable
    {
        public Tape<T> Tape { get; } = new(kernels);

        public Arena<T> Arena { get; } = kernels.NewArena();

        public Tensor<T>[] Phi { get; } = new Tensor<T>[phi];

        public Tensor<T>[] State { get; } = new Tensor<T>[state];

        /// <summary>Phi, state, theta.</summary>
        public Tensor<T>[] Sources { get; } = new Tensor<T>[phi + state + 1];

        public Tensor<T>[] Gradients { get; } = new Tensor<T>[phi + state + 1];

        public void Split(Tensor<T> phi, IReadOnlyList<ParameterTensor> tensors)
        {
            for (var (i, at) = (0, 0); i < Phi.Length; at += tensors[i++].Shape.Count)
                Phi[i] = phi.Range(at, tensors[i].Shape.Count).As(tensors[i].Shape);
        }

        public void Split(Tensor<T> state, IReadOnlyList<Shape> shapes)
        {
            for (var (i, at) = (0, 0); i < State.Length; at += shapes[i++].Count)
                State[i] = state.Range(at, shapes[i].Count).As(shapes[i]);
        }

        public void Dispose()
        {
            Tape.Dispose();
            Arena.Dispose();
        }
    }
}

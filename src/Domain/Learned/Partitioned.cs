using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// Several networks of one kind, each with meta-parameters of its own, for different coordinates of theta: one for each of the
/// chosen groups and one for the rest. On CIFAR-10 the paper has one for the convolutions and one for the other parameters
/// (Andrychowicz et al., 2016, section 3.3; in its published code biases and normalisation belong to the others).
/// </summary>
public sealed class Partitioned : ILearnedOptimizer
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "per-group",
        "A network of its own for each of some groups of coordinates, for example the convolutions, and one for the rest.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 3.3");

    /// <summary>Groups and network.</summary>
    public sealed record Options : LearnedOptimizerOptions, IChecked
    {
        /// <summary>Each has a network of its own; all other coordinates share one more.</summary>
        [Length(1, 4)]
        public IReadOnlyList<ParameterGroup> Groups { get; init; } = [ParameterGroup.Convolution];

        /// <summary>The options of each network. All start with the same meta-parameters.</summary>
        public LearnedOptimizerOptions Network { get; init; } = new CoordinatewiseLstm.Options();

        /// <inheritdoc/>
        public override int MostCoordinates => Network.MostCoordinates;

        /// <inheritdoc/>
        public IEnumerable<SpecError> Check()
        {
            if (Network is Options)
                yield return new("/network", "must be one network, not per-group again; list all groups here.");
            for (var i = 0; i < Groups.Count; i++)
            {
                if (Groups[i] == ParameterGroup.Other)
                    yield return new($"/groups/{i}",
                        "other: what is in no listed group has a network in any case; leave it out.");
                if (Groups.Take(i).Contains(Groups[i]))
                    yield return new($"/groups/{i}", $"{SpecTypes.EnumName(Groups[i])} is given twice.");
            }
        }

        /// <inheritdoc/>
        public override IEnumerable<SpecError> CheckTask(TaskOptions task)
        {
            var names = string.Join(", ", task.Groups.Select(g => SpecTypes.EnumName(g)));
            for (var i = 0; i < Groups.Count; i++)
                if (!task.Groups.Contains(Groups[i]))
                    yield return new($"/groups/{i}",
                        $"The task has no coordinates of the group {SpecTypes.EnumName(Groups[i])}, only {names}; choose another "
                        + "task, or the network alone as the optimizer.");
        }

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new Partitioned(this);
    }

    /// <summary>
    /// The coordinates that one network updates: runs of neighbouring coordinates of every instance, which it sees joined.
    /// </summary>
    sealed record Part(int Network, Layout Layout, (int From, int Count)[] Runs);

    readonly Options _options;
    readonly ILearnedOptimizer _network;
    readonly int _networkElements; // of phi

    /// <param name="options">Groups and network.</param>
    public Partitioned(Options options)
    {
        (_options, _network) = (options, options.Network.Create());
        _networkElements = _network.MetaParameterCount;
        string[] names = [.. options.Groups.Select(g => SpecTypes.EnumName(g)), "rest"];
        MetaParameters = [.. names.SelectMany(name => _network.MetaParameters.Select(p => p with { Name = $"{name}.{p.Name}" }))];
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; }

    /// <summary>False whatever the network is: where a coordinate lies decides which network it has.</summary>
    public bool IsCoordinatewise => false;

    /// <inheritdoc/>
    public bool IsFused => _network.IsFused;

    /// <inheritdoc/>
    public IReadOnlyList<Shape> State(Layout layout) => [.. Parts(layout).SelectMany(p => _network.State(p.Layout))];

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi)
    {
        for (; phi.Length > 0; phi = phi[_networkElements..]) _network.Initialise(seed, phi[.._networkElements]);
    }

    /// <summary>
    /// The groups that are not empty. A task without a group leaves its network unused: evaluations may go where training did
    /// not.
    /// </summary>
    List<Part> Parts(Layout layout)
    {
        var parts = new List<Part>();
        for (var network = 0; network <= _options.Groups.Count; network++)
        {
            var (tensors, runs, at) = (new List<ParameterTensor>(), new List<(int From, int Count)>(), 0);
            foreach (var tensor in layout.Tensors)
            {
                if (NetworkOf(tensor) == network)
                {
                    tensors.Add(tensor);
                    if (runs.Count > 0 && runs[^1].From + runs[^1].Count == at)
                        runs[^1] = (runs[^1].From, runs[^1].Count + tensor.Shape.Count);
                    else runs.Add((at, tensor.Shape.Count));
                }
                at += tensor.Shape.Count;
            }
            if (tensors.Count > 0) parts.Add(new(network, new Layout(layout.Batch, tensors), [.. runs]));
        }
        return parts;
    }

    int NetworkOf(ParameterTensor tensor)
    {
        for (var i = 0; i < _options.Groups.Count; i++)
            if (_options.Groups[i] == tensor.Group) return i;
        return _options.Groups.Count;
    }

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (batch, tensors) = (input.Layout.Batch, _network.MetaParameters.Count);
        var instances = new Shape(batch, input.Layout.PerInstance);
        var updates = new SortedList<int, Tensor<T>>(); // by where they belong, [B, run]
        foreach (var part in Parts(input.Layout))
        {
            var own = _network.State(part.Layout).Count;
            var (gradient, theta) = (Join(input.Gradient, part), Join(input.Theta, part));
            var update = _network.Step(tape,
                new StepInput<T>(part.Layout, input.Phi.Slice(part.Network * tensors, tensors), gradient, theta), state[..own]);
            state = state[own..];
            update = tape.Reshape(update, new Shape(batch, part.Layout.PerInstance));
            var at = 0;
            foreach (var (from, count) in part.Runs)
            {
                updates.Add(from, tape.Slice(update, 1, at, count));
                at += count;
            }
        }
        return tape.Reshape(Concat(updates.Values), input.Gradient.Shape);

        Tensor<T> Join(Tensor<T> x, Part part)
        {
            var rows = tape.Reshape(x, instances);
            return tape.Reshape(Concat(part.Runs.Select(r => tape.Slice(rows, 1, r.From, r.Count))),
                new Shape(1, part.Layout.Count));
        }

        Tensor<T> Concat(IEnumerable<Tensor<T>> pieces) => pieces.Aggregate((a, b) => tape.Concat(a, b, 1));
    }

    /// <inheritdoc/>
    public ILearnedState<T> Start<T>(IKernels<T> kernels, Layout layout) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Running<T>(this, kernels, layout);

    sealed class Running<T> : ILearnedState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly List<(Part Part, ILearnedState<T> State)> _parts = [];
        readonly int _perInstance, _coordinates, _networkElements;
        readonly Arena<T> _arena, _gathered;
        Tensor<T> _state;

        public Running(Partitioned rule, IKernels<T> kernels, Layout layout)
        {
            (_perInstance, _coordinates, _networkElements) = (layout.PerInstance, layout.Count, rule._networkElements);
            (_arena, _gathered) = (kernels.NewArena(), kernels.NewArena());
            foreach (var part in rule.Parts(layout)) _parts.Add((part, rule._network.Start(kernels, part.Layout)));
            State = _arena.Zeros(new Shape(_parts.Sum(p => p.State.State.Count)));
        }

        public Tensor<T> State
        {
            get => _state;
            set
            {
                _state = value;
                var at = 0;
                foreach (var (_, state) in _parts)
                {
                    state.State = value.Range(at, state.State.Count);
                    at += state.State.Count;
                }
            }
        }

        public void SetParameters(ReadOnlySpan<T> phi)
        {
            foreach (var (part, state) in _parts)
                state.SetParameters(phi.Slice(part.Network * _networkElements, _networkElements));
        }

        public void Reset() => State.Span.Clear();

        public void Step(Tensor<T> theta, Tensor<T> gradient)
        {
            foreach (var (part, state) in _parts)
            {
                _gathered.Reset();
                var own = Gather(theta, part);
                state.Step(own, Gather(gradient, part));
                Copy(part, own.Span, theta.Span, gather: false);
            }
        }

        public void MetaGradient(in Unrolled<T> unrolled, Span<double> phiGradient)
        {
            phiGradient.Clear();
            var at = 0;
            foreach (var (part, state) in _parts)
            {
                _gathered.Reset();
                var own = unrolled with
                {
                    Gradients = Gather(unrolled.Gradients, unrolled.Steps, part),
                    Adjoints = Gather(unrolled.Adjoints, unrolled.Steps, part),
                    Theta = Gather(unrolled.Theta, unrolled.Forced ? unrolled.Steps : 1, part),
                    StartState = unrolled.StartState.Range(at, state.State.Count),
                };
                state.MetaGradient(own, phiGradient.Slice(part.Network * _networkElements, _networkElements));
                at += state.State.Count;
            }
        }

        Tensor<T> Gather(Tensor<T> all, Part part)
        {
            var own = _gathered.Take(new Shape(part.Layout.Count));
            Copy(part, own.Span, all.Span, gather: true);
            return own;
        }

        /// <summary>The first rows of [rows or more, N].</summary>
        Tensor<T> Gather(Tensor<T> all, int rows, Part part)
        {
            var (own, count) = (_gathered.Take(new Shape(rows, part.Layout.Count)), part.Layout.Count);
            for (var row = 0; row < rows; row++)
                Copy(part, own.Range(row * count, count).Span, all.Range(row * _coordinates, _coordinates).Span, gather: true);
            return own;
        }

        /// <summary>Between all coordinates and the part's, joined.</summary>
        void Copy(Part part, Span<T> joined, Span<T> all, bool gather)
        {
            for (; all.Length > 0; all = all[_perInstance..])
                foreach (var (from, count) in part.Runs)
                {
                    if (gather) all.Slice(from, count).CopyTo(joined);
                    else joined[..count].CopyTo(all.Slice(from, count));
                    joined = joined[count..];
                }
        }

        public void Dispose()
        {
            foreach (var (_, state) in _parts) state.Dispose();
            _arena.Dispose();
            _gathered.Dispose();
        }
    }
}

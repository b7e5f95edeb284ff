using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Reverse-mode differentiation. Every operation computes at once and, while <see cref="Recording"/> and if a source is on
/// the tape, notes itself as a node; <see cref="Gradient"/> walks the nodes backwards, using these same operations, so with
/// <c>createGraph</c> its result can be differentiated again. Nodes are structs in a growing array and results lie in an
/// arena: once warm, nothing is allocated. Not thread-safe.
/// </summary>
public sealed partial class Tape<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    Node[] _nodes = new Node[256];
    Tensor<T>[] _adjoints = new Tensor<T>[256];
    bool[] _reached = new bool[256];
    bool[] _own = new bool[256];
    int _count;
    readonly Arena<T> _arena;

    /// <param name="kernels">Computes everything; not owned.</param>
    public Tape(IKernels<T> kernels)
    {
        Kernels = kernels;
        _arena = kernels.NewArena();
    }

    /// <summary>The kernel set that computes.</summary>
    public IKernels<T> Kernels { get; }

    /// <summary>Nodes on the tape.</summary>
    public int Count => _count;

    /// <summary>While false, operations compute and leave no node: their results are constants.</summary>
    public bool Recording { get; set; } = true;

    /// <summary>Stops recording until the result is disposed.</summary>
    public Pause PauseRecording()
    {
        var pause = new Pause(this, Recording);
        Recording = false;
        return pause;
    }

    /// <summary>
    /// Drops all nodes and everything computed; <see cref="Variable"/>s keep their memory, which is not the tape's.
    /// </summary>
    public void Reset()
    {
        _count = 0;
        _arena.Reset();
    }

    /// <summary>A leaf: the same memory, with a place on the tape, so that gradients with respect to it exist.</summary>
    public Tensor<T> Variable(Tensor<T> value)
    {
        var recording = Recording;
        Recording = true;
        var leaf = Note(new Node { Op = Op.Leaf, Value = value }, true);
        Recording = recording;
        return leaf;
    }

    /// <summary>A copy of <paramref name="values"/>, no gradient.</summary>
    public Tensor<T> Constant(ReadOnlySpan<T> values, Shape shape) => values.Length == shape.Count
        ? _arena.Copy(values, shape)
        : throw new ArgumentException($"{values.Length} values do not fill {shape}; give {shape.Count}.");

    /// <summary>A copy of <paramref name="source"/>, no gradient.</summary>
    public Tensor<T> Copy(Tensor<T> source) => _arena.Copy(source);

    /// <summary>Zeros, no gradient.</summary>
    public Tensor<T> Zeros(Shape shape) => _arena.Zeros(shape);

    /// <summary>Uninitialised memory that lives until <see cref="Reset"/>, no gradient.</summary>
    public Tensor<T> Scratch(Shape shape) => _arena.Take(shape);

    /// <summary>The same values as a constant; no copy.</summary>
    public Tensor<T> Detach(Tensor<T> x) => x.As(x.Shape);

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    /// <summary>
    /// d sum(loss) / d wrt for each of <paramref name="wrt"/>, which must be on the tape; zeros where it has no influence.
    /// The results live until <see cref="Reset"/>, are to be read only (two may share memory), and are constants unless
    /// <paramref name="createGraph"/>, which puts the backward pass on the tape.
    /// </summary>
    public void Gradient(Tensor<T> loss, ReadOnlySpan<Tensor<T>> wrt, Span<Tensor<T>> gradients, bool createGraph = false)
    {
        if (wrt.Length != gradients.Length)
            throw new ArgumentException($"{wrt.Length} tensors need as many gradients, not {gradients.Length}.");
        var recording = Recording;
        try
        {
            Recording = createGraph;
            Backward(loss, wrt);
            for (var i = 0; i < wrt.Length; i++)
            {
                var found = wrt[i].Node <= loss.Node && _reached[wrt[i].Node] && _adjoints[wrt[i].Node].Shape.Rank > 0;
                gradients[i] = found ? _adjoints[wrt[i].Node] : Zeros(wrt[i].Shape);
            }
        }
        finally
        {
            Recording = recording;
        }
    }

    void Backward(Tensor<T> loss, ReadOnlySpan<Tensor<T>> wrt)
    {
        var first = int.MaxValue;
        _reached.AsSpan(0, loss.Node + 1).Clear();
        foreach (var tensor in wrt)
        {
            if (tensor.Node < 0)
                throw new ArgumentException(
                    $"A tensor {tensor.Shape} is a constant; put it on the tape with Variable before it is used.");
            if (tensor.Node <= loss.Node) _reached[tensor.Node] = true;
            first = Math.Min(first, tensor.Node);
        }
        if (first > loss.Node) return;
        for (var i = first; i <= loss.Node; i++)
        {
            ref var node = ref _nodes[i];
            _reached[i] |= Reached(node.X) || Reached(node.Y) || Reached(node.Z);
            _adjoints[i] = default;
            _own[i] = false;
        }
        if (!_reached[loss.Node]) return;
        var one = _arena.Take(loss.Shape);
        Kernels.Fill(T.One, one);
        _adjoints[loss.Node] = one;
        for (var i = loss.Node; i >= first; i--)
        {
            if (_reached[i] && _adjoints[i].Shape.Rank > 0 && _nodes[i].Op != Op.Leaf) Propagate(_nodes[i], _adjoints[i]);
        }

        bool Reached(Tensor<T> source) => source.Node >= first && source.Shape.Rank > 0 && _reached[source.Node];
    }

    void Accumulate(Tensor<T> source, Tensor<T> contribution)
    {
        ref var adjoint = ref _adjoints[source.Node];
        adjoint = adjoint.Shape.Rank == 0 ? contribution : Add(adjoint, contribution);
        _own[source.Node] = false;
    }

    /// <summary>The adjoint so far, in memory that no other tensor shares.</summary>
    Tensor<T> OwnAdjoint(Tensor<T> source)
    {
        ref var adjoint = ref _adjoints[source.Node];
        if (!_own[source.Node]) adjoint = adjoint.Shape.Rank == 0 ? Zeros(source.Shape) : _arena.Copy(adjoint.As(source.Shape));
        _own[source.Node] = true;
        return adjoint;
    }

    bool Needs(Tensor<T> source) => source.Node >= 0 && source.Shape.Rank > 0 && _reached[source.Node];

    Tensor<T> Note(in Node node, bool differentiable)
    {
        if (!Recording || !differentiable) return node.Value.At(-1);
        if (_count == _nodes.Length)
        {
            Array.Resize(ref _nodes, 2 * _count);
            Array.Resize(ref _adjoints, 2 * _count);
            Array.Resize(ref _reached, 2 * _count);
            Array.Resize(ref _own, 2 * _count);
        }
        _nodes[_count] = node;
        return _nodes[_count].Value = node.Value.At(_count++);
    }

    enum Op : byte
    {
        Leaf, Add, Subtract, Multiply, Divide, Select, Scale, AddScalar, Sigmoid, Tanh, Relu, Elu, Exp, Log, Sqrt, SinPi, CosPi,
        Square, Abs, Clamp, MatMul, Reshape, Transpose, SumAxis, Broadcast, Slice, Pad, Softmax, CrossEntropy,
        Im2Col, Col2Im, Convolve, ConvolveImages, ConvolveFilters, Gather, ScatterAdd, AddRow, MultiplyRow, SumProducts,
    }

    /// <summary>One operation: its sources, its arguments (scalars A, B; whole numbers I, J; a window) and its result.</summary>
    struct Node
    {
        public Op Op;
        public Tensor<T> X, Y, Z, Value;
        public T A, B;
        public int I, J;
        public Window Window;
    }

    /// <summary>See <see cref="PauseRecording"/>.</summary>
    public readonly ref struct Pause
    {
        readonly Tape<T> _tape;
        readonly bool _before;

        internal Pause(Tape<T> tape, bool before) => (_tape, _before) = (tape, before);

        /// <summary>Recording is as it was before.</summary>
        public void Dispose() => _tape.Recording = _before;
    }
}

namespace MetaOpt.Compute;

/// <content>The operations. Each returns a new tensor; wrong shapes are refused with both shapes in the message.</content>
public sealed partial class Tape<T>
{
    /// <summary>x + y, equal shapes.</summary>
    public Tensor<T> Add(Tensor<T> x, Tensor<T> y) => Zip(Op.Add, ZipOp.Add, x, y);

    /// <summary>x - y, equal shapes.</summary>
    public Tensor<T> Subtract(Tensor<T> x, Tensor<T> y) => Zip(Op.Subtract, ZipOp.Subtract, x, y);

    /// <summary>x y element by element, equal shapes.</summary>
    public Tensor<T> Multiply(Tensor<T> x, Tensor<T> y) => Zip(Op.Multiply, ZipOp.Multiply, x, y);

    /// <summary>x / y element by element, equal shapes.</summary>
    public Tensor<T> Divide(Tensor<T> x, Tensor<T> y) => Zip(Op.Divide, ZipOp.Divide, x, y);

    /// <summary>factor x.</summary>
    public Tensor<T> Scale(Tensor<T> x, T factor) => Map(Op.Scale, MapOp.Scale, x, factor);

    /// <summary>x + addend.</summary>
    public Tensor<T> AddScalar(Tensor<T> x, T addend) => Map(Op.AddScalar, MapOp.AddScalar, x, addend);

    /// <summary>-x.</summary>
    public Tensor<T> Negate(Tensor<T> x) => Scale(x, -T.One);

    /// <summary>1 / (1 + e^-x).</summary>
    public Tensor<T> Sigmoid(Tensor<T> x) => Map(Op.Sigmoid, MapOp.Sigmoid, x);

    /// <summary>Hyperbolic tangent.</summary>
    public Tensor<T> Tanh(Tensor<T> x) => Map(Op.Tanh, MapOp.Tanh, x);

    /// <summary>max(x, 0); the derivative at 0 is 0.</summary>
    public Tensor<T> Relu(Tensor<T> x) => Map(Op.Relu, MapOp.Relu, x);

    /// <summary>x > 0 ? x : e^x - 1.</summary>
    public Tensor<T> Elu(Tensor<T> x) => Map(Op.Elu, MapOp.Elu, x);

    /// <summary>e^x.</summary>
    public Tensor<T> Exp(Tensor<T> x) => Map(Op.Exp, MapOp.Exp, x);

    /// <summary>Natural logarithm.</summary>
    public Tensor<T> Log(Tensor<T> x) => Map(Op.Log, MapOp.Log, x);

    /// <summary>Square root.</summary>
    public Tensor<T> Sqrt(Tensor<T> x) => Map(Op.Sqrt, MapOp.Sqrt, x);

    /// <summary>sin(pi x); exact where x is whole, and as precise far from 0 as near it.</summary>
    public Tensor<T> SinPi(Tensor<T> x) => Map(Op.SinPi, MapOp.SinPi, x);

    /// <summary>cos(pi x).</summary>
    public Tensor<T> CosPi(Tensor<T> x) => Map(Op.CosPi, MapOp.CosPi, x);

    /// <summary>x x.</summary>
    public Tensor<T> Square(Tensor<T> x) => Map(Op.Square, MapOp.Square, x);

    /// <summary>|x|; the derivative at 0 is 0.</summary>
    public Tensor<T> Abs(Tensor<T> x) => Map(Op.Abs, MapOp.Abs, x);

    /// <summary>-1, 0 or 1: a constant.</summary>
    public Tensor<T> Sign(Tensor<T> x) => Constant(MapOp.Sign, x);

    /// <summary>min(max(x, low), high); the gradient flows where low &lt;= x &lt;= high.</summary>
    public Tensor<T> Clamp(Tensor<T> x, T low, T high) => Map(Op.Clamp, MapOp.Clamp, x, low, high);

    /// <summary>max(x, low).</summary>
    public Tensor<T> Maximum(Tensor<T> x, T low) => Clamp(x, low, T.PositiveInfinity);

    /// <summary>min(x, high).</summary>
    public Tensor<T> Minimum(Tensor<T> x, T high) => Clamp(x, T.NegativeInfinity, high);

    /// <summary>x >= y ? 1 : 0: a constant mask.</summary>
    public Tensor<T> GreaterEqual(Tensor<T> x, Tensor<T> y)
    {
        RequireEqual("GreaterEqual", x.Shape, y.Shape);
        var mask = _arena.Take(x.Shape);
        Kernels.Zip(ZipOp.GreaterEqual, x, y, mask);
        return mask;
    }

    /// <summary>x >= threshold ? 1 : 0: a constant mask.</summary>
    public Tensor<T> GreaterEqual(Tensor<T> x, T threshold) => Constant(MapOp.InRange, x, threshold, T.PositiveInfinity);

    /// <summary>mask is not 0 ? x : y, element by element; the branch not taken gets no gradient, whatever it holds.</summary>
    public Tensor<T> Where(Tensor<T> mask, Tensor<T> x, Tensor<T> y)
    {
        RequireEqual("Where", mask.Shape, x.Shape);
        RequireEqual("Where", x.Shape, y.Shape);
        var z = _arena.Take(x.Shape);
        Kernels.Select(mask, x, y, z);
        return Note(new Node { Op = Op.Select, X = x, Y = y, Z = Detach(mask), Value = z }, x.Node >= 0 || y.Node >= 0);
    }

    /// <summary>
    /// op(x) op(y), where op transposes the last two axes or does nothing; [M, K] by [K, N], or B of them side by side:
    /// [B, M, K] by [B, K, N].
    /// </summary>
    public Tensor<T> MatMul(Tensor<T> x, Tensor<T> y, bool transposeX = false, bool transposeY = false)
    {
        var rank = x.Shape.Rank;
        if (rank != y.Shape.Rank || rank is not (2 or 3) || (rank == 3 && x.Shape.D0 != y.Shape.D0)
            || x.Shape[transposeX ? rank - 2 : rank - 1] != y.Shape[transposeY ? rank - 1 : rank - 2])
        {
            throw Mismatch(
                $"MatMul(transposeX: {transposeX}, transposeY: {transposeY})", x.Shape, y.Shape,
                "two or three axes and equal inner sizes");
        }
        var sizes = new MatMulSizes(x.Shape, transposeX, y.Shape, transposeY);
        var z = _arena.Take(rank == 3 ? new Shape(sizes.Batch, sizes.M, sizes.N) : new Shape(sizes.M, sizes.N));
        Kernels.MatMul(x, transposeX, y, transposeY, z);
        var node = new Node { Op = Op.MatMul, X = x, Y = y, I = transposeX ? 1 : 0, J = transposeY ? 1 : 0, Value = z };
        return Note(node, x.Node >= 0 || y.Node >= 0);
    }

    /// <summary>The same memory with another shape of equal count.</summary>
    public Tensor<T> Reshape(Tensor<T> x, Shape shape) =>
        Note(new Node { Op = Op.Reshape, X = x, Value = x.As(shape) }, x.Node >= 0);

    /// <summary>The last two axes swapped.</summary>
    public Tensor<T> Transpose(Tensor<T> x)
    {
        var rank = x.Shape.Rank;
        if (rank is not (2 or 3)) throw new ArgumentException($"Transpose takes two or three axes, not {x.Shape}.");
        var y = _arena.Take(x.Shape.With(rank - 2, x.Shape[rank - 1]).With(rank - 1, x.Shape[rank - 2]));
        Kernels.Transpose(x, y);
        return Note(new Node { Op = Op.Transpose, X = x, Value = y }, x.Node >= 0);
    }

    /// <summary>The sum over <paramref name="axis"/>, which stays with size 1.</summary>
    public Tensor<T> SumAxis(Tensor<T> x, int axis)
    {
        RequireAxis("SumAxis", x.Shape, axis);
        var y = _arena.Take(x.Shape.With(axis, 1));
        Kernels.SumAxis(x, axis, y);
        return Note(new Node { Op = Op.SumAxis, X = x, I = axis, Value = y }, x.Node >= 0);
    }

    /// <summary>
    /// Repeats <paramref name="axis"/>, of size 1, <paramref name="size"/> times: the adjoint of <see cref="SumAxis"/>.
    /// </summary>
    public Tensor<T> Broadcast(Tensor<T> x, int axis, int size)
    {
        RequireAxis("Expand", x.Shape, axis);
        if (x.Shape[axis] != 1) throw Mismatch("Expand", x.Shape, x.Shape.With(axis, size), $"size 1 along axis {axis}");
        var y = _arena.Take(x.Shape.With(axis, size));
        Kernels.Broadcast(x, axis, y);
        return Note(new Node { Op = Op.Broadcast, X = x, I = axis, Value = y }, x.Node >= 0);
    }

    /// <summary>The sum of all elements, [1].</summary>
    public Tensor<T> Sum(Tensor<T> x) => SumAxis(Reshape(x, new Shape(x.Count)), 0);

    /// <summary>start .. start + count along <paramref name="axis"/>.</summary>
    public Tensor<T> Slice(Tensor<T> x, int axis, int start, int count)
    {
        RequireAxis("Slice", x.Shape, axis);
        if (start < 0 || count < 0 || start + count > x.Shape[axis])
            throw new ArgumentException($"Slice {start}..{start + count} lies outside axis {axis} of {x.Shape}.");
        var (outer, _, inner) = x.Shape.Around(axis);
        var shape = x.Shape.With(axis, count);
        // What lies in one piece needs no copy: nothing on the tape is written twice.
        var y = outer == 1 ? x.Range(start * inner, shape.Count).As(shape) : _arena.Take(shape);
        if (outer > 1) Kernels.Slice(x, axis, start, y);
        return Note(new Node { Op = Op.Slice, X = x, I = axis, J = start, Value = y }, x.Node >= 0);
    }

    /// <summary>
    /// x at <paramref name="before"/> in zeros of size <paramref name="total"/> along <paramref name="axis"/>: the adjoint of
    /// <see cref="Slice"/>.
    /// </summary>
    public Tensor<T> Pad(Tensor<T> x, int axis, int before, int total)
    {
        RequireAxis("Pad", x.Shape, axis);
        if (before < 0 || before + x.Shape[axis] > total)
            throw new ArgumentException($"Pad puts {x.Shape} at {before} of {total} along axis {axis}; it does not fit.");
        var y = _arena.Take(x.Shape.With(axis, total));
        Kernels.Pad(x, axis, before, y);
        return Note(new Node { Op = Op.Pad, X = x, I = axis, J = before, Value = y }, x.Node >= 0);
    }

    /// <summary>x, then y, along <paramref name="axis"/>; the other sizes are equal.</summary>
    public Tensor<T> Concat(Tensor<T> x, Tensor<T> y, int axis)
    {
        RequireAxis("Concat", x.Shape, axis);
        if (x.Shape.Rank != y.Shape.Rank || x.Shape.With(axis, 1) != y.Shape.With(axis, 1))
            throw Mismatch("Concat", x.Shape, y.Shape, $"equal sizes but along axis {axis}");
        var total = x.Shape[axis] + y.Shape[axis];
        return Add(Pad(x, axis, 0, total), Pad(y, axis, x.Shape[axis], total));
    }

    /// <summary>Each row of x [R, C] becomes a distribution: e^x / sum e^x.</summary>
    public Tensor<T> Softmax(Tensor<T> x)
    {
        if (x.Shape.Rank != 2) throw new ArgumentException($"Softmax takes [rows, columns], not {x.Shape}.");
        var y = _arena.Take(x.Shape);
        Kernels.Softmax(x, y);
        return Note(new Node { Op = Op.Softmax, X = x, Value = y }, x.Node >= 0);
    }

    /// <summary>-log softmax(logits)[label] of each row, [R]; labels [R] hold whole numbers 0 .. C - 1.</summary>
    public Tensor<T> SoftmaxCrossEntropy(Tensor<T> logits, Tensor<T> labels)
    {
        if (logits.Shape.Rank != 2 || labels.Shape != new Shape(logits.Shape.D0))
            throw Mismatch("SoftmaxCrossEntropy", logits.Shape, labels.Shape, "[R, C] and [R]");
        var loss = _arena.Take(labels.Shape);
        Kernels.SoftmaxCrossEntropy(logits, labels, loss);
        return Note(new Node { Op = Op.CrossEntropy, X = logits, Y = Detach(labels), Value = loss }, logits.Node >= 0);
    }

    Tensor<T> Map(Op op, MapOp map, Tensor<T> x, T a = default, T b = default)
    {
        var y = _arena.Take(x.Shape);
        Kernels.Map(map, x, a, b, y);
        return Note(new Node { Op = op, X = x, A = a, B = b, Value = y }, x.Node >= 0);
    }

    Tensor<T> Constant(MapOp map, Tensor<T> x, T a = default, T b = default)
    {
        var y = _arena.Take(x.Shape);
        Kernels.Map(map, x, a, b, y);
        return y;
    }

    Tensor<T> Zip(Op op, ZipOp zip, Tensor<T> x, Tensor<T> y)
    {
        if (x.Shape != y.Shape) throw Mismatch(op.ToString(), x.Shape, y.Shape, "equal shapes");
        var z = _arena.Take(x.Shape);
        Kernels.Zip(zip, x, y, z);
        return Note(new Node { Op = op, X = x, Y = y, Value = z }, x.Node >= 0 || y.Node >= 0);
    }

    static void RequireEqual(string operation, Shape x, Shape y)
    {
        if (x != y) throw Mismatch(operation, x, y, "equal shapes");
    }

    static void RequireAxis(string operation, Shape x, int axis)
    {
        if (axis < 0 || axis >= x.Rank)
            throw new ArgumentException($"{operation}: {x} has no axis {axis}; give 0..{x.Rank - 1}.");
    }

    static ArgumentException Mismatch(string operation, Shape x, Shape y, string expected) =>
        new($"{operation} does not take {x} and {y}; it needs {expected}.");
}

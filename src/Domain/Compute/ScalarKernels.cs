using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Plain loops on one thread: the readable truth that faster kernel sets are compared with, and in double the reference of
/// every gradient test. Sums are accumulated in double.
/// </summary>
public partial class ScalarKernels<T> : IKernels<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <inheritdoc/>
    public virtual string Name => "scalar";

    /// <inheritdoc/>
    public virtual int VectorBits => System.Runtime.CompilerServices.Unsafe.SizeOf<T>() * 8;

    /// <inheritdoc/>
    public virtual int Threads => 1;

    /// <inheritdoc/>
    public virtual Arena<T> NewArena(long blockElements = 1 << 16) => new(blockElements);

    /// <inheritdoc/>
    public virtual void Run<TJob>(int chunks, TJob job) where TJob : struct, IChunkJob
    {
        for (var chunk = 0; chunk < chunks; chunk++) job.Run(chunk);
    }

    /// <inheritdoc/>
    public void Fill(T value, Tensor<T> y) => y.Span.Fill(value);

    /// <inheritdoc/>
    public virtual void Map(MapOp op, Tensor<T> x, T a, T b, Tensor<T> y)
    {
        var source = x.Span;
        var destination = y.Span;
        for (var i = 0; i < source.Length; i++)
        {
            var v = source[i];
            destination[i] = op switch
            {
                MapOp.Scale => a * v,
                MapOp.AddScalar => v + a,
                MapOp.Sigmoid => v >= T.Zero ? T.One / (T.One + T.Exp(-v)) : T.Exp(v) / (T.One + T.Exp(v)),
                MapOp.Tanh => T.Tanh(v),
                MapOp.Relu => T.Max(v, T.Zero),
                MapOp.Positive => v > T.Zero ? T.One : T.Zero,
                MapOp.Elu => v > T.Zero ? v : ExpMinusOne(v),
                MapOp.Exp => T.Exp(v),
                MapOp.Log => T.Log(v),
                MapOp.Sqrt => T.Sqrt(v),
                MapOp.SinPi => T.SinPi(v),
                MapOp.CosPi => T.CosPi(v),
                MapOp.Square => v * v,
                MapOp.Abs => T.Abs(v),
                MapOp.Sign => v > T.Zero ? T.One : v < T.Zero ? -T.One : T.Zero,
                MapOp.Clamp => T.Min(T.Max(v, a), b),
                MapOp.InRange => v >= a && v <= b ? T.One : T.Zero,
                _ => throw new ArgumentOutOfRangeException(nameof(op), op, "is not a MapOp."),
            };
        }
    }

    /// <inheritdoc/>
    public virtual void Zip(ZipOp op, Tensor<T> x, Tensor<T> y, Tensor<T> z)
    {
        var left = x.Span;
        var right = y.Span;
        var destination = z.Span;
        for (var i = 0; i < left.Length; i++)
        {
            var (a, b) = (left[i], right[i]);
            destination[i] = op switch
            {
                ZipOp.Add => a + b,
                ZipOp.Subtract => a - b,
                ZipOp.Multiply => a * b,
                ZipOp.Divide => a / b,
                ZipOp.GreaterEqual => a >= b ? T.One : T.Zero,
                _ => throw new ArgumentOutOfRangeException(nameof(op), op, "is not a ZipOp."),
            };
        }
    }

    /// <inheritdoc/>
    public virtual void Select(Tensor<T> mask, Tensor<T> x, Tensor<T> y, Tensor<T> z)
    {
        var destination = z.Span;
        for (var i = 0; i < destination.Length; i++) destination[i] = T.IsZero(mask.Span[i]) ? y.Span[i] : x.Span[i];
    }

    /// <inheritdoc/>
    public virtual void MatMul(Tensor<T> x, bool transposeX, Tensor<T> y, bool transposeY, Tensor<T> z)
    {
        var sizes = new MatMulSizes(x.Shape, transposeX, y.Shape, transposeY);
        for (var batch = 0; batch < sizes.Batch; batch++)
        {
            var a = x.Span.Slice(batch * sizes.M * sizes.K, sizes.M * sizes.K);
            var b = y.Span.Slice(batch * sizes.K * sizes.N, sizes.K * sizes.N);
            var c = z.Span.Slice(batch * sizes.M * sizes.N, sizes.M * sizes.N);
            for (var m = 0; m < sizes.M; m++)
            {
                for (var n = 0; n < sizes.N; n++)
                {
                    var sum = 0.0;
                    for (var k = 0; k < sizes.K; k++)
                    {
                        sum += double.CreateTruncating(a[transposeX ? k * sizes.M + m : m * sizes.K + k])
                            * double.CreateTruncating(b[transposeY ? n * sizes.K + k : k * sizes.N + n]);
                    }
                    c[m * sizes.N + n] = T.CreateTruncating(sum);
                }
            }
        }
    }

    /// <inheritdoc/>
    public virtual void Transpose(Tensor<T> x, Tensor<T> y)
    {
        var (rows, columns) = (x.Shape[x.Shape.Rank - 2], x.Shape[x.Shape.Rank - 1]);
        var source = x.Span;
        var destination = y.Span;
        for (var start = 0; start < source.Length; start += rows * columns)
        {
            for (var r = 0; r < rows; r++)
                for (var c = 0; c < columns; c++)
                    destination[start + c * rows + r] = source[start + r * columns + c];
        }
    }

    /// <inheritdoc/>
    public virtual void SumAxis(Tensor<T> x, int axis, Tensor<T> y)
    {
        var (outer, size, inner) = x.Shape.Around(axis);
        var source = x.Span;
        var destination = y.Span;
        for (var o = 0; o < outer; o++)
        {
            for (var i = 0; i < inner; i++)
            {
                var sum = 0.0;
                for (var k = 0; k < size; k++) sum += double.CreateTruncating(source[(o * size + k) * inner + i]);
                destination[o * inner + i] = T.CreateTruncating(sum);
            }
        }
    }

    /// <inheritdoc/>
    public void Broadcast(Tensor<T> x, int axis, Tensor<T> y)
    {
        var (outer, size, inner) = y.Shape.Around(axis);
        for (var o = 0; o < outer; o++)
        {
            var row = x.Span.Slice(o * inner, inner);
            if (inner == 1) y.Span.Slice(o * size, size).Fill(row[0]);
            else for (var k = 0; k < size; k++) row.CopyTo(y.Span[((o * size + k) * inner)..]);
        }
    }

    /// <inheritdoc/>
    public void Slice(Tensor<T> x, int axis, int start, Tensor<T> y)
    {
        var (outer, size, inner) = x.Shape.Around(axis);
        var count = y.Shape[axis] * inner;
        for (var o = 0; o < outer; o++)
            x.Span.Slice((o * size + start) * inner, count).CopyTo(y.Span[(o * count)..]);
    }

    /// <inheritdoc/>
    public void Pad(Tensor<T> x, int axis, int before, Tensor<T> y)
    {
        var (outer, size, inner) = y.Shape.Around(axis);
        var count = x.Shape[axis] * inner;
        for (var o = 0; o < outer; o++)
        {
            var row = y.Span.Slice(o * size * inner, size * inner);
            row[..(before * inner)].Clear();
            x.Span.Slice(o * count, count).CopyTo(row[(before * inner)..]);
            row[(before * inner + count)..].Clear();
        }
    }

    /// <inheritdoc/>
    public virtual void Softmax(Tensor<T> x, Tensor<T> y)
    {
        var columns = x.Shape.D1;
        for (var r = 0; r < x.Shape.D0; r++)
        {
            var source = x.Span.Slice(r * columns, columns);
            var destination = y.Span.Slice(r * columns, columns);
            var (max, sum) = (Largest(source), 0.0);
            for (var c = 0; c < columns; c++) sum += double.CreateTruncating(destination[c] = T.Exp(source[c] - max));
            for (var c = 0; c < columns; c++) destination[c] /= T.CreateTruncating(sum);
        }
    }

    /// <inheritdoc/>
    public virtual void SoftmaxCrossEntropy(Tensor<T> x, Tensor<T> labels, Tensor<T> loss)
    {
        var columns = x.Shape.D1;
        for (var r = 0; r < x.Shape.D0; r++)
        {
            var row = x.Span.Slice(r * columns, columns);
            var (max, sum) = (Largest(row), 0.0);
            foreach (var value in row) sum += double.CreateTruncating(T.Exp(value - max));
            loss.Span[r] = T.CreateTruncating(Math.Log(sum)) + max - row[int.CreateTruncating(labels.Span[r])];
        }
    }

    /// <inheritdoc/>
    public void OneHot(Tensor<T> labels, Tensor<T> y)
    {
        y.Span.Clear();
        for (var r = 0; r < labels.Count; r++) y.Span[r * y.Shape.D1 + int.CreateTruncating(labels.Span[r])] = T.One;
    }

    /// <inheritdoc/>
    public virtual void GatherRows(byte[] source, int width, int[] rows, T scale, Tensor<T> y)
    {
        var destination = y.Span;
        for (var r = 0; r < y.Shape.D0; r++)
            for (var c = 0; c < width; c++)
                destination[r * width + c] = scale * T.CreateTruncating(source[rows[r] * width + c]);
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    static T Largest(ReadOnlySpan<T> values)
    {
        var max = T.NegativeInfinity;
        foreach (var value in values) max = T.Max(max, value);
        return max;
    }

    static T ExpMinusOne(T x)
    {
        var t = T.Tanh(x / T.CreateTruncating(2)); // no cancellation near 0
        return t * T.CreateTruncating(2) / (T.One - t);
    }
}

/// <summary>The sizes of a (batched) matrix product.</summary>
public readonly record struct MatMulSizes(int Batch, int M, int K, int N)
{
    /// <summary>Of two operands of rank 2 or 3 that fit each other.</summary>
    public MatMulSizes(Shape x, bool transposeX, Shape y, bool transposeY) : this(
        x.Rank == 3 ? x.D0 : 1,
        x[transposeX ? x.Rank - 1 : x.Rank - 2],
        x[transposeX ? x.Rank - 2 : x.Rank - 1],
        y[transposeY ? y.Rank - 2 : y.Rank - 1])
    { }
}

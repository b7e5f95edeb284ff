using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <content>Elementwise functions: one loop, the function is a type argument.</content>
public sealed unsafe partial class SimdKernels
{
    const int ElementsPerChunk = 32768;
    const int WidestLanes = 16;

    /// <inheritdoc/>
    public override void Map(MapOp op, Tensor<float> x, float a, float b, Tensor<float> y)
    {
        switch (op)
        {
            case MapOp.Scale: Map<Scale>(x, a, b, y); break;
            case MapOp.AddScalar: Map<AddScalar>(x, a, b, y); break;
            case MapOp.Sigmoid: Map<Sigmoid>(x, a, b, y); break;
            case MapOp.Tanh: Map<Tanh>(x, a, b, y); break;
            case MapOp.Relu: Map<Relu>(x, a, b, y); break;
            case MapOp.Positive: Map<Positive>(x, a, b, y); break;
            case MapOp.Elu: Map<Elu>(x, a, b, y); break;
            case MapOp.Exp: Map<Exp>(x, a, b, y); break;
            case MapOp.Log: Map<Log>(x, a, b, y); break;
            case MapOp.Sqrt: Map<Sqrt>(x, a, b, y); break;
            case MapOp.SinPi: Map<SinPi>(x, a, b, y); break;
            case MapOp.CosPi: Map<CosPi>(x, a, b, y); break;
            case MapOp.Square: Map<Square>(x, a, b, y); break;
            case MapOp.Abs: Map<Abs>(x, a, b, y); break;
            case MapOp.Sign: Map<Sign>(x, a, b, y); break;
            case MapOp.Clamp: Map<Clamp>(x, a, b, y); break;
            case MapOp.InRange: Map<InRange>(x, a, b, y); break;
            default: throw new ArgumentOutOfRangeException(nameof(op), op, "is not a MapOp.");
        }
    }

    /// <inheritdoc/>
    public override void Zip(ZipOp op, Tensor<float> x, Tensor<float> y, Tensor<float> z)
    {
        switch (op)
        {
            case ZipOp.Add: Zip<Add>(x, y, x, z); break;
            case ZipOp.Subtract: Zip<Subtract>(x, y, x, z); break;
            case ZipOp.Multiply: Zip<Multiply>(x, y, x, z); break;
            case ZipOp.Divide: Zip<Divide>(x, y, x, z); break;
            case ZipOp.GreaterEqual: Zip<GreaterEqual>(x, y, x, z); break;
            default: throw new ArgumentOutOfRangeException(nameof(op), op, "is not a ZipOp.");
        }
    }

    /// <inheritdoc/>
    public override void Select(Tensor<float> mask, Tensor<float> x, Tensor<float> y, Tensor<float> z) =>
        Zip<Choose>(x, y, mask, z);

    void Map<F>(Tensor<float> x, float a, float b, Tensor<float> y) where F : struct, IMapFunction =>
        RunWide(Ceiling(x.Count, ElementsPerChunk), new MapJob<F>(x.Data, a, b, y.Data, x.Count));

    void Zip<F>(Tensor<float> x, Tensor<float> y, Tensor<float> mask, Tensor<float> z) where F : struct, IZipFunction =>
        RunWide(Ceiling(x.Count, ElementsPerChunk), new ZipJob<F>(x.Data, y.Data, mask.Data, z.Data, x.Count));

    readonly struct MapJob<F>(float* x, float a, float b, float* y, int count) : IWideJob where F : struct, IMapFunction
    {
        [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var i = chunk * ElementsPerChunk;
            var end = Math.Min(count, i + ElementsPerChunk);
            var (va, vb) = (O.Broadcast(a), O.Broadcast(b));
            for (; i <= end - O.Width; i += O.Width) O.Store(y + i, F.Apply<V, O>(O.Load(x + i), va, vb));
            if (i == end) return;
            var rest = stackalloc float[WidestLanes];
            O.Store(rest, F.Apply<V, O>(O.Load(x + i), va, vb));
            new Span<float>(rest, end - i).CopyTo(new Span<float>(y + i, end - i));
        }
    }

    readonly struct ZipJob<F>(float* x, float* y, float* mask, float* z, int count) : IWideJob where F : struct, IZipFunction
    {
        [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var i = chunk * ElementsPerChunk;
            var end = Math.Min(count, i + ElementsPerChunk);
            for (; i <= end - O.Width; i += O.Width)
                O.Store(z + i, F.Apply<V, O>(O.Load(x + i), O.Load(y + i), O.Load(mask + i)));
            if (i == end) return;
            var rest = stackalloc float[WidestLanes];
            O.Store(rest, F.Apply<V, O>(O.Load(x + i), O.Load(y + i), O.Load(mask + i)));
            new Span<float>(rest, end - i).CopyTo(new Span<float>(z + i, end - i));
        }
    }

    interface IMapFunction
    {
        static abstract V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float>;
    }

    interface IZipFunction
    {
        static abstract V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float>;
    }

    struct Scale : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Multiply(x, a);
    }

    struct AddScalar : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Add(x, a);
    }

    struct Sigmoid : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Sigmoid(x);
    }

    struct Tanh : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Tanh(x);
    }

    struct Relu : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Max(x, O.Zero);
    }

    struct Positive : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> =>
            O.SelectGreaterEqual(x, Tiny<V, O>(), O.Constant(1), O.Zero);
    }

    struct Exp : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Exp(x);
    }

    struct Log : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Log(x);
    }

    struct Sqrt : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Sqrt(x);
    }

    struct Square : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Multiply(x, x);
    }

    struct Abs : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Abs(x);
    }

    struct Sign : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> =>
            O.SelectGreaterEqual(x, Tiny<V, O>(), O.Constant(1),
            O.SelectGreaterEqual(O.Negate(Tiny<V, O>()), x, O.Constant(-1), O.Zero));
    }

    struct Clamp : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> => O.Min(O.Max(x, a), b);
    }

    struct InRange : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> =>
            O.SelectGreaterEqual(x, a, O.SelectGreaterEqual(b, x, O.Constant(1), O.Zero), O.Zero);
    }

    struct Add : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> => O.Add(x, y);
    }

    struct Subtract : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> => O.Subtract(x, y);
    }

    struct Multiply : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> => O.Multiply(x, y);
    }

    struct Divide : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> => O.Divide(x, y);
    }

    struct GreaterEqual : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> =>
            O.SelectGreaterEqual(x, y, O.Constant(1), O.Zero);
    }

    struct Choose : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> =>
            O.SelectGreaterEqual(O.Negate(O.Abs(mask)), O.Zero, y, x);
    }

    struct Elu : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float>
        {
            var t = O.Tanh(O.Multiply(x, O.Constant(0.5))); // e^x - 1 = 2t / (1 - t): no cancellation near 0
            return O.SelectGreaterEqual(x, Tiny<V, O>(), x, O.Divide(O.Add(t, t), O.Subtract(O.Constant(1), t)));
        }
    }

    /// <summary>The smallest positive float: x >= it means x > 0.</summary>
    static V Tiny<V, O>() where V : struct where O : IVectorOps<V, float> => O.Broadcast(float.Epsilon);
}

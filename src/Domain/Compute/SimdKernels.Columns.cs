using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <content>Sums over rows, and one row that meets all: channels side by side in the lanes.</content>
public sealed unsafe partial class SimdKernels
{
    /// <inheritdoc/>
    public override void ZipRow(ZipOp op, Tensor<float> x, Tensor<float> row, Tensor<float> y)
    {
        switch (op)
        {
            case ZipOp.Add: ZipRow<Add>(x, row, y); break;
            case ZipOp.Subtract: ZipRow<Subtract>(x, row, y); break;
            case ZipOp.Multiply: ZipRow<Multiply>(x, row, y); break;
            case ZipOp.Divide: ZipRow<Divide>(x, row, y); break;
            case ZipOp.GreaterEqual: ZipRow<GreaterEqual>(x, row, y); break;
            default: throw new ArgumentOutOfRangeException(nameof(op), op, "is not a ZipOp.");
        }
    }

    /// <inheritdoc/>
    public override void SumProducts(Tensor<float> x, Tensor<float> y, Tensor<float> z) =>
        SumColumns<Multiply>(x.Data, y.Data, x.Shape.D0, x.Shape.D1, x.Shape.D2, z.Data);

    void ZipRow<F>(Tensor<float> x, Tensor<float> row, Tensor<float> y) where F : struct, IZipFunction
    {
        var (rows, columns) = (x.Shape.D0 * x.Shape.D1, x.Shape.D2);
        var perChunk = Math.Max(1, ElementsPerChunk / Math.Max(1, columns));
        RunWide(Ceiling(rows, perChunk), new ZipRowJob<F>(x.Data, row.Data, y.Data, rows, x.Shape.D1, columns, perChunk));
    }

    /// <summary>
    /// z [outer, columns] = the sum over rows of F(x, y), both [outer, rows, columns]: blocks in float, their sums in double.
    /// </summary>
    void SumColumns<F>(float* x, float* y, int outer, int rows, int columns, float* z) where F : struct, IZipFunction
    {
        var sizes = new Columns(outer, rows, columns);
        var parts = Scratch<double>.Start().Take(new Shape(sizes.Outer * sizes.Blocks * columns));
        RunWide(sizes.Chunks, new SumColumnsJob<F>(x, y, sizes, parts.Data));
        for (var o = 0; o < outer; o++)
        {
            for (var c = 0; c < columns; c++)
            {
                var sum = 0.0;
                for (var block = 0; block < sizes.Blocks; block++)
                    sum += parts.Data[((long)o * sizes.Blocks + block) * columns + c];
                z[o * columns + c] = (float)sum;
            }
        }
    }

    /// <summary>How the rows of [outer, rows, columns] are cut.</summary>
    readonly record struct Columns(int Outer, int Rows, int Count)
    {
        const int RowsPerBlock = 512;

        public int Blocks => Ceiling(Rows, RowsPerBlock);

        int BlocksPerChunk => Math.Max(1, ElementsPerChunk / Math.Max(1, Math.Min(Rows, RowsPerBlock) * Count));

        public int Chunks => Ceiling((long)Outer * Blocks, BlocksPerChunk);

        public (int First, int End) Of(int chunk) =>
            (chunk * BlocksPerChunk, (int)Math.Min((long)Outer * Blocks, (long)(chunk + 1) * BlocksPerChunk));

        public (int First, int End) RowsOf(int block) => (block * RowsPerBlock, Math.Min(Rows, (block + 1) * RowsPerBlock));
    }

    readonly struct SumColumnsJob<F>(float* x, float* y, Columns sizes, double* parts) : IWideJob where F : struct, IZipFunction
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var (first, end) = sizes.Of(chunk);
            for (var block = first; block < end; block++)
            {
                var (row, endRow) = sizes.RowsOf(block % sizes.Blocks);
                var start = ((long)(block / sizes.Blocks) * sizes.Rows + row) * sizes.Count;
                Block<V, O>(x + start, y + start, endRow - row, parts + (long)block * sizes.Count);
            }
        }

        /// <summary>Two vectors of columns at a time, even and odd rows apart, so that four sums are under way.</summary>
        [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Block<V, O>(float* a, float* b, int rows, double* sums) where V : struct where O : IVectorOps<V, float>
        {
            var lanes = stackalloc float[2 * WidestLanes];
            for (var column = 0; column < sizes.Count; column += 2 * O.Width, a += 2 * O.Width, b += 2 * O.Width)
            {
                V even0 = O.Zero, even1 = O.Zero, odd0 = O.Zero, odd1 = O.Zero;
                var (i, last) = (0L, (long)(rows - 1) * sizes.Count);
                for (; i < last; i += 2 * sizes.Count)
                {
                    var j = i + sizes.Count;
                    even0 = O.Add(even0, F.Apply<V, O>(O.Load(a + i), O.Load(b + i), even0));
                    even1 = O.Add(even1, F.Apply<V, O>(O.Load(a + i + O.Width), O.Load(b + i + O.Width), even1));
                    odd0 = O.Add(odd0, F.Apply<V, O>(O.Load(a + j), O.Load(b + j), odd0));
                    odd1 = O.Add(odd1, F.Apply<V, O>(O.Load(a + j + O.Width), O.Load(b + j + O.Width), odd1));
                }
                if (i == last)
                {
                    even0 = O.Add(even0, F.Apply<V, O>(O.Load(a + i), O.Load(b + i), even0));
                    even1 = O.Add(even1, F.Apply<V, O>(O.Load(a + i + O.Width), O.Load(b + i + O.Width), even1));
                }
                O.Store(lanes, O.Add(even0, odd0));
                O.Store(lanes + O.Width, O.Add(even1, odd1));
                for (var c = 0; c < Math.Min(2 * O.Width, sizes.Count - column); c++) sums[column + c] = lanes[c];
            }
        }
    }

    readonly struct ZipRowJob<F>(float* x, float* row, float* y, int rows, int perRow, int columns, int perChunk) : IWideJob
        where F : struct, IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            for (var r = chunk * perChunk; r < Math.Min(rows, (chunk + 1) * perChunk); r++)
            {
                float* a = x + (long)r * columns, b = row + (long)(r / perRow) * columns, c = y + (long)r * columns;
                var i = 0;
                for (; i <= columns - O.Width; i += O.Width) O.Store(c + i, F.Apply<V, O>(O.Load(a + i), O.Load(b + i), O.Zero));
                if (i < columns) Put<V, O>(c + i, columns - i, F.Apply<V, O>(O.Load(a + i), O.Load(b + i), O.Zero));
            }
        }
    }

    /// <summary>x alone: a sum of products with nothing.</summary>
    struct First : IZipFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V y, V mask) where V : struct where O : IVectorOps<V, float> => x;
    }
}

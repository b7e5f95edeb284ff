using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <content>
/// Matrix products: tiles of 4 rows by up to 3 vectors held in registers, the inner dimension in blocks that stay in the
/// first-level cache. The left operand is read by two strides, so its transpose costs nothing; a transposed right operand is
/// packed.
/// </content>
public sealed unsafe partial class SimdKernels
{
    const int ProductsPerChunk = 1 << 18;
    const int FewestRows = 16;
    const int FewestRowsWhenPacking = 64; // every chunk packs the right operand for itself
    const int InnerBlock = 256;
    const int TileRows = 4;
    const int TileVectors = 3;

    /// <inheritdoc/>
    public override void MatMul(Tensor<float> x, bool transposeX, Tensor<float> y, bool transposeY, Tensor<float> z)
    {
        var sizes = new MatMulSizes(x.Shape, transposeX, y.Shape, transposeY);
        if (sizes.Batch == 0 || sizes.M == 0 || sizes.N == 0) return;
        var products = Math.Max(1, (long)sizes.M * sizes.N * sizes.K);
        var fewestRows = transposeY ? FewestRowsWhenPacking : FewestRows;
        var parts = Math.Min(Ceiling(products, ProductsPerChunk), Ceiling(sizes.M, fewestRows));
        var rows = Ceiling(Ceiling(sizes.M, parts), TileRows) * TileRows;
        var units = new Units(sizes, rows, (int)Math.Max(1, ProductsPerChunk / products));
        if (sizes.N == 1) RunWide(units.Chunks, new MatVecJob(x.Data, transposeX, y.Data, z.Data, units));
        else RunWide(units.Chunks, new MatMulJob(x.Data, transposeX, y.Data, transposeY, z.Data, units));
    }

    /// <summary>
    /// How a batched product is cut: units of <paramref name="Rows"/> rows of one product, several units a chunk.
    /// </summary>
    readonly record struct Units(MatMulSizes Sizes, int Rows, int PerChunk)
    {
        public int PerProduct => Ceiling(Sizes.M, Rows);

        public int Chunks => Ceiling((long)Sizes.Batch * PerProduct, PerChunk);

        public (int First, int End) Of(int chunk) =>
            (chunk * PerChunk, (int)Math.Min((long)Sizes.Batch * PerProduct, (long)(chunk + 1) * PerChunk));
    }

    readonly struct MatMulJob(float* x, bool transposeX, float* y, bool transposeY, float* z, Units units,
        bool accumulate = false) : IWideJob
    {
        [SkipLocalsInit]
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var panel = stackalloc float[transposeY ? InnerBlock * TileVectors * O.Width : 1];
            var (first, end) = units.Of(chunk);
            for (var unit = first; unit < end; unit++)
            {
                var batch = unit / units.PerProduct;
                var row = unit % units.PerProduct * units.Rows;
                Rows<V, O>(batch, row, Math.Min(units.Sizes.M, row + units.Rows), panel);
            }
        }

        void Rows<V, O>(int batch, int firstRow, int endRow, float* panel) where V : struct where O : IVectorOps<V, float>
        {
            var (m, k, n) = (units.Sizes.M, units.Sizes.K, units.Sizes.N);
            var a = x + (long)batch * m * k;
            var b = y + (long)batch * k * n;
            var c = z + (long)batch * m * n;
            var (rowStride, innerStride) = transposeX ? (1, m) : (k, 1);
            if (k == 0 && !accumulate) new Span<float>(c + firstRow * n, (endRow - firstRow) * n).Clear();
            for (var inner = 0; inner < k; inner += InnerBlock)
            {
                var depth = Math.Min(InnerBlock, k - inner);
                for (var column = 0; column < n; column += TileVectors * O.Width)
                {
                    var width = Math.Min(TileVectors * O.Width, n - column);
                    var right = transposeY
                        ? Pack(b + (long)column * k + inner, k, width, depth, TileVectors * O.Width, panel)
                        : b + (long)inner * n + column;
                    var rightStride = transposeY ? TileVectors * O.Width : n;
                    for (var row = firstRow; row < endRow; row += TileRows)
                    {
                        var left = new Left(a + (long)row * rowStride + (long)inner * innerStride, rowStride, innerStride);
                        var target = new Target(c + (long)row * n + column, n, Math.Min(TileRows, endRow - row), width,
                            accumulate || inner > 0);
                        if (width > 2 * O.Width) Tile<V, O, Three>(left, right, rightStride, depth, target);
                        else if (width > O.Width) Tile<V, O, Two>(left, right, rightStride, depth, target);
                        else Tile<V, O, One>(left, right, rightStride, depth, target);
                    }
                }
            }
        }

        /// <summary>panel [depth, panelWidth] = the transpose of width rows of y.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static float* Pack(float* source, int sourceStride, int width, int depth, int panelWidth, float* panel)
        {
            for (var column = 0; column < width; column++)
                for (var i = 0; i < depth; i++)
                    panel[i * panelWidth + column] = source[(long)column * sourceStride + i];
            return panel;
        }
    }

    /// <summary>Four rows of the left operand, starting at one element.</summary>
    readonly record struct Left(nint Address, int RowStride, int InnerStride)
    {
        public Left(float* address, int rowStride, int innerStride) : this((nint)address, rowStride, innerStride) { }
    }

    /// <summary>
    /// Where a tile goes, how much of it is inside, and whether it adds to what an earlier block of the inner dimension left.
    /// </summary>
    readonly record struct Target(nint Address, int Stride, int Rows, int Width, bool Accumulate)
    {
        public Target(float* address, int stride, int rows, int width, bool accumulate)
            : this((nint)address, stride, rows, width, accumulate) { }
    }

    interface IVectors
    {
        static abstract int Count { get; }
    }

    struct One : IVectors { public static int Count => 1; }

    struct Two : IVectors { public static int Count => 2; }

    struct Three : IVectors { public static int Count => 3; }

    /// <summary>
    /// A tile of 4 rows by C.Count vectors. Where it does not fit, rows that do not exist repeat the first one, and the tile is
    /// computed aside and what exists of it copied.
    /// </summary>
    [SkipLocalsInit]
    static void Tile<V, O, C>(Left left, float* b, int strideB, int depth, Target target)
        where V : struct where O : IVectorOps<V, float> where C : struct, IVectors
    {
        var width = C.Count * O.Width;
        var c = (float*)target.Address;
        if (target.Rows == TileRows && target.Width == width)
        {
            if (!target.Accumulate) Clear<V, O, C>(c, target.Stride);
            Products<V, O, C>(left, TileRows, b, strideB, depth, c, target.Stride);
            return;
        }
        var aside = stackalloc float[TileRows * TileVectors * WidestLanes];
        Clear<V, O, C>(aside, width);
        Products<V, O, C>(left, target.Rows, b, strideB, depth, aside, width);
        for (var row = 0; row < target.Rows; row++, c += target.Stride, aside += width)
            for (var column = 0; column < target.Width; column++)
                c[column] = target.Accumulate ? c[column] + aside[column] : aside[column];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Clear<V, O, C>(float* c, int stride) where V : struct where O : IVectorOps<V, float> where C : struct, IVectors
    {
        for (var row = 0; row < TileRows; row++, c += stride)
            for (var vector = 0; vector < C.Count; vector++) O.Store(c + vector * O.Width, O.Zero);
    }

    /// <summary>
    /// c += a b. Nothing but the loop and plain loads and stores around it: with more in one method the compiler keeps the sums
    /// in memory. Full speed from the first call, as short runs never see tier 1.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Products<V, O, C>(Left left, int rows, float* b, int strideB, int depth, float* c, int strideC)
        where V : struct where O : IVectorOps<V, float> where C : struct, IVectors
    {
        var a0 = (float*)left.Address;
        var a1 = rows > 1 ? a0 + left.RowStride : a0;
        var a2 = rows > 2 ? a0 + 2L * left.RowStride : a0;
        var a3 = rows > 3 ? a0 + 3L * left.RowStride : a0;
        float* c1 = c + strideC, c2 = c1 + strideC, c3 = c2 + strideC;
        V c00 = At<V, O, C>(c, 0), c01 = At<V, O, C>(c, 1), c02 = At<V, O, C>(c, 2);
        V c10 = At<V, O, C>(c1, 0), c11 = At<V, O, C>(c1, 1), c12 = At<V, O, C>(c1, 2);
        V c20 = At<V, O, C>(c2, 0), c21 = At<V, O, C>(c2, 1), c22 = At<V, O, C>(c2, 2);
        V c30 = At<V, O, C>(c3, 0), c31 = At<V, O, C>(c3, 1), c32 = At<V, O, C>(c3, 2);
        nint offset = 0;
        for (var i = 0; i < depth; i++, offset += left.InnerStride, b += strideB)
        {
            var b0 = O.Load(b);
            var b1 = C.Count > 1 ? O.Load(b + O.Width) : b0;
            var b2 = C.Count > 2 ? O.Load(b + 2 * O.Width) : b0;
            var x = O.Broadcast(a0[offset]);
            c00 = O.FusedMultiplyAdd(x, b0, c00);
            if (C.Count > 1) c01 = O.FusedMultiplyAdd(x, b1, c01);
            if (C.Count > 2) c02 = O.FusedMultiplyAdd(x, b2, c02);
            x = O.Broadcast(a1[offset]);
            c10 = O.FusedMultiplyAdd(x, b0, c10);
            if (C.Count > 1) c11 = O.FusedMultiplyAdd(x, b1, c11);
            if (C.Count > 2) c12 = O.FusedMultiplyAdd(x, b2, c12);
            x = O.Broadcast(a2[offset]);
            c20 = O.FusedMultiplyAdd(x, b0, c20);
            if (C.Count > 1) c21 = O.FusedMultiplyAdd(x, b1, c21);
            if (C.Count > 2) c22 = O.FusedMultiplyAdd(x, b2, c22);
            x = O.Broadcast(a3[offset]);
            c30 = O.FusedMultiplyAdd(x, b0, c30);
            if (C.Count > 1) c31 = O.FusedMultiplyAdd(x, b1, c31);
            if (C.Count > 2) c32 = O.FusedMultiplyAdd(x, b2, c32);
        }
        StoreRow<V, O, C>(c, c00, c01, c02);
        StoreRow<V, O, C>(c1, c10, c11, c12);
        StoreRow<V, O, C>(c2, c20, c21, c22);
        StoreRow<V, O, C>(c3, c30, c31, c32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V At<V, O, C>(float* row, int vector) where V : struct where O : IVectorOps<V, float> where C : struct, IVectors =>
        vector < C.Count ? O.Load(row + vector * O.Width) : O.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreRow<V, O, C>(float* row, V v0, V v1, V v2) where V : struct where O : IVectorOps<V, float>
        where C : struct, IVectors
    {
        O.Store(row, v0);
        if (C.Count > 1) O.Store(row + O.Width, v1);
        if (C.Count > 2) O.Store(row + 2 * O.Width, v2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Put<V, O>(float* c, int lanes, V value) where V : struct where O : IVectorOps<V, float>
    {
        if (lanes >= O.Width) O.Store(c, value);
        else PutLanes<V, O>(c, lanes, value);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void PutLanes<V, O>(float* c, int lanes, V value) where V : struct where O : IVectorOps<V, float>
    {
        var all = stackalloc float[WidestLanes];
        O.Store(all, value);
        for (var lane = 0; lane < lanes; lane++) c[lane] = all[lane];
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MetaOpt.Compute;

/// <content>Sums, softmax and gathering: work that goes row by row.</content>
public sealed unsafe partial class SimdKernels
{
    const int SumBlock = 4096;
    const int LargestVectorisedRow = 1024;

    /// <inheritdoc/>
    public override void SumAxis(Tensor<float> x, int axis, Tensor<float> y)
    {
        var (outer, size, inner) = x.Shape.Around(axis);
        if (inner > 1)
        {
            SumColumns<First>(x.Data, x.Data, outer, size, inner, y.Data);
            return;
        }
        var perChunk = Math.Max(1, ElementsPerChunk / Math.Max(1, size));
        RunWide(Ceiling(outer, perChunk), new SumJob(x.Data, y.Data, outer, size, perChunk));
    }

    /// <inheritdoc/>
    public override void Softmax(Tensor<float> x, Tensor<float> y)
    {
        if (x.Shape.D1 is 0 or > LargestVectorisedRow) base.Softmax(x, y);
        else RunRows(new SoftmaxJob(x.Data, null, y.Data, x.Shape.D0, x.Shape.D1));
    }

    /// <inheritdoc/>
    public override void SoftmaxCrossEntropy(Tensor<float> x, Tensor<float> labels, Tensor<float> loss)
    {
        if (x.Shape.D1 is 0 or > LargestVectorisedRow) base.SoftmaxCrossEntropy(x, labels, loss);
        else RunRows(new SoftmaxJob(x.Data, labels.Data, loss.Data, x.Shape.D0, x.Shape.D1));
    }

    /// <inheritdoc/>
    public override void GatherRows(byte[] source, int width, int[] rows, float scale, Tensor<float> y)
    {
        var perChunk = Math.Max(1, ElementsPerChunk / Math.Max(1, width));
        Run(Ceiling(y.Shape.D0, perChunk), new GatherJob(source, width, rows, scale, y.Data, y.Shape.D0, perChunk));
    }

    void RunRows(SoftmaxJob job) => RunWide(Ceiling(job.Rows, SoftmaxJob.RowsPerChunk), job);

    readonly struct SumJob(float* x, float* y, int rows, int size, int perChunk) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            for (var r = chunk * perChunk; r < Math.Min(rows, (chunk + 1) * perChunk); r++)
                y[r] = Row<V, O>(x + (long)r * size, size);
        }

        /// <summary>Blocks in float lanes, block sums in double.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static float Row<V, O>(float* source, int count) where V : struct where O : IVectorOps<V, float>
        {
            var sum = 0.0;
            for (var start = 0; start < count; start += SumBlock)
            {
                var (lanes, i, end) = (O.Zero, start, Math.Min(count, start + SumBlock));
                for (; i <= end - O.Width; i += O.Width) lanes = O.Add(lanes, O.Load(source + i));
                var block = O.Sum(lanes);
                for (; i < end; i++) block += source[i];
                sum += block;
            }
            return (float)sum;
        }
    }

    /// <summary>
    /// As many rows as there are lanes side by side; without labels the softmax, with labels the cross-entropy.
    /// </summary>
    readonly struct SoftmaxJob(float* x, float* labels, float* y, int rows, int columns) : IWideJob
    {
        public const int RowsPerChunk = 256;

        public int Rows => rows;

        [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var lanes = stackalloc float[columns * O.Width]; // [columns, lanes]
            var ends = stackalloc float[WidestLanes];
            for (var row = chunk * RowsPerChunk; row < Math.Min(rows, (chunk + 1) * RowsPerChunk); row += O.Width)
            {
                var count = Math.Min(O.Width, rows - row);
                var max = Gather<V, O>(row, count, lanes);
                var sum = O.Zero;
                for (var c = 0; c < columns; c++)
                {
                    var e = O.Exp(O.Subtract(O.Load(lanes + c * O.Width), max));
                    sum = O.Add(sum, e);
                    O.Store(lanes + c * O.Width, e);
                }
                if (labels is null) Scatter<V, O>(row, count, lanes, sum);
                else
                {
                    O.Store(ends, O.Add(O.Log(sum), max));
                    for (var r = 0; r < count; r++) y[row + r] = ends[r] - x[(long)(row + r) * columns + (int)labels[row + r]];
                }
            }
        }

        /// <summary>Transposes rows into lanes; returns each row's maximum.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        V Gather<V, O>(int row, int count, float* lanes) where V : struct where O : IVectorOps<V, float>
        {
            for (var r = 0; r < O.Width; r++)
            {
                var source = x + (long)(row + Math.Min(r, count - 1)) * columns;
                for (var c = 0; c < columns; c++) lanes[c * O.Width + r] = source[c];
            }
            var max = O.Load(lanes);
            for (var c = 1; c < columns; c++) max = O.Max(max, O.Load(lanes + c * O.Width));
            return max;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Scatter<V, O>(int row, int count, float* lanes, V sum) where V : struct where O : IVectorOps<V, float>
        {
            for (var c = 0; c < columns; c++) O.Store(lanes + c * O.Width, O.Divide(O.Load(lanes + c * O.Width), sum));
            for (var r = 0; r < count; r++)
                for (var c = 0; c < columns; c++)
                    y[(long)(row + r) * columns + c] = lanes[c * O.Width + r];
        }
    }

    readonly struct GatherJob(byte[] source, int width, int[] rows, float scale, float* y, int count, int perChunk) : IChunkJob
    {
        public void Run(int chunk)
        {
            fixed (byte* bytes = source)
            {
                for (var r = chunk * perChunk; r < Math.Min(count, (chunk + 1) * perChunk); r++)
                    Row(bytes + (long)rows[r] * width, y + (long)r * width);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Row(byte* from, float* to)
        {
            var i = 0;
            if (Avx2.IsSupported)
            {
                for (; i <= width - 8; i += 8)
                    (Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(from + i)) * scale).Store(to + i);
            }
            for (; i < width; i++) to[i] = scale * from[i];
        }
    }
}

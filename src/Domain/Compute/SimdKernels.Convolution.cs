using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <content>Im2Col of images and pooling: runs of contiguous pixels, or channels side by side in the lanes.</content>
public sealed unsafe partial class SimdKernels
{
    /// <inheritdoc/>
    public override void Im2Col(Tensor<float> x, Window window, Tensor<float> y)
    {
        var strips = new Strips(x.Shape, window, (long)window.Across * window.Rows * window.Columns * x.Shape.D3);
        RunWide(strips.Chunks, new PatchesJob(x.Data, strips, y.Data));
    }

    /// <inheritdoc/>
    public override void Col2Im(Tensor<float> x, Window window, Tensor<float> y)
    {
        var perImage = (long)window.Places * window.Rows * window.Columns * y.Shape.D3;
        var images = (int)Math.Max(1, ElementsPerChunk / Math.Max(1, perImage));
        RunWide(Ceiling(y.Shape.D0, images), new FoldJob(x.Data, y.Shape, window, y.Data, images));
    }

    /// <inheritdoc/>
    public override void MaxPool(Tensor<float> x, Window window, Tensor<float> y, Tensor<float> positions)
    {
        var strips = new Strips(x.Shape, window, (long)window.Across * window.Rows * window.Columns * x.Shape.D3);
        RunWide(strips.Chunks, new MaxPoolJob(x.Data, strips, y.Data, positions.Data));
    }

    /// <inheritdoc/>
    public override void Gather(Tensor<float> x, Tensor<float> positions, Tensor<float> y)
    {
        if (y.Count == 0) return;
        var job = new ScatterJob(x.Data, x.Count / x.Shape.D0, positions.Data, y.Data, y.Count / x.Shape.D0, x.Shape.D0, false);
        Run(job.Chunks, job);
    }

    /// <inheritdoc/>
    public override void ScatterAdd(Tensor<float> x, Tensor<float> positions, Tensor<float> y)
    {
        if (y.Count == 0) return;
        var job = new ScatterJob(y.Data, y.Count / y.Shape.D0, positions.Data, x.Data, x.Count / y.Shape.D0, y.Shape.D0, true);
        Run(job.Chunks, job);
    }

    /// <summary>Places of a window side by side are a strip; a chunk is some strips.</summary>
    readonly struct Strips(Shape images, Window window, long elementsOfOne)
    {
        readonly int _perChunk = (int)Math.Max(1, ElementsPerChunk / Math.Max(1, elementsOfOne));

        public readonly Shape Images = images;
        public readonly Window Window = window;

        public int Chunks => Ceiling((long)Images.D0 * Window.Down, _perChunk);

        public (int First, int End) Of(int chunk) =>
            (chunk * _perChunk, Math.Min(Images.D0 * Window.Down, (chunk + 1) * _perChunk));
    }

    readonly struct PatchesJob(float* x, Strips strips, float* y) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var (images, window) = (strips.Images, strips.Window);
            var imageSize = (long)images.D1 * images.D2 * images.D3;
            var (first, end) = strips.Of(chunk);
            for (var strip = first; strip < end; strip++)
            {
                var size = (long)window.Across * window.Rows * window.Columns * images.D3;
                Strip<V, O>(x + strip / window.Down * imageSize, images, window, strip % window.Down, y + strip * size);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Strip<V, O>(float* image, Shape images, Window window, int i, float* patch)
            where V : struct where O : IVectorOps<V, float>
        {
            var (width, channels) = (images.D2, images.D3);
            var (top, firstRow, endRow) = window.InsideDown(i, images.D1);
            var line = window.Columns * channels;
            for (var j = 0; j < window.Across; j++)
            {
                var (left, firstColumn, endColumn) = window.InsideAcross(j, width);
                var (skip, count) = (firstColumn * channels, (endColumn - firstColumn) * channels);
                Clear<V, O>(patch, firstRow * line);
                var from = image + ((long)(top + firstRow) * width + left + firstColumn) * channels;
                var to = patch + firstRow * line;
                for (var row = firstRow; row < endRow; row++, from += width * channels, to += line)
                {
                    Clear<V, O>(to, skip);
                    Copy<V, O>(from, to + skip, count);
                    Clear<V, O>(to + skip + count, line - skip - count);
                }
                Clear<V, O>(to, (window.Rows - endRow) * line);
                patch += window.Rows * line;
            }
        }

        /// <summary>The last vector overlaps the one before it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Copy<V, O>(float* from, float* to, int count) where V : struct where O : IVectorOps<V, float>
        {
            if (count < O.Width)
            {
                for (var i = 0; i < count; i++) to[i] = from[i];
                return;
            }
            for (var i = 0; i < count - O.Width; i += O.Width) O.Store(to + i, O.Load(from + i));
            O.Store(to + count - O.Width, O.Load(from + count - O.Width));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Clear<V, O>(float* to, int count) where V : struct where O : IVectorOps<V, float>
        {
            if (count > 0) new Span<float>(to, count).Clear();
        }
    }

    /// <summary>A chunk has whole images, so no two add to the same pixel.</summary>
    readonly struct FoldJob(float* x, Shape images, Window window, float* y, int perChunk) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var imageSize = images.D1 * images.D2 * images.D3;
            var patchesSize = (long)window.Places * window.Rows * window.Columns * images.D3;
            for (var r = chunk * perChunk; r < Math.Min(images.D0, (chunk + 1) * perChunk); r++)
            {
                var image = y + (long)r * imageSize;
                new Span<float>(image, imageSize).Clear();
                for (var i = 0; i < window.Down; i++)
                    Strip<V, O>(x + r * patchesSize + i * (patchesSize / window.Down), images, window, i, image);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Strip<V, O>(float* patch, Shape images, Window window, int i, float* image)
            where V : struct where O : IVectorOps<V, float>
        {
            var (width, channels) = (images.D2, images.D3);
            var (top, firstRow, endRow) = window.InsideDown(i, images.D1);
            var line = window.Columns * channels;
            for (var j = 0; j < window.Across; j++, patch += window.Rows * line)
            {
                var (left, firstColumn, endColumn) = window.InsideAcross(j, width);
                var count = (endColumn - firstColumn) * channels;
                var from = patch + firstRow * line + firstColumn * channels;
                var to = image + ((long)(top + firstRow) * width + left + firstColumn) * channels;
                for (var row = firstRow; row < endRow; row++, from += line, to += width * channels)
                {
                    var c = 0;
                    for (; c <= count - O.Width; c += O.Width) O.Store(to + c, O.Add(O.Load(to + c), O.Load(from + c)));
                    for (; c < count; c++) to[c] += from[c];
                }
            }
        }
    }

    readonly struct MaxPoolJob(float* x, Strips strips, float* y, float* positions) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var (images, window) = (strips.Images, strips.Window);
            var (first, end) = strips.Of(chunk);
            for (var strip = first; strip < end; strip++)
            {
                var image = x + (long)(strip / window.Down) * images.D1 * images.D2 * images.D3;
                var (top, firstRow, endRow) = window.InsideDown(strip % window.Down, images.D1);
                for (var j = 0; j < window.Across; j++)
                {
                    var (left, firstColumn, endColumn) = window.InsideAcross(j, images.D2);
                    var position = ((top + firstRow) * images.D2 + left + firstColumn) * images.D3;
                    var place = (long)strip * window.Across + j;
                    Place<V, O>(image, position, endRow - firstRow, endColumn - firstColumn, place * images.D3);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Place<V, O>(float* image, int start, int rows, int columns, long at) where V : struct where O : IVectorOps<V, float>
        {
            var (width, channels) = (strips.Images.D2, strips.Images.D3);
            for (var c = 0; c < channels; c += O.Width)
            {
                var (largest, found) = (O.Load(image + start + c), O.Broadcast(start + c));
                for (var i = 0; i < rows; i++)
                {
                    var here = start + c + i * width * channels;
                    for (var j = 0; j < columns; j++, here += channels)
                    {
                        var value = O.Load(image + here);
                        found = O.SelectGreaterEqual(largest, value, found, O.Broadcast(here));
                        largest = O.Max(largest, value);
                    }
                }
                Put<V, O>(y + at + c, channels - c, largest);
                Put<V, O>(positions + at + c, channels - c, O.Add(found, Lanes<V, O>()));
            }
        }

        /// <summary>0, 1, 2, ..: a lane's channel lies so far behind the first lane's.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static V Lanes<V, O>() where V : struct where O : IVectorOps<V, float>
        {
            fixed (float* lanes = s_lanes) return O.Load(lanes);
        }
    }

    static readonly float[] s_lanes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    /// <summary>
    /// Rows [rows, width] of which each element has its place in rows [rows, wideWidth]: read from there, or added there.
    /// </summary>
    readonly struct ScatterJob(float* wide, int wideWidth, float* positions, float* values, int width, int rows, bool scatter)
        : IChunkJob
    {
        int PerChunk => Math.Max(1, ElementsPerChunk / Math.Max(1, scatter ? wideWidth : width));

        public int Chunks => Ceiling(rows, PerChunk);

        public void Run(int chunk)
        {
            for (var r = chunk * PerChunk; r < Math.Min(rows, (chunk + 1) * PerChunk); r++)
            {
                float* row = wide + (long)r * wideWidth, own = values + (long)r * width, at = positions + (long)r * width;
                if (scatter) Add(row, own, at);
                else Read(row, own, at);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Add(float* row, float* from, float* at)
        {
            new Span<float>(row, wideWidth).Clear();
            for (var i = 0; i < width; i++) row[(int)at[i]] += from[i];
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void Read(float* row, float* to, float* at)
        {
            for (var i = 0; i < width; i++) to[i] = row[(int)at[i]];
        }
    }
}

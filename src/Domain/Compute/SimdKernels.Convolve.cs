namespace MetaOpt.Compute;

/// <content>
/// Convolutions as products of patches and filters, a block of patches at a time: it is made, used and forgotten within the
/// cache. All patches of a mini-batch would be 25 times the images, and mostly a wait for memory.
/// </content>
public sealed unsafe partial class SimdKernels
{
    const int BlocksPerPart = 8;

    [ThreadStatic]
    static Arena<float>? t_parts; // Scratch is for what happens within a chunk; this outlives the chunks

    /// <inheritdoc/>
    public override void Convolve(Tensor<float> x, Tensor<float> filters, Window window, Tensor<float> y)
    {
        if (y.Count == 0) return;
        var sizes = new Convolution(x.Shape, filters.Shape, window);
        RunWide(Ceiling(sizes.Strips, sizes.StripsPerBlock), new ConvolveJob(x.Data, filters.Data, y.Data, sizes));
    }

    /// <inheritdoc/>
    public override void ConvolveImages(Tensor<float> y, Tensor<float> filters, Window window, Tensor<float> x)
    {
        if (x.Count == 0) return;
        var sizes = new Convolution(x.Shape, filters.Shape, window);
        RunWide(Ceiling(x.Shape.D0, sizes.ImagesPerChunk), new ConvolveImagesJob(y.Data, filters.Data, x.Data, sizes));
    }

    /// <inheritdoc/>
    public override void ConvolveFilters(Tensor<float> x, Tensor<float> y, Window window, Tensor<float> filters)
    {
        if (filters.Count == 0) return;
        var sizes = new Convolution(x.Shape, filters.Shape, window);
        var arena = t_parts ??= new Arena<float>();
        arena.Reset();
        var parts = arena.Take(new Shape(sizes.Batch * sizes.Parts * sizes.Inputs * sizes.Filters));
        RunWide(sizes.Batch * sizes.Parts, new ConvolveFiltersJob(x.Data, y.Data, parts.Data, sizes));
        SumColumns<First>(parts.Data, parts.Data, sizes.Batch, sizes.Parts, sizes.Inputs * sizes.Filters, filters.Data);
    }

    /// <summary>The sizes of a convolution, and how it is cut: a strip is all places of a window side by side.</summary>
    readonly struct Convolution(Shape images, Shape filters, Window window)
    {
        public readonly Shape Images = images;
        public readonly Window Window = window;

        public int Batch { get; } = filters.D0;

        public int Inputs { get; } = filters.D1;

        public int Filters { get; } = filters.D2;

        public int Strips => Images.D0 * Window.Down;

        public int StripsPerInstance => Strips / Batch;

        public int ImageSize => Images.D1 * Images.D2 * Images.D3;

        int PatchesInStrip => Window.Across * Inputs;

        public int StripsPerBlock => Math.Max(1, ElementsPerChunk / PatchesInStrip);

        public int ImagesPerChunk => Math.Max(1, ElementsPerChunk / (PatchesInStrip * Window.Down));

        public int Parts => Math.Max(1, Ceiling(StripsPerInstance, BlocksPerPart * StripsPerBlock));

        /// <summary>This thread's room for a block of patches.</summary>
        public float* Room() => Scratch<float>.Start().Take(new Shape(StripsPerBlock * PatchesInStrip)).Data;

        /// <summary>Where in [R, Down, Across, filters] a strip begins.</summary>
        public long Output(int strip) => (long)strip * Window.Across * Filters;

        /// <summary>Where an instance's filters begin.</summary>
        public long Weights(int instance) => (long)instance * Inputs * Filters;

        public void Show<V, O>(float* x, int first, int end, float* patches) where V : struct where O : IVectorOps<V, float>
        {
            for (var strip = first; strip < end; strip++, patches += PatchesInStrip)
                PatchesJob.Strip<V, O>(x + (long)(strip / Window.Down) * ImageSize, Images, Window, strip % Window.Down, patches);
        }

        public void Fold<V, O>(float* patches, int first, int end, float* x) where V : struct where O : IVectorOps<V, float>
        {
            for (var strip = first; strip < end; strip++, patches += PatchesInStrip)
                FoldJob.Strip<V, O>(patches, Images, Window, strip % Window.Down, x + (long)(strip / Window.Down) * ImageSize);
        }
    }

    /// <summary>One product [m, k] by [k, n], on this thread.</summary>
    static void Product<V, O>(MatMulSizes sizes, float* x, bool transposeX, float* y, bool transposeY, float* z, bool accumulate)
        where V : struct where O : IVectorOps<V, float> =>
        new MatMulJob(x, transposeX, y, transposeY, z, new Units(sizes, sizes.M, 1), accumulate).Run<V, O>(0);

    readonly struct ConvolveJob(float* x, float* filters, float* y, Convolution sizes) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var patches = sizes.Room();
            var strip = chunk * sizes.StripsPerBlock;
            var end = Math.Min(sizes.Strips, strip + sizes.StripsPerBlock);
            while (strip < end)
            {
                var instance = strip / sizes.StripsPerInstance;
                var last = Math.Min(end, (instance + 1) * sizes.StripsPerInstance);
                sizes.Show<V, O>(x, strip, last, patches);
                var product = new MatMulSizes(1, (last - strip) * sizes.Window.Across, sizes.Inputs, sizes.Filters);
                Product<V, O>(product, patches, false, filters + sizes.Weights(instance), false, y + sizes.Output(strip), false);
                strip = last;
            }
        }
    }

    /// <summary>A chunk has whole images, so no two add to the same pixel.</summary>
    readonly struct ConvolveImagesJob(float* y, float* filters, float* x, Convolution sizes) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var patches = sizes.Room();
            var down = sizes.Window.Down;
            var end = Math.Min(sizes.Images.D0, (chunk + 1) * sizes.ImagesPerChunk);
            for (var image = chunk * sizes.ImagesPerChunk; image < end; image++)
            {
                new Span<float>(x + (long)image * sizes.ImageSize, sizes.ImageSize).Clear();
                var weights = filters + sizes.Weights(image * down / sizes.StripsPerInstance);
                for (var strip = image * down; strip < (image + 1) * down; strip += sizes.StripsPerBlock)
                {
                    var last = Math.Min((image + 1) * down, strip + sizes.StripsPerBlock);
                    var product = new MatMulSizes(1, (last - strip) * sizes.Window.Across, sizes.Filters, sizes.Inputs);
                    Product<V, O>(product, y + sizes.Output(strip), false, weights, true, patches, false);
                    sizes.Fold<V, O>(patches, strip, last, x);
                }
            }
        }
    }

    readonly struct ConvolveFiltersJob(float* x, float* y, float* parts, Convolution sizes) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var patches = sizes.Room();
            var (instance, part) = (chunk / sizes.Parts, chunk % sizes.Parts);
            var sum = parts + (long)chunk * sizes.Inputs * sizes.Filters;
            var first = part * BlocksPerPart * sizes.StripsPerBlock;
            var end = Math.Min(sizes.StripsPerInstance, first + BlocksPerPart * sizes.StripsPerBlock);
            if (first >= end) new Span<float>(sum, sizes.Inputs * sizes.Filters).Clear();
            for (var strip = first; strip < end; strip += sizes.StripsPerBlock)
            {
                var start = instance * sizes.StripsPerInstance;
                var last = Math.Min(end, strip + sizes.StripsPerBlock);
                sizes.Show<V, O>(x, start + strip, start + last, patches);
                var product = new MatMulSizes(1, sizes.Inputs, (last - strip) * sizes.Window.Across, sizes.Filters);
                Product<V, O>(product, patches, true, y + sizes.Output(start + strip), false, sum, strip > first);
            }
        }
    }
}

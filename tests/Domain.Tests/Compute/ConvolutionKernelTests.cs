using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>
/// Im2Col, pooling and sums over rows of every kernel set: they agree with the plain loops in double, and adjoints are
/// adjoint.
/// </summary>
public class ConvolutionKernelTests
{
    static readonly (Shape Images, Window Window)[] s_cases = [.. Cases()];

    public static TheoryData<string> Sets => [.. KernelSets.Every];

    static IEnumerable<(Shape Images, Window Window)> Cases()
    {
        Shape[] all = [new(1, 1, 1, 1), new(2, 5, 7, 3), new(3, 8, 8, 16), new(1, 13, 6, 17), new(2, 11, 9, 33), new(5, 4, 4, 1)];
        foreach (var images in all)
        {
            (int, int, int)[] sizes = [(1, 1, 1), (2, 2, 2), (3, 3, 1), (5, 5, 1), (3, 2, 2), (2, 3, 3), (1, 4, 1)];
            foreach (var (rows, columns, stride) in sizes)
            {
                yield return (images, Window.Same(images, rows, columns, stride));
                var small = rows <= images.D1 && columns <= images.D2;
                if (small) yield return (images, Window.Padded(images, rows, columns, stride));
                if (Math.Min(rows, columns) > 1 && images.D1 > 2)
                    yield return (images, Window.Padded(images, rows, columns, stride, 1));
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Patches_agree_with_the_reference_to_the_bit(string set)
    {
        foreach (var (images, window) in s_cases)
        {
            using var pair = new KernelPair(set);
            var x = pair.Random(images, -1, 1);
            var y = Dirty(pair, window.Im2ColOf(images));
            pair.Single.Im2Col(x.Single, window, y.Single);
            pair.Double.Im2Col(x.Double, window, y.Double);
            pair.Same(y, 0, $"patches of {images} in {window}");
        }
    }

    [Fact]
    public void A_patch_is_what_lies_under_the_window_row_by_row()
    {
        using var pair = new KernelPair("scalar");
        var images = new Shape(1, 2, 3, 1);
        var x = pair.Of([1, 2, 3, 4, 5, 6], images);
        var y = pair.Empty(new Shape(1, 6, 4));
        pair.Single.Im2Col(x.Single, Window.Same(images, 2, 2), y.Single);
        Assert.Equal([1, 2, 4, 5, 2, 3, 5, 6, 3, 0, 6, 0, 4, 5, 0, 0, 5, 6, 0, 0, 6, 0, 0, 0], y.Single.ToArray());
    }

    [Theory, MemberData(nameof(Sets))]
    public void Folding_agrees_with_the_reference_and_is_the_adjoint_of_patches(string set)
    {
        foreach (var (images, window) in s_cases)
        {
            using var pair = new KernelPair(set);
            var (x, y) = (pair.Random(images, -1, 1), pair.Random(window.Im2ColOf(images), -1, 1));
            var (folded, patches) = (Dirty(pair, images), pair.Empty(y.Shape));
            pair.Single.Col2Im(y.Single, window, folded.Single);
            pair.Double.Col2Im(y.Double, window, folded.Double);
            pair.Same(folded, 3e-6, $"patches of {images} in {window} folded");
            pair.Double.Im2Col(x.Double, window, patches.Double);
            Assert.Equal(Dot(patches.Double, y.Double), Dot(x.Double, folded.Double), 1e-9);
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Convolutions_agree_with_the_reference_for_all_instances(string set)
    {
        foreach (var (images, window) in s_cases)
        {
            foreach (var (batch, outputs) in new[] { (1, 1), (images.D0, 5), (1, 33) })
            {
                using var pair = new KernelPair(set);
                var shape = new Shape(batch, window.Rows * window.Columns * images.D3, outputs);
                var (x, filters) = (pair.Random(images, -1, 1), pair.Random(shape, -1, 1));
                var y = pair.Random(new Shape(images.D0, window.Down, window.Across, outputs), -1, 1);
                var (result, ofImages, ofFilters) = (Dirty(pair, y.Shape), Dirty(pair, images), Dirty(pair, shape));
                pair.Single.Convolve(x.Single, filters.Single, window, result.Single);
                pair.Double.Convolve(x.Double, filters.Double, window, result.Double);
                pair.Same(result, 3e-6 * Math.Sqrt(shape.D1), $"{images} in {window} by {shape}");
                pair.Single.ConvolveImages(y.Single, filters.Single, window, ofImages.Single);
                pair.Double.ConvolveImages(y.Double, filters.Double, window, ofImages.Double);
                pair.Same(ofImages, 3e-6 * Math.Sqrt(shape.D1 * outputs), $"the images of {images} in {window} by {shape}");
                pair.Single.ConvolveFilters(x.Single, y.Single, window, ofFilters.Single);
                pair.Double.ConvolveFilters(x.Double, y.Double, window, ofFilters.Double);
                pair.Same(ofFilters, 3e-6 * Math.Sqrt(images.D0 * window.Places),
                    $"the filters of {images} in {window} by {shape}");
                Assert.Equal(Dot(result.Double, y.Double), Dot(ofImages.Double, x.Double), 1e-9);
                Assert.Equal(Dot(result.Double, y.Double), Dot(ofFilters.Double, filters.Double), 1e-9);
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Convolutions_of_many_blocks_agree_with_the_reference(string set)
    {
        // (images, instances, filters): chunks that meet two instances; several parts of an instance; an image of several blocks
        (Shape, int, int)[] cases = [(new(15, 9, 8, 2), 5, 3), (new(14, 31, 30, 3), 2, 17), (new(2, 40, 12, 30), 1, 4)];
        foreach (var (images, batch, outputs) in cases)
        {
            using var pair = new KernelPair(set);
            var window = Window.Same(images, 5, 5);
            var filters = pair.Random(new Shape(batch, 25 * images.D3, outputs), -1, 1);
            var (x, y) = (pair.Random(images, -1, 1), pair.Random(images.With(3, outputs), -1, 1));
            var (result, ofImages, ofFilters) = (Dirty(pair, y.Shape), Dirty(pair, images), Dirty(pair, filters.Shape));
            pair.Single.Convolve(x.Single, filters.Single, window, result.Single);
            pair.Double.Convolve(x.Double, filters.Double, window, result.Double);
            pair.Same(result, 3e-5, $"{images}");
            pair.Single.ConvolveImages(y.Single, filters.Single, window, ofImages.Single);
            pair.Double.ConvolveImages(y.Double, filters.Double, window, ofImages.Double);
            pair.Same(ofImages, 3e-5, $"the images of {images}");
            pair.Single.ConvolveFilters(x.Single, y.Single, window, ofFilters.Single);
            pair.Double.ConvolveFilters(x.Double, y.Double, window, ofFilters.Double);
            pair.Same(ofFilters, 1e-4, $"the filters of {images}");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Pooling_agrees_with_the_reference_and_its_positions_are_those_of_its_values(string set)
    {
        foreach (var (images, window) in s_cases)
        {
            using var pair = new KernelPair(set);
            var x = pair.Of([.. Enumerable.Range(0, images.Count).Select(i => (float)(i * 7919 % 11))], images); // with ties
            var shape = new Shape(images.D0, window.Down, window.Across, images.D3);
            var (y, positions, gathered) = (Dirty(pair, shape), Dirty(pair, shape), Dirty(pair, shape));
            pair.Single.MaxPool(x.Single, window, y.Single, positions.Single);
            pair.Double.MaxPool(x.Double, window, y.Double, positions.Double);
            pair.Same(y, 0, $"pooling of {images} in {window}");
            pair.Same(positions, 0, $"positions of {images} in {window}");
            pair.Single.Gather(x.Single, positions.Single, gathered.Single);
            var equal = gathered.Single.ToArray().SequenceEqual(y.Single.ToArray());
            Assert.True(equal, $"Gather of {images} in {window} differs from what was pooled.");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Of_equal_values_the_first_is_found_and_a_NaN_is_not_lost(string set)
    {
        using var pair = new KernelPair(set);
        var images = new Shape(1, 2, 4, 1);
        var x = pair.Of([0, -0f, float.NaN, 2, 0, 0, 3, 1], images);
        var (y, positions) = (pair.Empty(new Shape(1, 1, 2, 1)), pair.Empty(new Shape(1, 1, 2, 1)));
        pair.Single.MaxPool(x.Single, Window.Same(images, 2, 2, 2), y.Single, positions.Single);
        Assert.Equal([0f, float.NaN], y.Single.ToArray());
        Assert.Equal(0f, positions.Single.ToArray()[0]);
    }

    [Theory, MemberData(nameof(Sets))]
    public void Scattering_agrees_with_the_reference_and_is_the_adjoint_of_gathering(string set)
    {
        foreach (var (rows, wide, width) in new[] { (0, 1, 1), (1, 1, 1), (7, 31, 9), (3, 9, 33), (40, 2048, 512), (2, 5, 0) })
        {
            using var pair = new KernelPair(set);
            var positions = pair.Of([.. Enumerable.Range(0, rows * width).Select(i => (float)(i * 7 % wide))],
                new Shape(rows, width));
            var (x, y) = (pair.Random(new Shape(rows, wide), -1, 1), pair.Random(new Shape(rows, width), -1, 1));
            var (gathered, scattered) = (Dirty(pair, y.Shape), Dirty(pair, x.Shape));
            pair.Single.Gather(x.Single, positions.Single, gathered.Single);
            pair.Double.Gather(x.Double, positions.Double, gathered.Double);
            pair.Same(gathered, 0, $"gathering {width} of {wide}");
            pair.Single.ScatterAdd(y.Single, positions.Single, scattered.Single);
            pair.Double.ScatterAdd(y.Double, positions.Double, scattered.Double);
            pair.Same(scattered, 3e-6, $"scattering {width} to {wide}");
            Assert.Equal(Dot(gathered.Double, y.Double), Dot(x.Double, scattered.Double), 1e-9);
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void A_row_that_meets_all_and_sums_over_rows_agree_with_the_reference(string set)
    {
        Shape[] shapes =
        [
            new(0, 3, 2), new(2, 0, 3), new(1, 1, 1), new(3, 7, 9), new(2, 31, 33), new(1, 5000, 16), new(2, 513, 17),
            new(1, 70_001, 3),
        ];
        foreach (var shape in shapes)
        {
            using var pair = new KernelPair(set);
            var (x, y, row) = (pair.Random(shape, -1, 1), pair.Random(shape, -1, 1), pair.Random(shape.With(1, 1), 0.5, 2));
            foreach (var op in Enum.GetValues<ZipOp>())
            {
                var z = Dirty(pair, shape);
                pair.Single.ZipRow(op, x.Single, row.Single, z.Single);
                pair.Double.ZipRow(op, x.Double, row.Double, z.Double);
                pair.Same(z, 1e-6, $"{op} of {shape} and a row");
            }
            var sum = Dirty(pair, row.Shape);
            pair.Single.SumProducts(x.Single, y.Single, sum.Single);
            pair.Double.SumProducts(x.Double, y.Double, sum.Double);
            pair.Same(sum, 1e-6 * Math.Sqrt(shape.D1 + 1), $"sum of products of {shape}");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void A_sum_over_very_many_rows_does_not_lose_what_is_small(string set)
    {
        using var pair = new KernelPair(set);
        var ones = pair.Random(new Shape(1, 400_000, 3), 0.9, 1.1);
        var sum = pair.Empty(new Shape(1, 1, 3));
        pair.Single.SumAxis(ones.Single, 1, sum.Single);
        pair.Double.SumAxis(ones.Double, 1, sum.Double);
        pair.Same(sum, 3e-7, "sum of 400,000 rows");
    }

    [Theory, MemberData(nameof(Sets))]
    public void The_number_of_threads_does_not_change_a_bit(string set)
    {
        var results = new[] { 1, 2, 3 }.Select(threads => Everything(set, threads)).ToArray();
        Assert.True(results[0].Length > 100_000);
        Assert.True(results[0].AsSpan().SequenceEqual(results[1]));
        Assert.True(results[0].AsSpan().SequenceEqual(results[2]));
    }

    static int[] Everything(string set, int threads)
    {
        using var pair = new KernelPair(set, threads);
        var kernels = pair.Single;
        var images = new Shape(9, 17, 13, 7);
        var (window, pooling) = (Window.Same(images, 5, 5), Window.Same(images, 3, 3, 2));
        var x = pair.Random(images, -1, 1).Single;
        var bits = new List<int>();
        var patches = Keep(window.Im2ColOf(images), z => kernels.Im2Col(x, window, z));
        Keep(images, z => kernels.Col2Im(patches, window, z));
        var positions = pair.Empty(new Shape(9, pooling.Down, pooling.Across, 7)).Single;
        var pooled = Keep(positions.Shape, z => kernels.MaxPool(x, pooling, z, positions));
        Keep(images, z => kernels.ScatterAdd(pooled, positions, z));
        var filters = pair.Random(new Shape(3, 175, 5), -1, 1).Single;
        var layer = Keep(images.With(3, 5), z => kernels.Convolve(x, filters, window, z));
        Keep(images, z => kernels.ConvolveImages(layer, filters, window, z));
        Keep(filters.Shape, z => kernels.ConvolveFilters(x, layer, window, z));
        var rows = patches.As(new Shape(3, 663, 175));
        var sums = Keep(new Shape(3, 1, 175), z => kernels.SumProducts(rows, rows, z));
        Keep(new Shape(3, 1, 175), z => kernels.SumAxis(rows, 1, z));
        Keep(rows.Shape, z => kernels.ZipRow(ZipOp.Multiply, rows, sums, z));
        return [.. bits];

        Tensor<float> Keep(Shape shape, Action<Tensor<float>> compute)
        {
            var z = pair.Empty(shape).Single;
            compute(z);
            foreach (var value in z.ToArray()) bits.Add(BitConverter.SingleToInt32Bits(value));
            return z;
        }
    }

    [Fact]
    public void A_warm_convolutional_layer_allocates_nothing()
    {
        using var kernels = new SimdKernels(2);
        using var tape = new Tape<float>(kernels);
        using var arena = new Arena<float>();
        var shape = new Shape(8, 12, 12, 3);
        var (images, gradients) = (arena.Zeros(shape), new Tensor<float>[3]);
        var filters = arena.Zeros(new Shape(2, 27, 16));
        var (gamma, beta) = (arena.Zeros(new Shape(2, 16)), arena.Zeros(new Shape(2, 16)));
        for (var round = 0; round < 3; round++) Step();
        // What a step allocates, every batch of steps does; what the runtime does once, only one.
        Assert.Contains(0, Enumerable.Range(0, 5).Select(_ => AllocatedByTwenty()));

        long AllocatedByTwenty()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var round = 0; round < 20; round++) Step();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        void Step()
        {
            tape.Reset();
            ReadOnlySpan<Tensor<float>> leaves = [tape.Variable(filters), tape.Variable(gamma), tape.Variable(beta)];
            var layer = tape.Convolve(images, leaves[0], Window.Same(shape, 3, 3));
            var normal = tape.BatchNormalise(tape.Reshape(layer, new Shape(2, 4 * 144, 16)), leaves[1], leaves[2], 0.001f);
            var pooled = tape.MaxPool(tape.Reshape(normal, layer.Shape), Window.Same(layer.Shape, 2, 2, 2));
            tape.Gradient(tape.Sum(tape.Square(pooled)), leaves, gradients, createGraph: true);
        }
    }

    [Fact]
    public void A_convolution_of_equal_padding_keeps_the_size_and_pooling_halves_it()
    {
        var images = new Shape(1, 28, 28, 1);
        Assert.Equal(new Window(5, 5, 1, 2, 2, 28, 28), Window.Same(images, 5, 5));
        Assert.Equal(new Window(2, 2, 2, 0, 0, 14, 14), Window.Same(images, 2, 2, 2));
        Assert.Equal(new Window(2, 2, 2, 0, 0, 4, 3), Window.Same(new Shape(1, 7, 6, 1), 2, 2, 2));
        Assert.Equal(new Window(5, 3, 2, 1, 1, 13, 14), Window.Padded(images, 5, 3, 2, 1));
        Assert.Throws<ArgumentException>(() => Window.Padded(images, 31, 5, 1, 1));
    }

    /// <summary>Results must be overwritten, zeros too.</summary>
    static Both Dirty(KernelPair pair, Shape shape)
    {
        var both = pair.Empty(shape);
        pair.Single.Fill(float.NaN, both.Single);
        return both;
    }

    static double Dot(Tensor<double> x, Tensor<double> y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Count; i++) sum += x.Span[i] * y.Span[i];
        return sum;
    }
}

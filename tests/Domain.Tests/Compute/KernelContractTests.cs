using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>What every kernel set of <see cref="KernelSets.Every"/> must do: agree with the plain loops in double.</summary>
public class KernelContractTests
{
    static readonly int[] s_sizes = [0, 1, 7, 8, 9, 31, 33, 100, 70_001];

    public static TheoryData<string> Sets => [.. KernelSets.Every];

    public static TheoryData<string, MapOp> SetsAndMaps => Pairs<MapOp>();

    public static TheoryData<string, ZipOp> SetsAndZips => Pairs<ZipOp>();

    [Theory, MemberData(nameof(SetsAndMaps))]
    public void A_map_agrees_with_the_reference_at_awkward_sizes(string set, MapOp op)
    {
        foreach (var size in s_sizes)
        {
            using var pair = new KernelPair(set);
            var x = pair.Random(new Shape(size), op is MapOp.Sqrt or MapOp.Log ? 0.001 : -4, 4);
            var y = pair.Empty(x.Shape);
            pair.Single.Map(op, x.Single, 0.75f, 2.5f, y.Single);
            pair.Double.Map(op, x.Double, 0.75, 2.5, y.Double);
            pair.Same(y, 1e-6, $"{op} of {size}");
            pair.Single.Map(op, x.Single, 0.75f, 2.5f, x.Single);
            Assert.True(x.Single.ToArray().SequenceEqual(y.Single.ToArray()), $"{op} in place differs at {size}.");
        }
    }

    [Theory, MemberData(nameof(SetsAndMaps))]
    public void A_map_treats_special_values_like_the_reference(string set, MapOp op)
    {
        float[] special = [0f, -0f, 1f, -1f, float.Epsilon, -float.Epsilon, 1e-40f, 1.17549435e-38f, 88.7f, 88.8f, -87.4f, -100f,
            -103.9f,
            -110f, 500f, -500f, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 0.625f,
            9.1f, 0.3f];
        using var pair = new KernelPair(set);
        var x = pair.Of(special, new Shape(special.Length));
        var y = pair.Empty(x.Shape);
        pair.Single.Map(op, x.Single, 0.75f, 2.5f, y.Single);
        pair.Double.Map(op, x.Double, 0.75, 2.5, y.Double);
        var results = y.Single.ToArray();
        for (var i = 0; i < special.Length; i++)
        {
            var (got, want) = (results[i], (float)y.Double.Span[i]);
            var close = Math.Abs((double)got - want) <= Math.Max(1e-6 * Math.Abs((double)want), float.Epsilon);
            Assert.True(got.Equals(want) || close, $"{op}({special[i]:R}) is {got:R}; expected {want:R}.");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Elementary_functions_are_accurate_over_the_whole_range(string set)
    {
        using var pair = new KernelPair(set);
        var values = new List<float>();
        for (var bits = 0x00800000u; bits < 0x7F800000u; bits += 4999) values.Add(BitConverter.UInt32BitsToSingle(bits));
        var count = values.Count;
        for (var i = 0; i < count; i++) values.Add(-values[i]);
        var x = pair.Of([.. values], new Shape(values.Count));
        var y = pair.Empty(x.Shape);
        foreach (var op in new[] { MapOp.Exp, MapOp.Log, MapOp.Tanh, MapOp.Sigmoid, MapOp.Elu, MapOp.SinPi, MapOp.CosPi })
        {
            pair.Single.Map(op, x.Single, 0, 0, y.Single);
            pair.Double.Map(op, x.Double, 0, 0, y.Double);
            var worst = 0.0;
            var results = y.Single.ToArray();
            for (var i = 0; i < values.Count; i++)
            {
                var (got, want) = (results[i], y.Double.Span[i]);
                if (float.IsNaN(got) && double.IsNaN(want)) continue;
                if ((float)want == got) continue;
                if (Math.Abs(want) < 1.2e-38)
                    Assert.True(Math.Abs(got - want) <= 2 * float.Epsilon, $"{op}({values[i]:R}) = {got:R}");
                else worst = Math.Max(worst, Math.Abs(got - want) / Math.Abs(want));
            }
            Assert.True(worst < 1e-6, $"{op} is off by {worst:E2}, relatively.");
        }
    }

    [Theory, MemberData(nameof(SetsAndZips))]
    public void A_zip_agrees_with_the_reference_at_awkward_sizes(string set, ZipOp op)
    {
        foreach (var size in s_sizes)
        {
            using var pair = new KernelPair(set);
            var x = pair.Random(new Shape(size), -2, 2);
            var y = pair.Random(new Shape(size), 0.5, 2);
            var z = pair.Empty(x.Shape);
            pair.Single.Zip(op, x.Single, y.Single, z.Single);
            pair.Double.Zip(op, x.Double, y.Double, z.Double);
            pair.Same(z, 1e-6, $"{op} of {size}");
            pair.Single.Zip(op, x.Single, y.Single, y.Single);
            Assert.True(y.Single.ToArray().SequenceEqual(z.Single.ToArray()), $"{op} in place differs at {size}.");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Select_does_not_look_at_the_other_branch(string set)
    {
        foreach (var size in s_sizes)
        {
            using var pair = new KernelPair(set);
            var x = pair.Random(new Shape(size), -2, 2);
            var mask = pair.Of([.. Enumerable.Range(0, size).Select(i => (float)(i % 3))], x.Shape);
            var bad = pair.Of([.. Enumerable.Repeat(float.NaN, size)], x.Shape);
            var z = pair.Empty(x.Shape);
            pair.Single.Select(mask.Single, x.Single, bad.Single, z.Single);
            var (chosen, results) = (x.Single.ToArray(), z.Single.ToArray());
            for (var i = 0; i < size; i++) Assert.Equal(i % 3 == 0 ? float.NaN : chosen[i], results[i]);
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Matrix_products_agree_with_the_reference_for_all_transposes_and_odd_shapes(string set)
    {
        (int Batch, int M, int K, int N)[] shapes =
        [
            (0, 1, 1, 1), (1, 0, 3, 2), (1, 3, 0, 2), (1, 3, 2, 0), (1, 1, 1, 1), (1, 7, 8, 9), (3, 9, 7, 1), (2, 1, 31, 33),
            (5, 10, 10, 1),
            (2, 33, 31, 1), (1, 31, 33, 8), (2, 5, 300, 17), (1, 64, 784, 20), (3, 13, 9, 24), (1, 6, 600, 25), (2, 4, 3, 49),
            (40, 10, 10, 10),
            (1, 300, 700, 1), (1, 130, 40, 50),
        ];
        foreach (var (batch, m, k, n) in shapes)
        {
            for (var transposes = 0; transposes < 4; transposes++)
            {
                using var pair = new KernelPair(set);
                var (transposeX, transposeY) = ((transposes & 1) != 0, (transposes & 2) != 0);
                var x = pair.Random(transposeX ? new Shape(batch, k, m) : new Shape(batch, m, k), -1, 1);
                var y = pair.Random(transposeY ? new Shape(batch, n, k) : new Shape(batch, k, n), -1, 1);
                var z = pair.Empty(new Shape(batch, m, n));
                pair.Single.Fill(float.NaN, z.Single);
                pair.Single.MatMul(x.Single, transposeX, y.Single, transposeY, z.Single);
                pair.Double.MatMul(x.Double, transposeX, y.Double, transposeY, z.Double);
                pair.Same(z, 2e-6 * Math.Sqrt(k + 1),
                    $"[{batch}, {m}, {k}] x [{batch}, {k}, {n}], transposes {transposeX}, {transposeY}");
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Sums_and_moves_along_each_axis_agree_with_the_reference(string set)
    {
        foreach (var shape in new[] { new Shape(0), new Shape(1), new Shape(9000), new Shape(7, 9), new Shape(33, 1),
            new Shape(2, 31, 10), new Shape(3, 8, 7, 5) })
        {
            for (var axis = 0; axis < shape.Rank; axis++)
            {
                using var pair = new KernelPair(set);
                var x = pair.Random(shape, -1, 1);
                var sum = pair.Empty(shape.With(axis, 1));
                pair.Single.SumAxis(x.Single, axis, sum.Single);
                pair.Double.SumAxis(x.Double, axis, sum.Double);
                pair.Same(sum, 2e-6 * Math.Sqrt(shape[axis] + 1), $"sum of {shape} over {axis}");
                var wide = pair.Empty(shape.With(axis, 5));
                pair.Single.Broadcast(sum.Single, axis, wide.Single);
                pair.Double.Broadcast(sum.Double, axis, wide.Double);
                pair.Same(wide, 2e-6 * Math.Sqrt(shape[axis] + 1), $"expand {axis} of {shape}");
                var padded = pair.Empty(shape.With(axis, shape[axis] + 3));
                pair.Single.Pad(x.Single, axis, 2, padded.Single);
                pair.Double.Pad(x.Double, axis, 2, padded.Double);
                pair.Same(padded, 0, $"pad {axis} of {shape}");
                var back = pair.Empty(shape);
                pair.Single.Slice(padded.Single, axis, 2, back.Single);
                Assert.True(back.Single.ToArray().SequenceEqual(x.Single.ToArray()),
                    $"slice {axis} of {shape} does not undo pad.");
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Transposing_swaps_the_last_two_axes(string set)
    {
        foreach (var (batch, rows, columns) in new[] { (1, 1, 1), (2, 7, 9), (3, 33, 8), (0, 2, 2) })
        {
            using var pair = new KernelPair(set);
            var x = pair.Random(new Shape(batch, rows, columns), -1, 1);
            var y = pair.Empty(new Shape(batch, columns, rows));
            pair.Single.Transpose(x.Single, y.Single);
            var (before, after) = (x.Single.ToArray(), y.Single.ToArray());
            for (var i = 0; i < before.Length; i++)
            {
                var (b, r, c) = (i / (rows * columns), i / columns % rows, i % columns);
                Assert.Equal(before[i], after[(b * columns + c) * rows + r]);
            }
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Softmax_and_cross_entropy_agree_with_the_reference_also_for_large_logits(string set)
    {
        foreach (var (rows, columns) in new[] { (0, 3), (1, 1), (7, 2), (9, 10), (33, 31), (600, 10), (2, 1500) })
        {
            using var pair = new KernelPair(set);
            var x = pair.Random(new Shape(rows, columns), -90, 90);
            var labels = pair.Of([.. Enumerable.Range(0, rows).Select(r => (float)(r * 7 % columns))], new Shape(rows));
            var (softmax, loss, target) = (pair.Empty(x.Shape), pair.Empty(labels.Shape), pair.Empty(x.Shape));
            pair.Single.Softmax(x.Single, softmax.Single);
            pair.Double.Softmax(x.Double, softmax.Double);
            pair.Same(softmax, 2e-6, $"softmax of {x.Shape}");
            pair.Single.SoftmaxCrossEntropy(x.Single, labels.Single, loss.Single);
            pair.Double.SoftmaxCrossEntropy(x.Double, labels.Double, loss.Double);
            pair.Same(loss, 2e-5, $"cross-entropy of {x.Shape}");
            pair.Single.OneHot(labels.Single, target.Single);
            pair.Double.OneHot(labels.Double, target.Double);
            pair.Same(target, 0, $"one-hot of {x.Shape}");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void Gathering_scales_the_chosen_rows(string set)
    {
        foreach (var width in new[] { 1, 7, 8, 9, 31, 33, 784 })
        {
            using var pair = new KernelPair(set);
            var source = new byte[5 * width];
            new Random(width).NextBytes(source);
            int[] rows = [4, 0, 4, 2];
            var y = pair.Empty(new Shape(rows.Length, width));
            pair.Single.GatherRows(source, width, rows, 1 / 255f, y.Single);
            pair.Double.GatherRows(source, width, rows, 1 / 255.0, y.Double);
            pair.Same(y, 1e-6, $"rows of {width}");
        }
    }

    [Theory, MemberData(nameof(Sets))]
    public void The_number_of_threads_does_not_change_a_bit(string set)
    {
        Assert.Single(new[] { 1, 2, 3, 7 }.Select(threads => Fingerprint(set, threads)).Distinct());
    }

    static string Fingerprint(string set, int threads)
    {
        using var pair = new KernelPair(set, threads);
        var kernels = pair.Single;
        var x = pair.Random(new Shape(3, 200, 301), -1, 1).Single;
        var y = pair.Random(new Shape(3, 301, 21), -1, 1).Single;
        var labels = pair.Of([.. Enumerable.Range(0, 600).Select(i => (float)(i % 301))], new Shape(600)).Single;
        var bits = new List<int>();
        Keep(new Shape(3, 200, 21), z => kernels.MatMul(x, false, y, false, z));
        Keep(new Shape(3, 301, 301), z => kernels.MatMul(x, true, x, false, z));
        Keep(new Shape(3, 200, 1), z => kernels.SumAxis(x, 2, z));
        Keep(new Shape(3, 1, 301), z => kernels.SumAxis(x, 1, z));
        Keep(new Shape(1), z => kernels.SumAxis(x.As(new Shape(x.Count)), 0, z));
        Keep(x.Shape, z => kernels.Map(MapOp.Tanh, x, 0, 0, z));
        Keep(x.Shape, z => kernels.Zip(ZipOp.Multiply, x, x, z));
        Keep(new Shape(600, 301), z => kernels.Softmax(x.As(new Shape(600, 301)), z));
        Keep(new Shape(600), z => kernels.SoftmaxCrossEntropy(x.As(new Shape(600, 301)), labels, z));
        var hash = new HashCode();
        foreach (var value in bits) hash.Add(value);
        return $"{bits.Count}: {hash.ToHashCode():x}";

        void Keep(Shape shape, Action<Tensor<float>> compute)
        {
            var z = pair.Empty(shape).Single;
            compute(z);
            foreach (var value in z.ToArray()) bits.Add(BitConverter.SingleToInt32Bits(value));
        }
    }

    static TheoryData<string, TOp> Pairs<TOp>() where TOp : struct, Enum
    {
        var data = new TheoryData<string, TOp>();
        foreach (var set in KernelSets.Every)
            foreach (var op in Enum.GetValues<TOp>())
                data.Add(set, op);
        return data;
    }
}

using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>Every operation's first and second derivative against central differences, in double.</summary>
public sealed class TapeTests
{
    delegate Tensor<double> Operation(Tape<double> tape, Tensor<double>[] x);

    static readonly Dictionary<string, (Operation Apply, double Low, double High, Shape[] Inputs)> s_operations = new()
    {
        ["add"] = ((t, x) => t.Add(x[0], x[1]), -1, 1, [new(2, 3), new(2, 3)]),
        ["add to itself"] = ((t, x) => t.Add(x[0], t.Square(x[0])), -1, 1, [new(3)]),
        ["subtract"] = ((t, x) => t.Subtract(x[0], x[1]), -1, 1, [new(4), new(4)]),
        ["multiply"] = ((t, x) => t.Multiply(x[0], x[1]), -1, 1, [new(4), new(4)]),
        ["divide"] = ((t, x) => t.Divide(x[0], x[1]), 0.5, 2, [new(4), new(4)]),
        ["scale"] = ((t, x) => t.Square(t.Scale(x[0], -1.5)), -1, 1, [new(4)]),
        ["add scalar"] = ((t, x) => t.Square(t.AddScalar(x[0], 0.7)), -1, 1, [new(4)]),
        ["negate"] = ((t, x) => t.Exp(t.Negate(x[0])), -1, 1, [new(4)]),
        ["sigmoid"] = ((t, x) => t.Sigmoid(x[0]), -3, 3, [new(5)]),
        ["tanh"] = ((t, x) => t.Tanh(x[0]), -2, 2, [new(5)]),
        ["relu"] = ((t, x) => t.Square(t.Relu(x[0])), -2, 2, [new(9)]),
        ["elu"] = ((t, x) => t.Elu(x[0]), -2, 2, [new(9)]),
        ["exp"] = ((t, x) => t.Exp(x[0]), -1, 1, [new(4)]),
        ["log"] = ((t, x) => t.Log(x[0]), 0.5, 2, [new(4)]),
        ["sin pi"] = ((t, x) => t.SinPi(x[0]), -2, 2, [new(9)]),
        ["cos pi"] = ((t, x) => t.CosPi(x[0]), -2, 2, [new(9)]),
        ["sqrt"] = ((t, x) => t.Sqrt(x[0]), 0.5, 2, [new(4)]),
        ["square"] = ((t, x) => t.Square(t.Square(x[0])), -1, 1, [new(4)]),
        ["abs"] = ((t, x) => t.Square(t.AddScalar(t.Abs(x[0]), 1)), -1, 1, [new(7)]),
        ["clamp"] = ((t, x) => t.Square(t.Clamp(x[0], -0.5, 0.6)), -1, 1, [new(9)]),
        ["maximum"] = ((t, x) => t.Square(t.Maximum(x[0], 0.1)), -1, 1, [new(9)]),
        ["minimum"] = ((t, x) => t.Square(t.Minimum(x[0], 0.1)), -1, 1, [new(9)]),
        ["where"] = ((t, x) => t.Where(t.GreaterEqual(x[0], x[1]), t.Square(x[0]), t.Exp(x[1])), -1, 1, [new(9), new(9)]),
        ["matmul"] = ((t, x) => t.MatMul(x[0], x[1]), -1, 1, [new(2, 3), new(3, 4)]),
        ["matmul, left transposed"] = ((t, x) => t.MatMul(x[0], x[1], true), -1, 1, [new(3, 2), new(3, 4)]),
        ["matmul, right transposed"] = ((t, x) => t.MatMul(x[0], x[1], false, true), -1, 1, [new(2, 3), new(4, 3)]),
        ["matmul, both transposed"] = ((t, x) => t.MatMul(x[0], x[1], true, true), -1, 1, [new(3, 2), new(4, 3)]),
        ["matmul, batched"] = ((t, x) => t.MatMul(x[0], x[1], true), -1, 1, [new(2, 3, 2), new(2, 3, 4)]),
        ["matmul with itself"] = ((t, x) => t.MatMul(x[0], x[0]), -1, 1, [new(3, 3)]),
        ["reshape"] = ((t, x) => t.MatMul(t.Reshape(x[0], new(2, 3)), x[1]), -1, 1, [new(6), new(3, 1)]),
        ["transpose"] = ((t, x) => t.Multiply(t.Transpose(x[0]), x[1]), -1, 1, [new(2, 2, 3), new(2, 3, 2)]),
        ["sum over an axis"] = ((t, x) => t.Square(t.SumAxis(x[0], 1)), -1, 1, [new(2, 3, 2)]),
        ["expand"] = ((t, x) => t.Multiply(t.Broadcast(x[0], 1, 3), x[1]), -1, 1, [new(2, 1, 2), new(2, 3, 2)]),
        ["sum"] = ((t, x) => t.Square(t.Sum(x[0])), -1, 1, [new(2, 3)]),
        ["slice"] = ((t, x) => t.Square(t.Slice(x[0], 1, 1, 2)), -1, 1, [new(2, 4)]),
        ["pad"] = ((t, x) => t.Multiply(t.Pad(x[0], 0, 1, 4), x[1]), -1, 1, [new(2, 2), new(4, 2)]),
        ["concat"] = ((t, x) => t.Square(t.Concat(x[0], t.Exp(x[1]), 1)), -1, 1, [new(2, 2), new(2, 1)]),
        ["softmax"] = ((t, x) => t.Softmax(x[0]), -1, 1, [new(3, 4)]),
        ["cross-entropy"] = ((t, x) => t.SoftmaxCrossEntropy(x[0], t.Constant([2, 0, 1], new(3))), -1, 1, [new(3, 4)]),
        ["patches"] = ((t, x) => t.Square(t.Im2Col(x[0], Window.Same(x[0].Shape, 3, 2, 2))), -1, 1, [new(2, 3, 4, 2)]),
        ["fold patches"] = ((t, x) => t.Square(t.Col2Im(x[0], new(2, 3, 3, 2), Window.Same(new(2, 3, 3, 2), 2, 2))), -1, 1,
            [new(2, 9, 8)]),
        ["convolve"] = ((t, x) => t.Convolve(x[0], x[1], Window.Same(x[0].Shape, 3, 3)), -1, 1, [new(4, 3, 2, 2), new(2, 18, 3)]),
        ["images of a convolution"] = (
            (t, x) => t.ConvolveImages(x[0], x[1], new(2, 3, 2, 2), Window.Same(new(2, 3, 2, 2), 2, 2, 2)), -1, 1,
            [new(2, 2, 1, 3), new(2, 8, 3)]),
        ["filters of a convolution"] = (
            (t, x) => t.ConvolveFilters(x[0], x[1], 2, Window.Padded(x[0].Shape, 2, 2)), -1, 1,
            [new(2, 3, 2, 2), new(2, 2, 1, 3)]),
        ["max-pool"] = ((t, x) => t.Square(t.MaxPool(x[0], Window.Same(x[0].Shape, 2, 2, 2))), -1, 1, [new(2, 3, 5, 2)]),
        ["max-pool, overlapping"] = ((t, x) => t.Square(t.MaxPool(x[0], Window.Padded(x[0].Shape, 3, 2, 1, 1))), -1, 1,
            [new(1, 4, 3, 3)]),
        ["average pool"] = ((t, x) => t.Square(t.AveragePool(x[0], Window.Same(x[0].Shape, 2, 2, 2))), -1, 1, [new(2, 3, 5, 2)]),
        ["gather"] = ((t, x) => t.Square(t.Gather(x[0], t.Constant([1, 1, 0, 2], new(2, 2)))), -1, 1, [new(2, 3)]),
        ["scatter-add"] = ((t, x) => t.Square(t.ScatterAdd(x[0], t.Constant([1, 1, 0, 2], new(2, 2)), new(2, 3))), -1, 1,
            [new(2, 2)]),
        ["add a row"] = ((t, x) => t.Square(t.AddRow(x[0], x[1])), -1, 1, [new(2, 3, 2), new(2, 1, 2)]),
        ["multiply by a row"] = ((t, x) => t.MultiplyRow(x[0], x[1]), -1, 1, [new(2, 3, 2), new(2, 1, 2)]),
        ["sum of products"] = ((t, x) => t.Square(t.SumProducts(x[0], x[1])), -1, 1, [new(2, 3, 2), new(2, 3, 2)]),
        ["sum of squares"] = ((t, x) => t.Square(t.SumProducts(x[0], x[0])), -1, 1, [new(2, 3, 2)]),
        ["batch normalisation"] = ((t, x) => t.BatchNormalise(x[0], x[1], x[2], 0.1), -1, 1,
            [new(2, 4, 3), new(2, 3), new(2, 3)]),
        ["a small network"] = ((t, x) => t.Square(t.MatMul(t.Tanh(t.MatMul(x[0], x[1])), x[2])), -1, 1,
            [new(2, 3), new(3, 4), new(4, 1)]),
    };

    public static TheoryData<string> Operations => [.. s_operations.Keys];

    [Theory, MemberData(nameof(Operations))]
    public void First_derivatives_agree_with_central_differences(string name)
    {
        using var setting = new Setting(name);
        setting.AgreesWithDifferences(createGraph: false);
    }

    [Theory, MemberData(nameof(Operations))]
    public void Second_derivatives_agree_with_central_differences(string name)
    {
        using var setting = new Setting(name);
        setting.AgreesWithDifferences(createGraph: true);
    }

    [Fact]
    public void Third_derivatives_come_by_themselves()
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        var x = tape.Variable(arena.Copy([0.3], new Shape(1)));
        var y = tape.Exp(tape.Scale(x, 2));
        for (var order = 1; order <= 3; order++)
        {
            Span<Tensor<double>> gradient = new Tensor<double>[1];
            tape.Gradient(y, [x], gradient, createGraph: true);
            y = gradient[0];
            Assert.Equal(Math.Pow(2, order) * Math.Exp(0.6), y.Span[0], 12);
        }
    }

    [Fact]
    public void A_leaf_without_influence_gets_zeros_and_a_constant_is_refused()
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        var (x, unused) = (tape.Variable(arena.Copy([1, 2], new Shape(2))), tape.Variable(arena.Copy([1, 2, 3], new Shape(3))));
        var loss = tape.Square(x);
        var later = tape.Variable(arena.Copy([5], new Shape(1)));
        var gradients = new Tensor<double>[3];
        tape.Gradient(loss, [x, unused, later], gradients);
        Assert.Equal([2.0, 4.0], gradients[0].Span.ToArray());
        Assert.Equal([0.0, 0.0, 0.0], gradients[1].Span.ToArray());
        Assert.Equal([0.0], gradients[2].Span.ToArray());
        tape.Gradient(tape.Detach(loss), [x], gradients.AsSpan(0, 1));
        Assert.Equal([0.0, 0.0], gradients[0].Span.ToArray());
        Assert.Throws<ArgumentException>(() => tape.Gradient(loss, [tape.Zeros(new Shape(2))], gradients.AsSpan(0, 1)));
    }

    [Fact]
    public void Nothing_is_recorded_while_recording_is_paused_or_without_variables()
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        tape.Exp(tape.Zeros(new Shape(2)));
        Assert.Equal(0, tape.Count);
        var x = tape.Variable(arena.Copy([1, 2], new Shape(2)));
        using (tape.PauseRecording()) Assert.Equal(-1, tape.Exp(x).Node);
        Assert.Equal(1, tape.Count);
        Assert.Equal(1, tape.Exp(x).Node);
    }

    [Fact]
    public void The_branch_not_taken_gives_no_NaN()
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        var x = tape.Variable(arena.Copy([0, 4], new Shape(2)));
        var y = tape.Where(tape.GreaterEqual(x, 1), tape.Exp(tape.Scale(x, 0.5)), tape.Square(x));
        var gradient = new Tensor<double>[1];
        tape.Gradient(y, [x], gradient);
        Assert.Equal([0, 0.5 * Math.Exp(2)], gradient[0].Span.ToArray());
    }

    [Fact]
    public void Wrong_shapes_are_refused_with_both_shapes_in_the_message()
    {
        using var tape = new Tape<float>(new ScalarKernels<float>());
        var (x, y) = (tape.Zeros(new Shape(2, 3)), tape.Zeros(new Shape(4, 5)));
        Action[] wrong =
        [
            () => tape.Add(x, y), () => tape.Where(x, x, y), () => tape.MatMul(x, y), () => tape.MatMul(x, y, true, true),
            () => tape.Concat(x, y, 0), () => tape.GreaterEqual(x, y), () => tape.SoftmaxCrossEntropy(x, y),
            () => tape.Convolve(x, y, default), () => tape.Gather(x, y), () => tape.ScatterAdd(x, x, y.Shape),
            () => tape.AddRow(x, y),
            () => tape.SumProducts(x, y), () => tape.BatchNormalise(x, y, y, 1),
        ];
        foreach (var action in wrong)
        {
            var message = Assert.Throws<ArgumentException>(action).Message;
            Assert.Contains("[2, 3]", message);
            Assert.Contains("[4, 5]", message);
        }
        Assert.Throws<ArgumentException>(() => tape.Slice(x, 1, 2, 2));
        Assert.Throws<ArgumentException>(() => tape.SumAxis(x, 2));
        Assert.Throws<ArgumentException>(() => tape.Broadcast(x, 0, 3));
        Assert.Throws<ArgumentException>(() => tape.Pad(x, 0, 1, 2));
        Assert.Throws<ArgumentException>(() => tape.Im2Col(x, Window.Same(x.Shape, 1, 1)));
        var images = tape.Zeros(new Shape(1, 2, 2, 1));
        Assert.Throws<ArgumentException>(
            () => tape.MaxPool(images, new Window(2, 2, 2, 0, 0, 2, 2))); // the second place has no pixel
    }

    [Fact]
    public void A_warm_tape_allocates_nothing()
    {
        using var kernels = new SimdKernels(2);
        using var tape = new Tape<float>(kernels);
        using var arena = new Arena<float>();
        var (memory, gradient) = (arena.Zeros(new Shape(400, 300)), new Tensor<float>[1]);
        for (var round = 0; round < 3; round++) Step();
        // What a step allocates, every batch of steps does; what the runtime does once (it compiles again, a lock grows), only
        // one.
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
            var x = tape.Variable(memory);
            var loss = tape.Sum(tape.Softmax(tape.MatMul(tape.Sigmoid(x), x, true)));
            tape.Gradient(loss, [x], gradient, createGraph: true);
        }
    }

    sealed class Setting : IDisposable
    {
        readonly Tape<double> _tape = new(new ScalarKernels<double>());
        readonly Arena<double> _arena = new();
        readonly Operation _apply;
        readonly Tensor<double>[] _values;
        readonly Dictionary<int, double[]> _weights = [];

        public Setting(string name)
        {
            var (apply, low, high, shapes) = s_operations[name];
            _apply = apply;
            _values = [.. shapes.Select(_arena.Take)];
            for (var i = 0; i < _values.Length; i++)
                new RandomStream(3, Split.Train, Purpose.Instance, (uint)i).FillUniform(_values[i].Span, low, high);
        }

        /// <summary>
        /// The scalar is a random weighting of the operation's result; with a graph, of its gradients, so that differentiating it
        /// again needs second derivatives.
        /// </summary>
        public void AgreesWithDifferences(bool createGraph)
        {
            var leaves = Leaves();
            var gradients = new Tensor<double>[leaves.Length];
            _tape.Gradient(Scalar(leaves, createGraph), leaves, gradients);
            var analytic = gradients.Select(g => g.Span.ToArray()).ToArray();
            const double h = 1e-5;
            for (var i = 0; i < _values.Length; i++)
            {
                for (var j = 0; j < _values[i].Count; j++)
                {
                    var difference = (At(i, j, h, createGraph) - At(i, j, -h, createGraph)) / (2 * h);
                    Assert.True(Math.Abs(difference - analytic[i][j]) < 1e-7 * Math.Max(1, Math.Abs(difference)),
                        $"input {i}, element {j}: {analytic[i][j]:R}; differences say {difference:R}.");
                }
            }
        }

        public void Dispose()
        {
            _tape.Dispose();
            _arena.Dispose();
        }

        double At(int input, int element, double shift, bool createGraph)
        {
            var before = _values[input].Span[element];
            _values[input].Span[element] += shift;
            var result = Scalar(Leaves(), createGraph).Span[0];
            _values[input].Span[element] = before;
            return result;
        }

        Tensor<double>[] Leaves()
        {
            _tape.Reset();
            return [.. _values.Select(_tape.Variable)];
        }

        Tensor<double> Scalar(Tensor<double>[] leaves, bool createGraph)
        {
            var result = Weighted(_apply(_tape, leaves), 100);
            if (!createGraph) return result;
            var gradients = new Tensor<double>[leaves.Length];
            _tape.Gradient(result, leaves, gradients, createGraph: true);
            var sum = Weighted(gradients[0], 101);
            for (var i = 1; i < gradients.Length; i++) sum = _tape.Add(sum, Weighted(gradients[i], 101 + i));
            return sum;
        }

        Tensor<double> Weighted(Tensor<double> x, int salt)
        {
            if (!_weights.TryGetValue(salt, out var weights))
            {
                weights = _weights[salt] = new double[x.Count];
                new RandomStream(3, Split.Train, Purpose.Instance, (uint)salt).FillUniform(weights.AsSpan(), -1, 1);
            }
            return _tape.Sum(_tape.Multiply(x, _tape.Constant(weights, x.Shape)));
        }
    }
}

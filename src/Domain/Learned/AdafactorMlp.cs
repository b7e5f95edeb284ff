using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// A tiny network on features of several time scales (Metz et al., 2022, with the features of AdafacMLPLOpt in
/// google/learned_optimization): theta, gradient, momenta, mean square, the factored second moments of Adafactor (Shazeer and
/// Stern,
/// 2018) and their products, each divided by its root mean square over the tensor; an embedding of the step; two hidden layers.
/// Two outputs make the update -direction exp(0.001 magnitude) 0.001. Decays are learned as log(1 - decay) / 10. Tensors of more
/// than two axes are factored as [all but the last, last]; the source takes the two longest axes.
/// </summary>
public sealed class AdafactorMlp(AdafactorMlp.Options options) : ILearnedOptimizer
{
    const int Scales = 3;
    const int TensorFeatures = 28;
    const int FirstWeight = 3;
    static readonly double[] s_momenta = [0.9, 0.99, 0.999];
    static readonly double[] s_timeScales = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];

    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "adafactor-mlp",
        "A small MLP on momenta, second moments and Adafactor's factored ones: g_t = -0.001 * direction * exp(0.001 * "
        + "magnitude).",
        "Metz et al. 2022, arXiv:2203.11860; google/learned_optimization, AdafacMLPLOpt");

    /// <summary>Sizes and the step's scale.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Units of each hidden layer.</summary>
        [Length(1, 4), Bounds(1, 64)]
        public IReadOnlyList<int> Hidden { get; init; } = [4, 4];

        /// <summary>Factor on the update.</summary>
        [Bounds(1e-6, 10)]
        public double StepScale { get; init; } = 0.001;

        /// <summary>Factor on the second output before its exponential.</summary>
        [Bounds(1e-6, 1)]
        public double MagnitudeScale { get; init; } = 0.001;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new AdafactorMlp(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } = Tensors(options).ToList();

    static IEnumerable<ParameterTensor> Tensors(Options options)
    {
        yield return new("momentumDecays", new Shape(Scales));
        yield return new("squareDecay", new Shape(1));
        yield return new("factorDecays", new Shape(Scales));
        var inputs = TensorFeatures + s_timeScales.Length;
        foreach (var (l, units) in options.Hidden.Append(2).Index())
        {
            yield return new($"layer.{l}.weight", new Shape(units, inputs));
            yield return new($"layer.{l}.bias", new Shape(units));
            inputs = units;
        }
    }

    /// <inheritdoc/>
    public bool IsCoordinatewise => false;

    /// <summary>
    /// The step; of each tensor momenta, mean square, and the factored ones: rows and columns, or all of a vector's.
    /// </summary>
    public IReadOnlyList<Shape> State(Layout layout) =>
        [new(1, 1), .. layout.Tensors.SelectMany(tensor => StateOf(layout.Batch, tensor.Shape))];

    static IEnumerable<Shape> StateOf(int batch, Shape shape)
    {
        var (rows, columns) = Matrix(shape);
        yield return new(Scales, batch * shape.Count);
        yield return new(1, batch * shape.Count);
        yield return new(Scales, batch * rows);
        yield return new(Scales, batch * columns);
    }

    /// <summary>A vector is one column: nothing is gained by factoring it.</summary>
    static (int Rows, int Columns) Matrix(Shape shape) =>
        shape.Rank < 2 ? (shape.Count, 1) : (shape.Count / shape[shape.Rank - 1], shape[shape.Rank - 1]);

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi)
    {
        Layers.Initialise(MetaParameters, seed, phi, _ => 1);
        for (var i = 0; i < Scales; i++) phi[i] = phi[Scales + 1 + i] = (float)(Math.Log(1 - s_momenta[i]) / 10);
        phi[Scales] = (float)(Math.Log(1 - 0.999) / 10);
    }

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (batch, all) = (input.Layout.Batch, input.Layout.PerInstance);
        var gradients = tape.Reshape(input.Gradient, new Shape(batch, all));
        var thetas = tape.Reshape(input.Theta, gradients.Shape);
        var stepTerm = StepTerm(tape, input.Phi, state[0]);
        state[0] = tape.AddScalar(state[0], T.One);
        var (updates, first, at) = (default(Tensor<T>), 0, 1);
        for (var t = 0; t < input.Layout.Tensors.Count; t++)
        {
            var shape = input.Layout.Tensors[t].Shape;
            var row = new Shape(1, batch * shape.Count);
            var gradient = tape.Reshape(tape.Slice(gradients, 1, first, shape.Count), row);
            var theta = tape.Reshape(tape.Slice(thetas, 1, first, shape.Count), row);
            var features = new Features<T>(tape, input.Phi, batch, Matrix(shape));
            features.Add(gradient, theta, state.Slice(at, 4));
            var update = Network(tape, input.Phi, tape.Add(features.Sum, tape.Broadcast(stepTerm, 1, row.D1)));
            var padded = tape.Pad(tape.Reshape(update, new Shape(batch, shape.Count)), 1, first, all);
            updates = first == 0 ? padded : tape.Add(updates, padded);
            (first, at) = (first + shape.Count, at + 4);
        }
        return tape.Reshape(updates, input.Gradient.Shape);
    }

    /// <summary>The first layer's bias and the contribution of tanh(t / scale - 1) to it: [units, 1].</summary>
    static Tensor<T> StepTerm<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, Tensor<T> step)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var rates = tape.Scratch(new Shape(s_timeScales.Length, 1));
        using (var perStep = rates.Write())
            for (var i = 0; i < rates.Count; i++) perStep.Span[i] = T.CreateTruncating(1 / s_timeScales[i]);
        var embedding = tape.Tanh(tape.AddScalar(tape.MatMul(rates, step), -T.One));
        var weight = tape.Slice(phi[FirstWeight], 1, TensorFeatures, rates.Count);
        return Layers.Dense(tape, weight, phi[FirstWeight + 1], embedding);
    }

    /// <summary>The layers after the first one's sums: the update of one tensor, [1, n].</summary>
    Tensor<T> Network<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, Tensor<T> x)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (var layer = FirstWeight + 2; layer < phi.Length; layer += 2)
            x = Layers.Dense(tape, phi[layer], phi[layer + 1], tape.Relu(x));
        var magnitude = tape.Exp(tape.Scale(tape.Slice(x, 0, 1, 1), T.CreateTruncating(options.MagnitudeScale)));
        return tape.Scale(tape.Multiply(tape.Slice(x, 0, 0, 1), magnitude), T.CreateTruncating(-options.StepScale));
    }

    /// <summary>
    /// The features of one tensor in all instances, [k, B size], and the first layer's weighted sum of them: features are never
    /// put together, each is multiplied with its own columns of the weights.
    /// </summary>
    ref struct Features<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, int batch, (int Rows, int Columns) matrix)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly ReadOnlySpan<Tensor<T>> _phi = phi;
        int _count;

        public Tensor<T> Sum { get; private set; }

        public void Add(Tensor<T> gradient, Tensor<T> theta, Span<Tensor<T>> state)
        {
            var square = tape.Square(gradient);
            state[0] = Average(state[0], Repeat(gradient), _phi[0]);
            state[1] = Average(state[1], square, _phi[1]);
            state[2] = Average(state[2], Repeat(Mean(square, true)), _phi[2]);
            state[3] = Average(state[3], Repeat(Mean(square, false)), _phi[2]);
            var (momenta, inverseRoot) = (state[0], InverseRoot(state[1], 1e-6));
            var rows = Spread(state[2], true);
            var columns = matrix.Columns == 1 ? rows : Spread(state[3], false);
            var factor = matrix.Columns == 1 ? InverseRoot(rows, 1e-9) : Factor(state[2], columns);
            Add(gradient);
            Add(theta);
            Add(momenta);
            Add(state[1]);
            Add(tape.Multiply(momenta, Repeat(inverseRoot)));
            Add(inverseRoot);
            Add(tape.Multiply(Repeat(gradient), factor));
            Add(rows);
            Add(columns);
            Add(InverseRoot(rows, 1e-8));
            Add(InverseRoot(columns, 1e-8));
            Add(tape.Multiply(momenta, factor));
        }

        /// <summary>Adafactor's 1 / sqrt(row column / mean row).</summary>
        readonly Tensor<T> Factor(Tensor<T> rows, Tensor<T> columns)
        {
            var byInstance = tape.Reshape(rows, new Shape(Scales * batch, matrix.Rows));
            var mean = tape.Scale(tape.SumAxis(byInstance, 1), T.One / T.CreateTruncating(matrix.Rows));
            var relative = Layers.DivideRows(tape, byInstance, tape.AddScalar(mean, T.CreateTruncating(1e-9)));
            var rowFactor = Spread(tape.Reshape(InverseRoot(relative, 1e-9), rows.Shape), true);
            return tape.Multiply(rowFactor, InverseRoot(columns, 1e-9));
        }

        /// <summary>
        /// Divides x [k, B size] by its root mean square over the tensor, and adds its part of the first layer.
        /// </summary>
        void Add(Tensor<T> x)
        {
            var (k, size) = (x.Shape.D0, matrix.Rows * matrix.Columns);
            var byInstance = tape.Reshape(x, new Shape(k * batch, size));
            var mean = tape.Scale(tape.SumAxis(tape.Square(byInstance), 1), T.One / T.CreateTruncating(size));
            var scaled = tape.Reshape(Layers.MultiplyRows(tape, byInstance, InverseRoot(mean, 1e-5)), x.Shape);
            var part = tape.MatMul(tape.Slice(_phi[FirstWeight], 1, _count, k), scaled);
            Sum = _count == 0 ? part : tape.Add(Sum, part);
            _count += k;
        }

        readonly Tensor<T> InverseRoot(Tensor<T> x, double epsilon)
        {
            var logarithm = tape.Log(tape.AddScalar(x, T.CreateTruncating(epsilon)));
            return tape.Exp(tape.Scale(logarithm, T.CreateTruncating(-0.5)));
        }

        /// <summary>A row for each time scale.</summary>
        readonly Tensor<T> Repeat(Tensor<T> row) => tape.Broadcast(row, 0, Scales);

        /// <summary>decay x' + (1 - decay) x with a learned decay for each row, 1 - decay = e^(10 phi).</summary>
        readonly Tensor<T> Average(Tensor<T> average, Tensor<T> x, Tensor<T> decays)
        {
            var take = tape.Exp(tape.Scale(tape.Reshape(decays, new Shape(decays.Count, 1)), T.CreateTruncating(10)));
            return tape.Add(average, Layers.MultiplyRows(tape, tape.Subtract(x, average), take));
        }

        /// <summary>
        /// The mean of each row of every matrix (over its columns), or of each column: [1, B rows] or [1, B columns].
        /// </summary>
        readonly Tensor<T> Mean(Tensor<T> x, bool ofRows)
        {
            var sum = tape.SumAxis(tape.Reshape(x, new Shape(batch, matrix.Rows, matrix.Columns)), ofRows ? 2 : 1);
            return tape.Scale(tape.Reshape(sum, new Shape(1, sum.Count)),
                T.One / T.CreateTruncating(ofRows ? matrix.Columns : matrix.Rows));
        }

        /// <summary>Back to [k, B size]: each element gets its row's value, or its column's.</summary>
        readonly Tensor<T> Spread(Tensor<T> x, bool rows)
        {
            var k = x.Shape.D0;
            var shape = rows ? new Shape(k * batch, matrix.Rows, 1) : new Shape(k * batch, 1, matrix.Columns);
            var spread = tape.Broadcast(tape.Reshape(x, shape), rows ? 2 : 1, rows ? matrix.Columns : matrix.Rows);
            return tape.Reshape(spread, new Shape(k, batch * matrix.Rows * matrix.Columns));
        }
    }
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// Three levels of recurrent networks (Wichrowska et al., 2017): a small GRU for each coordinate, one for each tensor that sees
/// the mean of its coordinates' states, one for the instance that sees the mean of its tensors'; the upper ones bias the lower
/// ones. Inputs are scaled to size one: averaged gradients of several time scales divided by their root mean square, the
/// logarithms of these relative to their mean, and the log step sizes relative to theirs. The output is scaled too: a direction
/// of mean square 1 in each tensor, times a step size that the network changes by its own output. As in the published code, the
/// scaled gradients also have a direct way to the direction. Simplified: decays and the rate's momentum are fixed, and gradients
/// are taken at theta alone (no attention).
/// </summary>
public sealed class HierarchicalRnn(HierarchicalRnn.Options options) : ILearnedOptimizer
{
    const double Epsilon = 1e-16;
    const double RateMomentum = 0.9;
    const double MostRateChange = 1;

    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "hierarchical-rnn",
        "GRUs for each coordinate, tensor and instance on scaled averaged gradients: g_t = exp(rate) * direction / "
        + "rms(direction).",
        "Wichrowska et al. 2017, arXiv:1703.04813");

    /// <summary>Sizes and time scales.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Units of a coordinate's GRU.</summary>
        [Bounds(1, 64)]
        public int Units { get; init; } = 10;

        /// <summary>Units of a tensor's GRU.</summary>
        [Bounds(1, 64)]
        public int TensorUnits { get; init; } = 20;

        /// <summary>Units of the instance's GRU.</summary>
        [Bounds(1, 64)]
        public int GlobalUnits { get; init; } = 20;

        /// <summary>
        /// Time scales of averaged gradients; scale s = 0, 1, .. has the decay 0.9 to the power 2^-s, so windows double.
        /// </summary>
        [Bounds(1, 8)]
        public int Scales { get; init; } = 4;

        /// <summary>Step size before meta-training.</summary>
        [Bounds(1e-9, 10)]
        public double InitialLearningRate { get; init; } = 0.001;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new HierarchicalRnn(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } =
    [
        .. Gru("coordinate", 2 * options.Scales + 1 + options.TensorUnits, options.Units),
        .. Gru("tensor", options.Units + options.GlobalUnits, options.TensorUnits),
        .. Gru("global", options.TensorUnits, options.GlobalUnits),
        new("output.weight", new Shape(2, options.Units)),
        new("shortcut", new Shape(1, options.Scales)),
        new("logLearningRate", new Shape(1, 1)),
    ];

    static IEnumerable<ParameterTensor> Gru(string name, int inputs, int units) =>
    [
        new($"{name}.gates.weight", new Shape(2 * units, inputs + units)),
        new($"{name}.gates.bias", new Shape(2 * units)),
        new($"{name}.candidate.weight", new Shape(units, inputs + units)),
        new($"{name}.candidate.bias", new Shape(units)),
    ];

    /// <inheritdoc/>
    public bool IsCoordinatewise => false;

    /// <summary>
    /// Averages of gradients and of their squares, the weights of both (1 - decay^t), log step size relative to the initial one
    /// and its running mean, states of the coordinates', tensors' and instances' GRUs.
    /// </summary>
    public IReadOnlyList<Shape> State(Layout layout) =>
    [
        new(options.Scales, layout.Count), new(options.Scales, layout.Count), new(options.Scales, 1), new(1, layout.Count),
        new(1, layout.Count),
        new(options.Units, layout.Count), new(options.TensorUnits, layout.Batch * layout.Tensors.Count),
        new(options.GlobalUnits, layout.Batch),
    ];

    /// <summary>
    /// The direct way starts as the mean over the scales, downhill; the networks' outputs start at a tenth of the usual size.
    /// </summary>
    public void Initialise(ulong seed, Span<float> phi)
    {
        Layers.Initialise(MetaParameters, seed, phi, name => name == "output.weight" ? 0.1 : 1);
        phi.Slice(phi.Length - 1 - options.Scales, options.Scales).Fill(-1f / options.Scales);
        phi[^1] = (float)Math.Log(options.InitialLearningRate);
    }

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var phi = input.Phi;
        var tensors = new ByTensor<T>(tape, input.Layout);
        var (scaled, magnitudes) = Scaled(tape, input.Gradient, state);
        var rates = tape.Subtract(state[3], tensors.Spread(tensors.Mean(state[3])));
        var fromAbove = tensors.Spread(state[6]);
        var x = tape.Concat(tape.Concat(scaled, magnitudes, 0), tape.Concat(rates, fromAbove, 0), 0);
        state[5] = Gru(tape, phi, x, state[5]);
        state[6] = Gru(tape, phi[4..], tape.Concat(tensors.Mean(state[5]), tensors.SpreadGlobal(state[7]), 0), state[6]);
        state[7] = Gru(tape, phi[8..], tensors.MeanOfTensors(state[6]), state[7]);

        var output = tape.MatMul(phi[^3], state[5]);
        var direction = tape.Add(tape.Slice(output, 0, 0, 1), tape.MatMul(phi[^2], scaled));
        var size = tape.Sqrt(tape.AddScalar(tensors.Mean(tape.Square(direction)), T.CreateTruncating(Epsilon)));
        direction = tape.Divide(direction, tensors.Spread(size));
        var change = tape.Clamp(tape.Slice(output, 0, 1, 1), T.CreateTruncating(-MostRateChange),
            T.CreateTruncating(MostRateChange));
        state[3] = tape.Add(state[4], change);
        state[4] = Layers.Average(tape, state[4], state[3], RateMomentum);
        var rate = tape.Exp(tape.Add(state[3], tape.Broadcast(phi[^1], 1, state[3].Shape.D1)));
        return tape.Multiply(rate, direction);
    }

    /// <summary>
    /// m_s / sqrt(v_s), and log v_s relative to its mean over the time scales, [Scales, N] each; advances the averages.
    /// </summary>
    (Tensor<T> Scaled, Tensor<T> Magnitudes) Scaled<T>(Tape<T> tape, Tensor<T> gradient, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var scales = options.Scales;
        var take = tape.Scratch(new Shape(scales, 1));
        using (var shares = take.Write())
            for (var s = 0; s < scales; s++) shares.Span[s] = T.CreateTruncating(1 - Math.Pow(0.9, Math.Pow(0.5, s)));
        var gradients = tape.Broadcast(gradient, 0, scales);
        state[0] = Towards(state[0], gradients);
        state[1] = Towards(state[1], tape.Square(gradients));
        state[2] = tape.Add(state[2], tape.Multiply(tape.AddScalar(tape.Negate(state[2]), T.One), take));
        var square = tape.AddScalar(Layers.DivideRows(tape, state[1], state[2]), T.CreateTruncating(Epsilon));
        var scaled = tape.Divide(Layers.DivideRows(tape, state[0], state[2]), tape.Sqrt(square));
        var logarithm = tape.Log(square);
        var mean = tape.Scale(tape.SumAxis(logarithm, 0), T.One / T.CreateTruncating(scales));
        return (scaled, tape.Subtract(logarithm, tape.Broadcast(mean, 0, scales)));

        Tensor<T> Towards(Tensor<T> average, Tensor<T> x) =>
            tape.Add(average, Layers.MultiplyRows(tape, tape.Subtract(x, average), take));
    }

    /// <summary>A GRU layer (Cho et al., 2014); phi begins with its weights. x [inputs, n], hidden [units, n].</summary>
    static Tensor<T> Gru<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, Tensor<T> x, Tensor<T> hidden)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var units = hidden.Shape.D0;
        var gates = tape.Sigmoid(Layers.Dense(tape, phi[0], phi[1], tape.Concat(x, hidden, 0)));
        var kept = tape.Multiply(tape.Slice(gates, 0, units, units), hidden);
        var candidate = tape.Tanh(Layers.Dense(tape, phi[2], phi[3], tape.Concat(x, kept, 0)));
        return tape.Add(hidden, tape.Multiply(tape.Slice(gates, 0, 0, units), tape.Subtract(candidate, hidden)));
    }

    /// <summary>
    /// Between coordinates [k, B P], tensors [k, B tensors] and instances [k, B]: products with matrices of zeros and ones.
    /// </summary>
    readonly ref struct ByTensor<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly Tape<T> _tape;
        readonly Layout _layout;
        readonly Tensor<T> _members, _means; // [tensors, P]

        public ByTensor(Tape<T> tape, Layout layout)
        {
            (_tape, _layout) = (tape, layout);
            _members = tape.Zeros(new Shape(layout.Tensors.Count, layout.PerInstance));
            _means = tape.Zeros(_members.Shape);
            using var members = _members.Edit();
            using var means = _means.Edit();
            var at = 0;
            for (var t = 0; t < layout.Tensors.Count; t++)
            {
                var count = layout.Tensors[t].Shape.Count;
                members.Span.Slice(t * layout.PerInstance + at, count).Fill(T.One);
                means.Span.Slice(t * layout.PerInstance + at, count).Fill(T.One / T.CreateTruncating(count));
                at += count;
            }
        }

        public Tensor<T> Mean(Tensor<T> x) => Product(x, _layout.PerInstance, _means, true, _layout.Tensors.Count);

        public Tensor<T> Spread(Tensor<T> x) => Product(x, _layout.Tensors.Count, _members, false, _layout.PerInstance);

        public Tensor<T> MeanOfTensors(Tensor<T> x)
        {
            var sum = _tape.SumAxis(_tape.Reshape(x, new Shape(x.Shape.D0 * _layout.Batch, _layout.Tensors.Count)), 1);
            return _tape.Scale(_tape.Reshape(sum, new Shape(x.Shape.D0, _layout.Batch)),
                T.One / T.CreateTruncating(_layout.Tensors.Count));
        }

        public Tensor<T> SpreadGlobal(Tensor<T> x)
        {
            var (k, count) = (x.Shape.D0, _layout.Tensors.Count);
            var spread = _tape.Broadcast(_tape.Reshape(x, new Shape(x.Count, 1)), 1, count);
            return _tape.Reshape(spread, new Shape(k, _layout.Batch * count));
        }

        Tensor<T> Product(Tensor<T> x, int from, Tensor<T> matrix, bool transpose, int to)
        {
            var byInstance = _tape.Reshape(x, new Shape(x.Shape.D0 * _layout.Batch, from));
            return _tape.Reshape(_tape.MatMul(byInstance, matrix, transposeY: transpose),
                new Shape(x.Shape.D0, _layout.Batch * to));
        }
    }
}

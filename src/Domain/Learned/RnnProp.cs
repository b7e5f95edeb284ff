using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// RNNprop: the network sees the gradient and its mean divided by their root mean square, so their scale does not matter, and its
/// update is bounded: delta = -scale tanh(.) (Lv, Jiang and Li, 2017, section 4.2). Dense + ELU, two LSTM layers, dense. A
/// gradient that was always zero gives features of zero.
/// </summary>
public sealed class RnnProp(RnnProp.Options options) : ILearnedOptimizer
{
    const double Epsilon = 1e-8;

    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "rnnprop",
        "RNNprop: g_t = -scale * tanh(net(m / sqrt(v), grad / sqrt(v))), m and v running means as in Adam.",
        "Lv, Jiang and Li 2017, arXiv:1703.03633, section 4.2");

    /// <summary>Sizes, decays, output scale.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Units of the dense layer that sees the two features.</summary>
        [Bounds(1, 64)]
        public int Features { get; init; } = 20;

        /// <summary>Units of each LSTM layer.</summary>
        [Length(1, 3), Bounds(1, 64)]
        public IReadOnlyList<int> Layers { get; init; } = [20, 20];

        /// <summary>Decay of the mean of gradients.</summary>
        [Bounds(0, 0.999999)]
        public double Beta1 { get; init; } = 0.95;

        /// <summary>Decay of the mean of squared gradients.</summary>
        [Bounds(0, 0.999999)]
        public double Beta2 { get; init; } = 0.95;

        /// <summary>Bound on a coordinate's update.</summary>
        [Bounds(1e-6, 10)]
        public double OutputScale { get; init; } = 0.1;

        /// <summary>
        /// Initial weights of the output layer are zero: meta-training starts from an optimizer that does nothing.
        /// </summary>
        public bool ZeroOutput { get; init; } = true;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new RnnProp(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } =
    [
        new("input.weight", new Shape(options.Features, 2)),
        new("input.bias", new Shape(options.Features)),
        .. Layers.LstmTensors(options.Features, options.Layers),
        new("output.weight", new Shape(1, options.Layers[^1])),
        new("output.bias", new Shape(1)),
    ];

    readonly LstmShape _shape = new(
        options.Layers, 0, -options.OutputScale,
        moments: new LstmMoments(options.Features, options.Beta1, options.Beta2, Layers.SmallestSquare, Epsilon));

    /// <inheritdoc/>
    public bool IsCoordinatewise => true;

    /// <inheritdoc/>
    public bool IsFused => true;

    /// <inheritdoc/>
    public bool ComputesOnDevices => true;

    /// <summary>m, v, their weights 1 - beta^t, and the LSTM's.</summary>
    public IReadOnlyList<Shape> State(Layout layout) =>
        [new(1, layout.Count), new(1, layout.Count), new(1, 1), new(1, 1), .. Layers.LstmState(options.Layers, layout)];

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi) => Layers.Initialise(
        MetaParameters, seed, phi, name => options.ZeroOutput && name == "output.weight" ? 0 : 1);

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var gradient = input.Gradient;
        var phi = input.Phi;
        state[0] = Layers.Average(tape, state[0], gradient, options.Beta1);
        state[1] = Layers.Average(tape, state[1], tape.Square(gradient), options.Beta2);
        state[2] = Layers.Weight(tape, state[2], options.Beta1);
        state[3] = Layers.Weight(tape, state[3], options.Beta2);
        var root = Layers.Root(tape, Layers.DivideRows(tape, state[1], state[3]));
        root = tape.AddScalar(root, T.CreateTruncating(Epsilon));
        var mean = Layers.DivideRows(tape, state[0], state[2]);
        var x = tape.Concat(tape.Divide(mean, root), tape.Divide(gradient, root), 0);
        x = tape.Elu(Layers.Dense(tape, phi[0], phi[1], x));
        for (var l = 0; l < options.Layers.Count; l++)
        {
            ref var hidden = ref state[5 + 2 * l];
            (state[4 + 2 * l], hidden) = Layers.Lstm(tape, phi[2 + 2 * l], phi[3 + 2 * l], x, state[4 + 2 * l], hidden);
            x = hidden;
        }
        return tape.Scale(tape.Tanh(Layers.Dense(tape, phi[^2], phi[^1], x)), T.CreateTruncating(-options.OutputScale));
    }

    /// <inheritdoc/>
    public ILearnedState<T> Start<T>(IKernels<T> kernels, Layout layout) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new FusedLstm<T>(kernels, _shape, layout.Count);
}

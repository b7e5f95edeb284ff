using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>Features of a gradient's coordinate.</summary>
public enum Preprocessing
{
    /// <summary>The gradient itself.</summary>
    None,
    /// <summary>(log|g| / p, sign g), appendix A.</summary>
    LogAndSign,
}

/// <summary>
/// The paper's optimizer: one small LSTM, shared by all coordinates, each with its own state (Andrychowicz et al., 2016,
/// section 2.1), with or without forget gates.
/// </summary>
public sealed class CoordinatewiseLstm(CoordinatewiseLstm.Options options) : ILearnedOptimizer
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "lstm",
        "Coordinatewise LSTM: g_t = scale * (w . h_t + b), one network shared by all coordinates, each with its own state.",
        "Andrychowicz et al. 2016, arXiv:1606.04474, section 2.1 and appendix A");

    /// <summary>Layers, preprocessing, output scale.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Units of each layer; an empty list makes the rule linear in its features.</summary>
        [Length(0, 3), Bounds(1, 64)]
        public IReadOnlyList<int> Layers { get; init; } = [20, 20];

        /// <summary>Features of a gradient.</summary>
        public Preprocessing Preprocessing { get; init; } = Preprocessing.LogAndSign;

        /// <summary>p of appendix A: gradients below e^-p are passed on linearly.</summary>
        [Bounds(1, 40)]
        public double PreprocessingExponent { get; init; } = 10;

        /// <summary>Factor on the update: 0.1 in the paper's MNIST experiments.</summary>
        [Bounds(1e-6, 10)]
        public double OutputScale { get; init; } = 0.1;

        /// <summary>
        /// Gers' cells, c' = f c + i g. Without: the cells of Hochreiter and Schmidhuber (1997), c' = c + i g, as in Hochreiter
        /// et al. (2001).
        /// </summary>
        public bool ForgetGates { get; init; } = true;

        /// <summary>
        /// Initial weights of the output layer are zero, so that meta-training starts from an optimizer that does nothing. With
        /// random ones some seeds walk every network into saturation before they learn anything (measured on MNIST).
        /// </summary>
        public bool ZeroOutput { get; init; } = true;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new CoordinatewiseLstm(this);
    }

    readonly LstmShape _shape = new(
        [.. options.Layers],
        options.Preprocessing == Preprocessing.LogAndSign ? options.PreprocessingExponent : 0,
        options.OutputScale,
        options.ForgetGates);

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } = Tensors(options);

    /// <inheritdoc/>
    public bool IsCoordinatewise => true;

    /// <inheritdoc/>
    public bool IsFused => true;

    /// <inheritdoc/>
    public bool ComputesOnDevices => true;

    /// <inheritdoc/>
    public IReadOnlyList<Shape> State(Layout layout) => [.. Layers.LstmState(options.Layers, layout)];

    static IReadOnlyList<ParameterTensor> Tensors(Options options)
    {
        var inputs = Layers.FeatureCount(options.Preprocessing);
        return
        [
            .. Layers.LstmTensors(inputs, options.Layers, options.ForgetGates ? 4 : 3),
            new("output.weight", new Shape(1, options.Layers.Count == 0 ? inputs : options.Layers[^1])),
            new("output.bias", new Shape(1)),
        ];
    }

    /// <summary>Weights N(0, 1 / columns), biases zero but the forget gates' 1.</summary>
    public void Initialise(ulong seed, Span<float> phi) => Layers.Initialise(
        MetaParameters, seed, phi, name => options.ZeroOutput && name.StartsWith("output", StringComparison.Ordinal) ? 0 : 1,
        options.ForgetGates);

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var phi = input.Phi;
        var x = Layers.Features(tape, input.Gradient, options.Preprocessing, options.PreprocessingExponent);
        for (var l = 0; l < 2 * options.Layers.Count; l += 2)
        {
            (state[l], state[l + 1]) = Layers.Lstm(tape, phi[l], phi[l + 1], x, state[l], state[l + 1], options.ForgetGates);
            x = state[l + 1];
        }
        return tape.Scale(Layers.Dense(tape, phi[^2], phi[^1], x), T.CreateTruncating(options.OutputScale));
    }

    /// <inheritdoc/>
    public ILearnedState<T> Start<T>(IKernels<T> kernels, Layout layout) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new FusedLstm<T>(kernels, _shape, layout.Count);
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>What the network sees of a gradient coordinate.</summary>
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

        /// <summary>What the network sees of a gradient.</summary>
        public Preprocessing Preprocessing { get; init; } = Preprocessing.LogAndSign;

        /// <summary>p of appendix A: gradients below e^-p are passed on linearly.</summary>
        [Bounds(1, 40)]
        public double PreprocessingExponent { get; init; } = 10;

        /// <summary>Factor on the update: 0.1 in the paper's MNIST experiments.</summary>
        [Bounds(1e-6, 10)]
        public double OutputScale { get; init; } = 0.1;

        /// <summary>
        /// Gers' cells, c' = f c + i g. Without: the cells of Hochreiter and Schmidhuber (1997), c' = c + i g, as in Hochreiter et al. (2001).
        /// </summary>
        public bool ForgetGates { get; init; } = true;

        /// <summary>
        /// Initial weights of the output layer are zero, so that meta-training starts from an optimizer that does nothing. With random
        /// ones some seeds walk every network into saturation before they learn anything (measured on MNIST).
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
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } = Tensors(options).ToList();

    /// <inheritdoc/>
    public int StatePerCoordinate => _shape.StatePerCoordinate;

    static IEnumerable<ParameterTensor> Tensors(Options options)
    {
        var (inputs, gates) = (options.Preprocessing == Preprocessing.LogAndSign ? 2 : 1, options.ForgetGates ? 4 : 3);
        for (var l = 0; l < options.Layers.Count; l++)
        {
            var units = options.Layers[l];
            yield return new($"lstm.{l}.weight", new Shape(gates * units, inputs + units));
            yield return new($"lstm.{l}.bias", new Shape(gates * units));
            inputs = units;
        }
        yield return new("output.weight", new Shape(1, inputs));
        yield return new("output.bias", new Shape(1));
    }

    /// <summary>Weights N(0, 1 / columns), biases zero but the forget gates' 1.</summary>
    public void Initialise(ulong seed, Span<float> phi)
    {
        uint tensor = 0;
        foreach (var (name, shape) in MetaParameters)
        {
            var values = phi[..shape.Count];
            phi = phi[shape.Count..];
            var isOutput = name.StartsWith("output", StringComparison.Ordinal);
            values.Clear();
            if (shape.Rank == 2 && !(isOutput && options.ZeroOutput))
                new RandomStream(seed, Split.Train, Purpose.MetaParameters, tensor).FillNormal(values, 1 / Math.Sqrt(shape.D1));
            else if (shape.Rank == 1 && !isOutput && options.ForgetGates)
                values.Slice(shape.Count / 4, shape.Count / 4).Fill(1);
            tensor++;
        }
    }

    /// <inheritdoc/>
    public (Tensor<T> Update, Tensor<T> State) Step<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, Tensor<T> gradient, Tensor<T> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var n = gradient.Shape.D1;
        var x = _shape.PreprocessingExponent > 0 ? LogAndSign(tape, gradient) : gradient;
        var (row, newState) = (0, default(Tensor<T>));
        for (var l = 0; l < options.Layers.Count; l++)
        {
            var units = options.Layers[l];
            var cell = tape.Slice(state, 0, row, units);
            var hidden = tape.Slice(state, 0, row + units, units);
            var gates = tape.Add(tape.MatMul(phi[2 * l], tape.Concat(x, hidden, 0)), Columns(tape, phi[2 * l + 1], n));
            var (candidates, outputs) = ((_shape.Gates - 2) * units, (_shape.Gates - 1) * units);
            var input = tape.Sigmoid(tape.Slice(gates, 0, 0, units));
            var candidate = tape.Tanh(tape.Slice(gates, 0, candidates, units));
            var output = tape.Sigmoid(tape.Slice(gates, 0, outputs, units));
            if (_shape.ForgetGates) cell = tape.Multiply(tape.Sigmoid(tape.Slice(gates, 0, units, units)), cell);
            cell = tape.Add(cell, tape.Multiply(input, candidate));
            x = tape.Multiply(output, tape.Tanh(cell));
            var layerState = tape.Concat(cell, x, 0);
            newState = l == 0 ? layerState : tape.Concat(newState, layerState, 0);
            row += 2 * units;
        }
        var update = tape.Add(tape.MatMul(phi[^2], x), Columns(tape, phi[^1], n));
        return (tape.Scale(update, T.CreateTruncating(_shape.OutputScale)), options.Layers.Count == 0 ? state : newState);
    }

    static Tensor<T> Columns<T>(Tape<T> tape, Tensor<T> bias, int n) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Expand(tape.Reshape(bias, new Shape(bias.Count, 1)), 1, n);

    /// <summary>Appendix A, written with clamps: the same values, and differentiable where the formula is.</summary>
    Tensor<T> LogAndSign<T>(Tape<T> tape, Tensor<T> gradient) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var p = T.CreateTruncating(_shape.PreprocessingExponent);
        var size = tape.Scale(tape.Log(tape.Maximum(tape.Abs(gradient), T.Exp(-p))), T.One / p);
        var sign = tape.Clamp(tape.Scale(gradient, T.Exp(p)), -T.One, T.One);
        return tape.Concat(size, sign, 0);
    }

    /// <inheritdoc/>
    public ILearnedState<T> Start<T>(IKernels<T> kernels, int coordinates) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new FusedState<T>(kernels, _shape, coordinates);

    sealed class FusedState<T> : ICoordinatewiseState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly IKernels<T> _kernels;
        readonly LstmShape _shape;
        readonly Arena<T> _arena = new();
        readonly Tensor<T> _packed;

        public FusedState(IKernels<T> kernels, LstmShape shape, int coordinates)
        {
            (_kernels, _shape) = (kernels, shape);
            State = _arena.Zeros(new Shape(shape.StateElements(coordinates)));
            _packed = _arena.Take(new Shape(shape.PackedElements));
        }

        public Tensor<T> State { get; }

        public void SetParameters(ReadOnlySpan<T> phi) => _kernels.LstmPack(_shape, phi, _packed);

        public void Reset() => State.Span.Clear();

        public void Step(Tensor<T> gradient, Tensor<T> theta) => _kernels.LstmStep(_shape, _packed, gradient, State, theta);

        public void MetaGradient(Tensor<T> gradients, Tensor<T> stepWeights, Tensor<T> startState, Span<double> phiGradient) =>
            _kernels.LstmBackward(_shape, _packed, gradients, stepWeights, startState, phiGradient);

        public void Dispose() => _arena.Dispose();
    }
}

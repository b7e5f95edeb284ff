using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// The coordinatewise LSTM whose coordinates may agree on something: the outputs of some units of each layer, the global
/// averaging cells, are replaced by their mean over all coordinates of the instance before they are passed on and fed back
/// (Andrychowicz et al., 2016, "Information sharing between coordinates").
/// </summary>
public sealed class LstmGac(LstmGac.Options options) : ILearnedOptimizer
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "lstm-gac",
        "Coordinatewise LSTM with global averaging cells: the first units of each layer output their mean over the coordinates.",
        "Andrychowicz et al. 2016, arXiv:1606.04474, information sharing between coordinates");

    /// <summary>Layers, averaged units, preprocessing, output scale.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Units of each layer.</summary>
        [Length(1, 3), Bounds(1, 64)]
        public IReadOnlyList<int> Layers { get; init; } = [20, 20];

        /// <summary>Global averaging cells of each layer; in a smaller layer all are.</summary>
        [Bounds(0, 64)]
        public int AveragedUnits { get; init; } = 5;

        /// <summary>Features of a gradient.</summary>
        public Preprocessing Preprocessing { get; init; } = Preprocessing.LogAndSign;

        /// <summary>p of appendix A: gradients below e^-p are passed on linearly.</summary>
        [Bounds(1, 40)]
        public double PreprocessingExponent { get; init; } = 10;

        /// <summary>Factor on the update.</summary>
        [Bounds(1e-6, 10)]
        public double OutputScale { get; init; } = 0.1;

        /// <summary>
        /// Initial weights of the output layer are zero: meta-training starts from an optimizer that does nothing.
        /// </summary>
        public bool ZeroOutput { get; init; } = true;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new LstmGac(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } =
    [
        .. Layers.LstmTensors(Layers.FeatureCount(options.Preprocessing), options.Layers),
        new("output.weight", new Shape(1, options.Layers[^1])),
        new("output.bias", new Shape(1)),
    ];

    /// <inheritdoc/>
    public bool IsCoordinatewise => false;

    /// <inheritdoc/>
    public IReadOnlyList<Shape> State(Layout layout) => [.. Layers.LstmState(options.Layers, layout)];

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi) =>
        Layers.Initialise(MetaParameters, seed, phi, name => options.ZeroOutput && name == "output.weight" ? 0 : 1);

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var x = Layers.Features(tape, input.Gradient, options.Preprocessing, options.PreprocessingExponent);
        x = Controller(tape, input.Layout, input.Phi, x, state, options.AveragedUnits);
        return tape.Scale(Layers.Dense(tape, input.Phi[^2], input.Phi[^1], x), T.CreateTruncating(options.OutputScale));
    }

    /// <summary>
    /// Layers of LSTM cells, the first <paramref name="averaged"/> units of each averaged; phi begins with their weights and
    /// biases,
    /// <paramref name="state"/> holds their cells and outputs. Returns the last layer's output.
    /// </summary>
    internal static Tensor<T> Controller<T>(
        Tape<T> tape, Layout layout, ReadOnlySpan<Tensor<T>> phi, Tensor<T> x, Span<Tensor<T>> state, int averaged)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (var l = 0; l < state.Length; l += 2)
        {
            (state[l], x) = Layers.Lstm(tape, phi[l], phi[l + 1], x, state[l], state[l + 1]);
            state[l + 1] = x = Average(tape, layout, x, Math.Min(averaged, x.Shape.D0));
        }
        return x;
    }

    /// <summary>The first rows of x [units, B P] become their means over each instance's P coordinates.</summary>
    static Tensor<T> Average<T>(Tape<T> tape, Layout layout, Tensor<T> x, int rows)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (rows == 0) return x;
        var byInstance = tape.Reshape(tape.Slice(x, 0, 0, rows), new Shape(rows * layout.Batch, layout.PerInstance));
        var mean = tape.Scale(tape.SumAxis(byInstance, 1), T.One / T.CreateTruncating(layout.PerInstance));
        var same = tape.Reshape(tape.Broadcast(mean, 1, layout.PerInstance), new Shape(rows, layout.Count));
        return rows == x.Shape.D0 ? same : tape.Concat(same, tape.Slice(x, 0, rows, x.Shape.D0 - rows), 0);
    }
}

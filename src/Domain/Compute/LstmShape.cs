namespace MetaOpt.Compute;

/// <summary>
/// Sizes of a coordinatewise LSTM rule (Andrychowicz et al., 2016, section 2.1) and how phi and its state are laid out.
/// </summary>
/// <remarks>
/// With <see cref="LstmMoments"/> (RNNprop) phi begins with the input layer's weight [F, 2] and bias [F], and state ends with the
/// rows
/// <see cref="LstmMoments.StateRows"/>. Then phi is, for each layer, weight [4H, inputs + H] (rows: gates i, f, g, o of H units
/// each, without forget gates [3H, inputs + H] of i, g, o; columns: inputs, then the layer's previous output) and a bias for each
/// row; then output weight [1, H] and bias [1]. The forget gate's bias starts at 1 and is part of phi. State lies in contiguous
/// blocks [StatePerCoordinate, 32]: for each layer c, then h.
/// </remarks>
public sealed class LstmShape
{
    /// <summary>Coordinates that are stored together.</summary>
    public const int Block = 32;

    readonly LstmLayer[] _layers;

    /// <param name="layers">Units of each layer, bottom first; empty: a linear rule on the features.</param>
    /// <param name="preprocessingExponent">p of appendix A, (log|g| / p, sign g) with two features; 0: the gradient itself, one
    /// feature.</param>
    /// <param name="outputScale">Factor on the update.</param>
    /// <param name="forgetGates">Gers' cells; without, those of Hochreiter and Schmidhuber (1997), which keep what they
    /// hold.</param>
    /// <param name="moments">The way in and out of RNNprop, with at least one layer between; null: features of the gradient
    /// alone, a linear output.</param>
    public LstmShape(
        IReadOnlyList<int> layers, double preprocessingExponent, double outputScale, bool forgetGates = true,
        LstmMoments? moments = null)
    {
        (PreprocessingExponent, OutputScale, ForgetGates, Moments) = (preprocessingExponent, outputScale, forgetGates, moments);
        _layers = new LstmLayer[layers.Count];
        var layer = InputLayer = moments is null
            ? default
            : new(-1, 0, LstmMoments.Features, moments.Units, 0, 0, 0, LstmMoments.Features, 0, 0);
        for (var l = 0; l < layers.Count; l++)
            layer = _layers[l] = LstmLayer.Above(layer, l, layers[l], Features, Gates, adjointOfFeatures: moments is not null);
        OutputInputs = layers.Count == 0 ? Features : layer.Units;
        OutputFirstRow = layer.FirstRow + layer.Inputs;
        OutputWeights = layer.AdjointWeights + layer.Gates * layer.AdjointRows;
        Units = layer.FirstUnit + layer.Units;
        OutputSums = layer.Sums + layer.GateRows * layer.SumColumns;
        MetaParameterCount = OutputInputs + 1 + _layers.Append(InputLayer).Sum(l => l.Gates * (l.Rows + 1));
    }

    /// <summary>p of appendix A; 0: no preprocessing.</summary>
    public double PreprocessingExponent { get; }

    /// <summary>Factor on the update.</summary>
    public double OutputScale { get; }

    /// <summary>Whether cells can forget.</summary>
    public bool ForgetGates { get; }

    /// <summary>RNNprop's moments, input layer and bounded output; null: none of them.</summary>
    public LstmMoments? Moments { get; }

    /// <summary>Gates of a unit.</summary>
    public int Gates => ForgetGates ? 4 : 3;

    /// <summary>
    /// Inputs of the lowest layer for one coordinate: features of its gradient, or the units of the input layer.
    /// </summary>
    public int Features => Moments?.Units ?? (PreprocessingExponent > 0 ? 2 : 1);

    /// <summary>Units of all layers.</summary>
    public int Units { get; }

    /// <summary>Floats of state per coordinate: c and h of every unit, and the moments.</summary>
    public int StatePerCoordinate => 2 * Units + (Moments is null ? 0 : LstmMoments.StateRows);

    /// <summary>Elements of phi.</summary>
    public int MetaParameterCount { get; }

    /// <summary>Elements of the packed weights, see <see cref="LstmWeights"/>.</summary>
    public int PackedElements => OutputWeights + OutputInputs + 1;

    /// <summary>Number of blocks that hold <paramref name="coordinates"/>; the last one is padded.</summary>
    public static int Blocks(int coordinates) => (coordinates + Block - 1) / Block;

    /// <summary>Elements of the state of <paramref name="coordinates"/>.</summary>
    public int StateElements(int coordinates) => checked(Blocks(coordinates) * Block * StatePerCoordinate);

    /// <summary>Multiplications in matrix products of one coordinate's step, without the biases'.</summary>
    public int ForwardProducts => OutputInputs + _layers.Append(InputLayer).Sum(l => l.Gates * l.Rows);

    /// <summary>
    /// The same of one coordinate and step on the way back: the step again, adjoints of inputs, gradients of weights.
    /// </summary>
    public int BackwardProducts => 2 * ForwardProducts + OutputInputs + _layers.Sum(l => l.Gates * (l.Rows - l.FirstAdjointRow));

    /// <summary>Units of each layer, bottom first.</summary>
    public IReadOnlyList<int> LayerUnits => Array.ConvertAll(_layers, l => l.Units);

    internal ReadOnlySpan<LstmLayer> Layers => _layers;

    /// <summary>
    /// The layer between the moments and the lowest one, without units that remember: its "gates" are its outputs. Empty without
    /// moments.
    /// </summary>
    internal LstmLayer InputLayer { get; }

    /// <summary>Rows that the output reads.</summary>
    internal int OutputInputs { get; }

    /// <summary>Where they begin in a slot of <see cref="LstmPanels{E}"/>.</summary>
    internal int OutputFirstRow { get; }

    /// <summary>Where the output's packed weights lie: its inputs, bias.</summary>
    internal int OutputWeights { get; }

    /// <summary>Where the sums of their gradients lie.</summary>
    internal int OutputSums { get; }

    /// <summary>Elements of all gradient sums.</summary>
    internal int GradientSums => OutputSums + OutputInputs + 1;
}

/// <summary>
/// The moments that RNNprop (Lv et al., 2017, section 4) puts before the LSTM, which sees mhat / sqrt(vhat) and g / sqrt(vhat),
/// with Adam's bias-corrected moments, through a layer of exponential linear units, and its output goes through tanh.
/// </summary>
/// <param name="Units">F, of the input layer.</param>
/// <param name="Decay1">Of the mean of gradients.</param>
/// <param name="Decay2">Of the mean of squared gradients.</param>
/// <param name="SmallestSquare">vhat is at least this.</param>
/// <param name="Epsilon">Added to sqrt(vhat).</param>
public sealed record LstmMoments(int Units, double Decay1, double Decay2, double SmallestSquare, double Epsilon)
{
    /// <summary>m, v, and 1 - decay^t of each.</summary>
    public const int StateRows = 4;

    /// <summary>Inputs of the input layer.</summary>
    public const int Features = 2;
}

/// <summary>One layer: its sizes, and where its parts lie.</summary>
/// <param name="Index">0 is the lowest.</param>
/// <param name="Units">H.</param>
/// <param name="Inputs">Rows from below: features or the outputs of the layer below.</param>
/// <param name="Gates">Gate rows: 3 H or 4 H.</param>
/// <param name="FirstUnit">Units of the layers below.</param>
/// <param name="FirstGateRow">Gate rows of the layers below.</param>
/// <param name="FirstRow">Where its panel begins in a slot of <see cref="LstmPanels{E}"/>.</param>
/// <param name="FirstAdjointRow">Panel rows before this one need no adjoint: the features.</param>
/// <param name="ForwardWeights">Offset of its forward weights in the packed weights.</param>
/// <param name="Sums">Offset of its gradient sums.</param>
readonly record struct LstmLayer(
    int Index, int Units, int Inputs, int Gates, int FirstUnit, int FirstGateRow, int FirstRow, int FirstAdjointRow,
    int ForwardWeights, int Sums)
{
    /// <summary>Panel rows: inputs, own previous output.</summary>
    public int Rows => Inputs + Units;

    /// <summary>Gate rows padded to whole tiles of four.</summary>
    public int GateRows => (Gates + 3) / 4 * 4;

    /// <summary>Panel rows whose adjoint is needed, padded to whole tiles of four.</summary>
    public int AdjointRows => (Rows - FirstAdjointRow + 3) / 4 * 4;

    /// <summary>Offset of the transposed weights in the packed weights.</summary>
    public int AdjointWeights => ForwardWeights + GateRows * (Rows + 1);

    /// <summary>Columns of a gate row's gradient sums: bias, panel rows padded to pairs.</summary>
    public int SumColumns => 1 + (Rows + 1) / 2 * 2;

    /// <summary>
    /// The layer above <paramref name="below"/> (of the lowest: the input layer, or default when there is none).
    /// </summary>
    public static LstmLayer Above(in LstmLayer below, int index, int units, int features, int gates, bool adjointOfFeatures) =>
        new(
        index, units, index == 0 ? features : below.Units, gates * units, below.FirstUnit + below.Units,
        below.FirstGateRow + below.GateRows, index == 0 ? 0 : below.FirstRow + below.Inputs,
        index == 0 && !adjointOfFeatures ? features : 0, below.AdjointWeights + below.Gates * below.AdjointRows,
        below.Sums + below.GateRows * below.SumColumns);
}

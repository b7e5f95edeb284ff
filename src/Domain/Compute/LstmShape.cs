namespace MetaOpt.Compute;

/// <summary>
/// Sizes of a coordinatewise LSTM rule (Andrychowicz et al., 2016, section 2.1) and how phi and its state are laid out.
/// </summary>
/// <param name="Layers">Units of each layer, bottom first; empty: a linear rule on the features.</param>
/// <param name="PreprocessingExponent">p of appendix A, (log|g| / p, sign g) with two features; 0: the gradient itself, one feature.</param>
/// <param name="OutputScale">Factor on the update.</param>
/// <param name="ForgetGates">Gers' cells; without, those of Hochreiter and Schmidhuber (1997), which keep what they hold.</param>
/// <remarks>
/// phi is, for each layer, weight [4H, inputs + H] (rows: gates i, f, g, o of H units each, without forget gates [3H, inputs + H] of i, g, o;
/// columns: inputs, then the layer's previous output) and a bias for each row; then output weight [1, H] and bias [1]. The forget
/// gate's bias starts at 1 and is part of phi.
/// </remarks>
public sealed record LstmShape(IReadOnlyList<int> Layers, double PreprocessingExponent, double OutputScale, bool ForgetGates = true)
{
    /// <summary>Coordinates that are worked on together.</summary>
    public const int Block = 32;

    /// <summary>Features of one gradient coordinate.</summary>
    public int Features => PreprocessingExponent > 0 ? 2 : 1;

    /// <summary>Gates of a unit.</summary>
    public int Gates => ForgetGates ? 4 : 3;

    /// <summary>Rows that enter layer <paramref name="layer"/> from below (not its own previous output); one past the last: the output's.</summary>
    public int InputsFromBelow(int layer) => layer == 0 ? Features : Layers[layer - 1];

    /// <summary>Rows that a layer's units read: inputs, own previous output. One past the last: the output's inputs.</summary>
    public int PanelRows(int layer) => InputsFromBelow(layer) + (layer == Layers.Count ? 0 : Layers[layer]);

    /// <summary>Floats of state per coordinate: c and h of every unit.</summary>
    public int StatePerCoordinate => 2 * Layers.Sum();

    /// <summary>Elements of phi.</summary>
    public int MetaParameterCount =>
        Enumerable.Range(0, Layers.Count).Sum(l => Gates * Layers[l] * (PanelRows(l) + 1)) + PanelRows(Layers.Count) + 1;

    /// <summary>Number of blocks that hold <paramref name="coordinates"/>; the last one is padded.</summary>
    public static int Blocks(int coordinates) => (coordinates + Block - 1) / Block;

    /// <summary>Elements of the state of <paramref name="coordinates"/>: contiguous blocks of [StatePerCoordinate, 32].</summary>
    public int StateElements(int coordinates) => Blocks(coordinates) * Block * StatePerCoordinate;

    /// <summary>Elements of the packed weights, see <see cref="LstmWeights"/>.</summary>
    public int PackedElements => LstmWeights.Elements(this);
}

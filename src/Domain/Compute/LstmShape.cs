namespace MetaOpt.Compute;

/// <summary>
/// Sizes of a coordinatewise LSTM rule (Andrychowicz et al., 2016, section 2.1) and how phi and its state are laid out.
/// </summary>
/// <param name="Layers">Units of each layer, bottom first; empty: a linear rule on the features.</param>
/// <param name="PreprocessingExponent">p of appendix A, (log|g| / p, sign g) with two features; 0: the gradient itself, one feature.</param>
/// <param name="OutputScale">Factor on the update.</param>
/// <remarks>
/// phi is, for each layer, weight [4H, inputs + H] (rows: gates i, f, g, o of H units each; columns: inputs, then the layer's
/// previous output) and bias [4H]; then output weight [1, H] and bias [1]. The forget gate's bias starts at 1 and is part of phi.
/// </remarks>
public sealed record LstmShape(IReadOnlyList<int> Layers, double PreprocessingExponent, double OutputScale)
{
    /// <summary>Coordinates that are worked on together.</summary>
    public const int Block = 32;

    /// <summary>Features of one gradient coordinate.</summary>
    public int Features => PreprocessingExponent > 0 ? 2 : 1;

    /// <summary>Rows that enter layer <paramref name="layer"/> from below (not its own previous output); one past the last: the output's.</summary>
    public int InputsFromBelow(int layer) => layer == 0 ? Features : Layers[layer - 1];

    /// <summary>Rows of a layer's input panel: inputs, own previous output, and a row of ones that carries the bias.</summary>
    public int PanelRows(int layer) => layer == Layers.Count
        ? InputsFromBelow(layer) + 1
        : InputsFromBelow(layer) + Layers[layer] + 1;

    /// <summary>Floats of state per coordinate: c and h of every unit.</summary>
    public int StatePerCoordinate => 2 * Layers.Sum();

    /// <summary>Elements of phi.</summary>
    public int MetaParameterCount =>
        Enumerable.Range(0, Layers.Count).Sum(l => 4 * Layers[l] * PanelRows(l)) + PanelRows(Layers.Count);

    /// <summary>Number of blocks that hold <paramref name="coordinates"/>; the last one is padded.</summary>
    public static int Blocks(int coordinates) => (coordinates + Block - 1) / Block;

    /// <summary>Elements of the state of <paramref name="coordinates"/>: contiguous blocks of [StatePerCoordinate, 32].</summary>
    public int StateElements(int coordinates) => Blocks(coordinates) * Block * StatePerCoordinate;

    /// <summary>Elements of the packed weights, see <see cref="LstmWeights"/>.</summary>
    public int PackedElements => LstmWeights.Elements(this);
}

/// <summary>Where the weights of each layer lie once they are packed for the block kernels.</summary>
static class LstmWeights
{
    /// <summary>Rows of a layer's panel whose adjoint is needed, padded to a multiple of four: not the features, not the ones.</summary>
    public static int AdjointRows(LstmShape shape, int layer) => (FirstAdjointRow(shape, layer) is var first
        ? shape.PanelRows(layer) - 1 - first + 3 : 0) / 4 * 4;

    public static int FirstAdjointRow(LstmShape shape, int layer) => layer == 0 ? shape.Features : 0;

    static int ForwardElements(LstmShape shape, int layer) => 4 * shape.Layers[layer] * shape.PanelRows(layer);

    static int AdjointElements(LstmShape shape, int layer) => 4 * shape.Layers[layer] * AdjointRows(shape, layer);

    /// <summary>Offset of [unit][panel row][gate] of a layer; of the output's [panel row] for one past the last.</summary>
    public static int Forward(LstmShape shape, int layer)
    {
        var offset = 0;
        for (var l = 0; l < layer; l++) offset += ForwardElements(shape, l) + AdjointElements(shape, l);
        return offset;
    }

    /// <summary>Offset of the transpose, [panel row / 4][unit, gate][panel row % 4].</summary>
    public static int Adjoint(LstmShape shape, int layer) => Forward(shape, layer) + ForwardElements(shape, layer);

    public static int Elements(LstmShape shape) => Forward(shape, shape.Layers.Count) + shape.PanelRows(shape.Layers.Count);

    /// <summary>Lays phi out for the kernels.</summary>
    public static void Pack<E>(LstmShape shape, ReadOnlySpan<E> phi, Span<E> packed)
    {
        var source = 0;
        packed.Clear();
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var (units, rows, first) = (shape.Layers[l], shape.PanelRows(l), FirstAdjointRow(shape, l));
            var forward = packed[Forward(shape, l)..];
            var adjoint = packed[Adjoint(shape, l)..];
            for (var gate = 0; gate < 4; gate++)
                for (var unit = 0; unit < units; unit++)
                {
                    for (var row = 0; row < rows - 1; row++)
                    {
                        var weight = phi[source + (gate * units + unit) * (rows - 1) + row];
                        forward[(unit * rows + row) * 4 + gate] = weight;
                        if (row >= first) adjoint[((row - first) / 4 * 4 * units + unit * 4 + gate) * 4 + (row - first) % 4] = weight;
                    }
                    forward[(unit * rows + rows - 1) * 4 + gate] = phi[source + 4 * units * (rows - 1) + gate * units + unit];
                }
            source += 4 * units * rows;
        }
        phi[source..].CopyTo(packed[Forward(shape, shape.Layers.Count)..]);
    }

    /// <summary>Adds gradients in panel order, [unit, gate][panel row] a layer and [panel row] of the output, to phi's order.</summary>
    public static void AddUnpacked(LstmShape shape, ReadOnlySpan<double> panelOrder, Span<double> phi)
    {
        var offset = 0;
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var (units, rows) = (shape.Layers[l], shape.PanelRows(l));
            for (var unit = 0; unit < units; unit++)
                for (var gate = 0; gate < 4; gate++)
                {
                    var from = panelOrder.Slice(offset + (unit * 4 + gate) * rows, rows);
                    var weights = phi.Slice(offset + (gate * units + unit) * (rows - 1), rows - 1);
                    for (var row = 0; row < rows - 1; row++) weights[row] += from[row];
                    phi[offset + 4 * units * (rows - 1) + gate * units + unit] += from[rows - 1];
                }
            offset += 4 * units * rows;
        }
        for (var row = 0; row < shape.PanelRows(shape.Layers.Count); row++) phi[offset + row] += panelOrder[offset + row];
    }
}

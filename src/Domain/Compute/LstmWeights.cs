using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Where the weights of each layer lie once they are packed for the block kernels: for the forward pass [gate row / 4][bias,
/// panel rows][gate row % 4], scaled so that each sigmoid is 1 / (1 + 2^x); for the adjoints the transpose, unscaled.
/// </summary>
static class LstmWeights
{
    static readonly double s_sigmoidScale = -1 / Math.Log(2);

    /// <summary>Rows of a layer's gates, padded to a multiple of four.</summary>
    public static int GateRows(LstmShape shape, int layer) => (shape.Gates * shape.Layers[layer] + 3) / 4 * 4;

    /// <summary>Columns of a layer's gradient sums: bias, panel rows padded to an even number.</summary>
    public static int GradientColumns(int rows) => 1 + (rows + 1) / 2 * 2;

    /// <summary>Elements of all layers' gradient sums and the output's [panel rows, bias].</summary>
    public static int GradientSums(LstmShape shape) => shape.PanelRows(shape.Layers.Count) + 1
        + Enumerable.Range(0, shape.Layers.Count).Sum(l => GateRows(shape, l) * GradientColumns(shape.PanelRows(l)));

    /// <summary>Rows of a layer's panel whose adjoint is needed, padded to a multiple of four: not the features.</summary>
    public static int AdjointRows(LstmShape shape, int layer) => (shape.PanelRows(layer) - FirstAdjointRow(shape, layer) + 3) / 4 * 4;

    static int FirstAdjointRow(LstmShape shape, int layer) => layer == 0 ? shape.Features : 0;

    static int ForwardElements(LstmShape shape, int layer) => GateRows(shape, layer) * (shape.PanelRows(layer) + 1);

    static int AdjointElements(LstmShape shape, int layer) => shape.Gates * shape.Layers[layer] * AdjointRows(shape, layer);

    /// <summary>Offset of a layer's forward weights; of the output's [panel rows, bias] for one past the last.</summary>
    public static int Forward(LstmShape shape, int layer)
    {
        var offset = 0;
        for (var l = 0; l < layer; l++) offset += ForwardElements(shape, l) + AdjointElements(shape, l);
        return offset;
    }

    /// <summary>Offset of the transpose, [panel row / 4][gate row][panel row % 4].</summary>
    public static int Adjoint(LstmShape shape, int layer) => Forward(shape, layer) + ForwardElements(shape, layer);

    public static int Elements(LstmShape shape) => Forward(shape, shape.Layers.Count) + shape.PanelRows(shape.Layers.Count) + 1;

    /// <summary>Lays phi out for the kernels.</summary>
    public static void Pack<E>(LstmShape shape, ReadOnlySpan<E> phi, Span<E> packed) where E : unmanaged, IBinaryFloatingPointIeee754<E>
    {
        packed.Clear();
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var (units, rows, gates, first) = (shape.Layers[l], shape.PanelRows(l), shape.Gates * shape.Layers[l], FirstAdjointRow(shape, l));
            var forward = packed[Forward(shape, l)..];
            var adjoint = packed[Adjoint(shape, l)..];
            for (var gate = 0; gate < gates; gate++)
            {
                var scale = gate / units == shape.Gates - 2 ? E.One : E.CreateTruncating(s_sigmoidScale);
                var to = forward[(gate / 4 * 4 * (rows + 1) + gate % 4)..];
                to[0] = scale * phi[gates * rows + gate];
                for (var row = 0; row < rows; row++)
                {
                    var weight = phi[gate * rows + row];
                    to[4 * (row + 1)] = scale * weight;
                    if (row >= first) adjoint[((row - first) / 4 * gates + gate) * 4 + (row - first) % 4] = weight;
                }
            }
            phi = phi[(gates * (rows + 1))..];
        }
        phi.CopyTo(packed[Forward(shape, shape.Layers.Count)..]);
    }

    /// <summary>Adds gradient sums to phi's order.</summary>
    public static void AddUnpacked(LstmShape shape, ReadOnlySpan<double> sums, Span<double> phi)
    {
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var (rows, gates) = (shape.PanelRows(l), shape.Gates * shape.Layers[l]);
            var columns = GradientColumns(rows);
            for (var gate = 0; gate < gates; gate++)
            {
                var from = sums.Slice(gate * columns, rows + 1);
                phi[gates * rows + gate] += from[0];
                for (var row = 0; row < rows; row++) phi[gate * rows + row] += from[row + 1];
            }
            sums = sums[(GateRows(shape, l) * columns)..];
            phi = phi[(gates * (rows + 1))..];
        }
        for (var row = 0; row < phi.Length; row++) phi[row] += sums[row];
    }
}

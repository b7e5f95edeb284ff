using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// phi as the block kernels read it. Forward weights of a layer: [gate row / 4][bias, panel rows][gate row % 4], scaled so that
/// each sigmoid is 1 / (1 + 2^x). For the adjoints the transpose, unscaled: [panel row / 4][gate row][panel row % 4].
/// </summary>
static class LstmWeights
{
    static readonly double s_sigmoidScale = -1 / Math.Log(2);

    /// <summary>Lays phi out for the kernels.</summary>
    public static void Pack<E>(LstmShape shape, ReadOnlySpan<E> phi, Span<E> packed)
        where E : unmanaged, IBinaryFloatingPointIeee754<E>
    {
        packed.Clear();
        phi = PackLayer(shape, shape.InputLayer, phi, packed);
        foreach (ref readonly var layer in shape.Layers) phi = PackLayer(shape, layer, phi, packed);
        phi.CopyTo(packed[shape.OutputWeights..]);
    }

    /// <returns>phi of what is above.</returns>
    static ReadOnlySpan<E> PackLayer<E>(LstmShape shape, LstmLayer layer, ReadOnlySpan<E> phi, Span<E> packed)
        where E : unmanaged, IBinaryFloatingPointIeee754<E>
    {
        var forward = packed[layer.ForwardWeights..];
        var adjoint = packed[layer.AdjointWeights..];
        for (var gate = 0; gate < layer.Gates; gate++)
        {
            var sigmoid = layer.Units > 0 && gate / layer.Units != shape.Gates - 2;
            var scale = sigmoid ? E.CreateTruncating(s_sigmoidScale) : E.One;
            var to = forward[(gate / 4 * 4 * (layer.Rows + 1) + gate % 4)..];
            to[0] = scale * phi[layer.Gates * layer.Rows + gate];
            for (var row = 0; row < layer.Rows; row++)
            {
                var weight = phi[gate * layer.Rows + row];
                to[4 * (row + 1)] = scale * weight;
                var back = row - layer.FirstAdjointRow;
                if (back >= 0) adjoint[(back / 4 * layer.Gates + gate) * 4 + back % 4] = weight;
            }
        }
        return phi[(layer.Gates * (layer.Rows + 1))..];
    }

    /// <summary>
    /// Adds gradient sums, [gate row][bias, panel rows] a layer, then the output's [inputs, bias], to phi's order.
    /// </summary>
    public static void AddUnpacked(LstmShape shape, ReadOnlySpan<double> sums, Span<double> phi)
    {
        phi = AddLayer(shape.InputLayer, sums, phi);
        foreach (ref readonly var layer in shape.Layers) phi = AddLayer(layer, sums, phi);
        for (var row = 0; row < phi.Length; row++) phi[row] += sums[shape.OutputSums + row];
    }

    static Span<double> AddLayer(LstmLayer layer, ReadOnlySpan<double> sums, Span<double> phi)
    {
        for (var gate = 0; gate < layer.Gates; gate++)
        {
            var from = sums.Slice(layer.Sums + gate * layer.SumColumns, layer.Rows + 1);
            phi[layer.Gates * layer.Rows + gate] += from[0];
            for (var row = 0; row < layer.Rows; row++) phi[gate * layer.Rows + row] += from[row + 1];
        }
        return phi[(layer.Gates * (layer.Rows + 1))..];
    }
}

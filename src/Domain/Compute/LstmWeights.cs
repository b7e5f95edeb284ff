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
    public static void Pack<E>(LstmShape shape, ReadOnlySpan<E> phi, Span<E> packed) where E : unmanaged, IBinaryFloatingPointIeee754<E>
    {
        packed.Clear();
        foreach (ref readonly var layer in shape.Layers)
        {
            var forward = packed[layer.ForwardWeights..];
            var adjoint = packed[layer.AdjointWeights..];
            for (var gate = 0; gate < layer.Gates; gate++)
            {
                var scale = gate / layer.Units == shape.Gates - 2 ? E.One : E.CreateTruncating(s_sigmoidScale);
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
            phi = phi[(layer.Gates * (layer.Rows + 1))..];
        }
        phi.CopyTo(packed[shape.OutputWeights..]);
    }

    /// <summary>Adds gradient sums, [gate row][bias, panel rows] a layer, then the output's [inputs, bias], to phi's order.</summary>
    public static void AddUnpacked(LstmShape shape, ReadOnlySpan<double> sums, Span<double> phi)
    {
        foreach (ref readonly var layer in shape.Layers)
        {
            for (var gate = 0; gate < layer.Gates; gate++)
            {
                var from = sums.Slice(layer.Sums + gate * layer.SumColumns, layer.Rows + 1);
                phi[layer.Gates * layer.Rows + gate] += from[0];
                for (var row = 0; row < layer.Rows; row++) phi[gate * layer.Rows + row] += from[row + 1];
            }
            phi = phi[(layer.Gates * (layer.Rows + 1))..];
        }
        for (var row = 0; row < phi.Length; row++) phi[row] += sums[shape.OutputSums + row];
    }
}

using System.Numerics;
using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <summary>
/// The coordinatewise LSTM on one block of 32 coordinates, forward and backward through time. Everything is rows of 32
/// elements: a layer's input panel is [inputs | own previous output | ones], so that one product gives the four gates with
/// their biases. Widths differ by <typeparamref name="V"/> alone; with V = double it is the reference.
/// </summary>
static unsafe class LstmBlock<V, O, E>
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    static int Pair => 2 * O.Width;

    /// <summary>
    /// Features of 32 gradients, rows of <paramref name="panel"/>: appendix A's formula written with clamps,
    /// log(max(|g|, e^-p)) / p and clamp(e^p g, -1, 1).
    /// </summary>
    public static void Preprocess(LstmShape shape, E* gradient, E* panel)
    {
        if (shape.PreprocessingExponent == 0)
        {
            new ReadOnlySpan<E>(gradient, Block).CopyTo(new Span<E>(panel, Block));
            return;
        }
        V p = O.Constant(shape.PreprocessingExponent), threshold = O.Constant(Math.Exp(-shape.PreprocessingExponent));
        V growth = O.Constant(Math.Exp(shape.PreprocessingExponent)), one = O.Constant(1);
        for (var lane = 0; lane < Block; lane += O.Width)
        {
            var g = O.Load(gradient + lane);
            O.Store(panel + lane, O.Divide(O.Log(O.Max(O.Abs(g), threshold)), p));
            O.Store(panel + Block + lane, O.Max(O.Negate(one), O.Min(one, O.Multiply(g, growth))));
        }
    }

    /// <summary>
    /// One layer, one step. Reads <paramref name="panel"/> and the old cells, writes the new cells and the output to two
    /// places; keeps gates i, f, g, o and tanh(c) when <paramref name="gates"/> is not null.
    /// </summary>
    public static void Layer(
        E* weights, int rows, int units, E* panel, E* oldCells, E* newCells, E* output, E* output2, E* gates, E* tanhCells)
    {
        for (var unit = 0; unit < units; unit++, weights += rows * 4)
            for (var lane = 0; lane < Block; lane += Pair)
            {
                V i0 = O.Zero, i1 = O.Zero, f0 = O.Zero, f1 = O.Zero, g0 = O.Zero, g1 = O.Zero, o0 = O.Zero, o1 = O.Zero;
                E* w = weights, x = panel + lane;
                for (var row = 0; row < rows; row++, w += 4, x += Block)
                {
                    V x0 = O.Load(x), x1 = O.Load(x + O.Width), weight = O.Broadcast(w[0]);
                    (i0, i1) = (O.FusedMultiplyAdd(weight, x0, i0), O.FusedMultiplyAdd(weight, x1, i1));
                    weight = O.Broadcast(w[1]);
                    (f0, f1) = (O.FusedMultiplyAdd(weight, x0, f0), O.FusedMultiplyAdd(weight, x1, f1));
                    weight = O.Broadcast(w[2]);
                    (g0, g1) = (O.FusedMultiplyAdd(weight, x0, g0), O.FusedMultiplyAdd(weight, x1, g1));
                    weight = O.Broadcast(w[3]);
                    (o0, o1) = (O.FusedMultiplyAdd(weight, x0, o0), O.FusedMultiplyAdd(weight, x1, o1));
                }
                var at = unit * Block + lane;
                Cell(i0, f0, g0, o0, oldCells, newCells, output, output2, gates, tanhCells, at, unit);
                Cell(i1, f1, g1, o1, oldCells, newCells, output, output2, gates, tanhCells, at + O.Width, unit);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Cell(V i, V f, V g, V o, E* oldCells, E* newCells, E* output, E* output2, E* gates, E* tanhCells, int at, int unit)
    {
        (i, f, g, o) = (O.Sigmoid(i), O.Sigmoid(f), O.Tanh(g), O.Sigmoid(o));
        var cell = O.FusedMultiplyAdd(f, O.Load(oldCells + at), O.Multiply(i, g));
        var squashed = O.Tanh(cell);
        var hidden = O.Multiply(o, squashed);
        O.Store(newCells + at, cell);
        O.Store(output + at, hidden);
        O.Store(output2 + at, hidden);
        if (gates == null) return;
        O.Store(tanhCells + at, squashed);
        gates += at + 3 * unit * Block;
        O.Store(gates, i);
        O.Store(gates + Block, f);
        O.Store(gates + 2 * Block, g);
        O.Store(gates + 3 * Block, o);
    }

    /// <summary>update = scale * (w . panel): 32 elements.</summary>
    public static void Output(E* weights, int rows, E scale, E* panel, E* update)
    {
        for (var lane = 0; lane < Block; lane += O.Width)
        {
            var sum = O.Zero;
            for (var row = 0; row < rows; row++) sum = O.FusedMultiplyAdd(O.Broadcast(weights[row]), O.Load(panel + row * Block + lane), sum);
            O.Store(update + lane, O.Multiply(O.Broadcast(scale), sum));
        }
    }

    /// <summary>
    /// Adjoints of one layer at one step, the gates: from dh and the adjoint of the new cell to that of the four gate inputs
    /// (over <paramref name="gates"/>) and of the old cell (over <paramref name="cellAdjoint"/>).
    /// </summary>
    public static void GateAdjoints(int units, E* outputAdjoint, E* cellAdjoint, E* oldCells, E* tanhCells, E* gates)
    {
        var one = O.Broadcast(E.One);
        for (var unit = 0; unit < units; unit++, gates += 4 * Block)
            for (var lane = 0; lane < Block; lane += O.Width)
            {
                var at = unit * Block + lane;
                V i = O.Load(gates + lane), f = O.Load(gates + Block + lane), g = O.Load(gates + 2 * Block + lane), o = O.Load(gates + 3 * Block + lane);
                V dh = O.Load(outputAdjoint + at), tanh = O.Load(tanhCells + at);
                var dc = O.FusedMultiplyAdd(O.Multiply(dh, o), O.Subtract(one, O.Multiply(tanh, tanh)), O.Load(cellAdjoint + at));
                O.Store(gates + lane, O.Multiply(O.Multiply(dc, g), O.Multiply(i, O.Subtract(one, i))));
                O.Store(gates + Block + lane, O.Multiply(O.Multiply(dc, O.Load(oldCells + at)), O.Multiply(f, O.Subtract(one, f))));
                O.Store(gates + 2 * Block + lane, O.Multiply(O.Multiply(dc, i), O.Subtract(one, O.Multiply(g, g))));
                O.Store(gates + 3 * Block + lane, O.Multiply(O.Multiply(dh, tanh), O.Multiply(o, O.Subtract(one, o))));
                O.Store(cellAdjoint + at, O.Multiply(dc, f));
            }
    }

    /// <summary>Adjoints of a layer's panel: result [rows, 32] = transposed weights times gate adjoints; rows is a multiple of four.</summary>
    public static void PanelAdjoints(E* transposed, int rows, int units, E* gates, E* result)
    {
        for (var row = 0; row < rows; row += 4, transposed += 16 * units)
            for (var lane = 0; lane < Block; lane += Pair)
            {
                V a0 = O.Zero, a1 = O.Zero, b0 = O.Zero, b1 = O.Zero, c0 = O.Zero, c1 = O.Zero, d0 = O.Zero, d1 = O.Zero;
                E* w = transposed, x = gates + lane;
                for (var k = 0; k < 4 * units; k++, w += 4, x += Block)
                {
                    V x0 = O.Load(x), x1 = O.Load(x + O.Width), weight = O.Broadcast(w[0]);
                    (a0, a1) = (O.FusedMultiplyAdd(weight, x0, a0), O.FusedMultiplyAdd(weight, x1, a1));
                    weight = O.Broadcast(w[1]);
                    (b0, b1) = (O.FusedMultiplyAdd(weight, x0, b0), O.FusedMultiplyAdd(weight, x1, b1));
                    weight = O.Broadcast(w[2]);
                    (c0, c1) = (O.FusedMultiplyAdd(weight, x0, c0), O.FusedMultiplyAdd(weight, x1, c1));
                    weight = O.Broadcast(w[3]);
                    (d0, d1) = (O.FusedMultiplyAdd(weight, x0, d0), O.FusedMultiplyAdd(weight, x1, d1));
                }
                var to = result + row * Block + lane;
                O.Store(to, a0);
                O.Store(to + O.Width, a1);
                O.Store(to + Block, b0);
                O.Store(to + Block + O.Width, b1);
                O.Store(to + 2 * Block, c0);
                O.Store(to + 2 * Block + O.Width, c1);
                O.Store(to + 3 * Block, d0);
                O.Store(to + 3 * Block + O.Width, d1);
            }
    }

    /// <summary>
    /// Adds the gradients of one layer's weights over all steps of the block: sums [unit, gate][row] of whole vectors (reduced
    /// once, by the caller), from gate adjoints [steps][4 units, 32] and panels [steps][rows, 32].
    /// </summary>
    public static void AddWeightGradients(E* gates, E* panels, int steps, int rows, int units, E* sums)
    {
        for (var unit = 0; unit < units; unit++)
            for (var row = 0; row < rows; row += 2)
            {
                var last = row + 1 == rows ? 0 : 1;
                var s = sums + (unit * 4 * rows + row) * O.Width;
                var stride = rows * O.Width;
                V a0 = O.Load(s), b0 = O.Load(s + stride), c0 = O.Load(s + 2 * stride), d0 = O.Load(s + 3 * stride);
                V a1 = O.Zero, b1 = O.Zero, c1 = O.Zero, d1 = O.Zero;
                for (var step = 0; step < steps; step++)
                {
                    var g = gates + (step * units + unit) * 4 * Block;
                    var x = panels + (step * rows + row) * Block;
                    for (var lane = 0; lane < Block; lane += O.Width, g += O.Width, x += O.Width)
                    {
                        V x0 = O.Load(x), x1 = O.Load(x + last * Block);
                        var gate = O.Load(g);
                        (a0, a1) = (O.FusedMultiplyAdd(gate, x0, a0), O.FusedMultiplyAdd(gate, x1, a1));
                        gate = O.Load(g + Block);
                        (b0, b1) = (O.FusedMultiplyAdd(gate, x0, b0), O.FusedMultiplyAdd(gate, x1, b1));
                        gate = O.Load(g + 2 * Block);
                        (c0, c1) = (O.FusedMultiplyAdd(gate, x0, c0), O.FusedMultiplyAdd(gate, x1, c1));
                        gate = O.Load(g + 3 * Block);
                        (d0, d1) = (O.FusedMultiplyAdd(gate, x0, d0), O.FusedMultiplyAdd(gate, x1, d1));
                    }
                }
                O.Store(s, a0);
                O.Store(s + stride, b0);
                O.Store(s + 2 * stride, c0);
                O.Store(s + 3 * stride, d0);
                if (last == 0) continue;
                s += O.Width;
                O.Store(s, O.Add(O.Load(s), a1));
                O.Store(s + stride, O.Add(O.Load(s + stride), b1));
                O.Store(s + 2 * stride, O.Add(O.Load(s + 2 * stride), c1));
                O.Store(s + 3 * stride, O.Add(O.Load(s + 3 * stride), d1));
            }
    }
}

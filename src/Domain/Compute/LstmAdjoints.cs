using System.Numerics;
using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <summary>
/// The way back through <see cref="LstmBlock{V, O, E}"/>: adjoints of one layer at one step, gradients over all of them.
/// </summary>
static unsafe class LstmAdjoints<V, O, E>
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const MethodImplOptions Full = MethodImplOptions.AggressiveOptimization;

    static int Lanes => LstmBlock<V, O, E>.Lanes;

    /// <summary>
    /// From dh (which is used up and zeroed) and the adjoint of the new cell to that of the gates' inputs (over
    /// <paramref name="gates"/>) and of the old cell (over <paramref name="cellAdjoint"/>).
    /// </summary>
    [MethodImpl(Full)]
    public static void Gates(int units, bool forget, E* outputAdjoint, E* cellAdjoint, E* oldCells, E* tanhCells, E* gates)
    {
        var one = O.Constant(1);
        var row = units * Lanes;
        E* forgets = gates + row, candidates = forget ? forgets + row : forgets, outputs = candidates + row;
        for (var at = 0; at < row; at += O.Width)
        {
            V i = O.Load(gates + at), g = O.Load(candidates + at), o = O.Load(outputs + at);
            V dh = O.Load(outputAdjoint + at), tanh = O.Load(tanhCells + at);
            var dc = O.FusedMultiplyAdd(O.Multiply(dh, o), O.Subtract(one, O.Multiply(tanh, tanh)), O.Load(cellAdjoint + at));
            O.Store(gates + at, O.Multiply(O.Multiply(dc, g), O.Multiply(i, O.Subtract(one, i))));
            O.Store(candidates + at, O.Multiply(O.Multiply(dc, i), O.Subtract(one, O.Multiply(g, g))));
            O.Store(outputs + at, O.Multiply(O.Multiply(dh, tanh), O.Multiply(o, O.Subtract(one, o))));
            if (forget)
            {
                var f = O.Load(forgets + at);
                O.Store(forgets + at, O.Multiply(O.Multiply(dc, O.Load(oldCells + at)), O.Multiply(f, O.Subtract(one, f))));
                dc = O.Multiply(dc, f);
            }
            O.Store(cellAdjoint + at, dc);
            O.Store(outputAdjoint + at, O.Zero);
        }
    }

    /// <summary>
    /// From the adjoints of exponential linear units (used up and zeroed) to those of what went into them; their derivative is 1
    /// or, where the output y is negative, e^x = y + 1.
    /// </summary>
    public static void Elu(int rows, E* y, E* outputAdjoint, E* adjoint)
    {
        var one = O.Constant(1);
        for (var at = 0; at < rows * Lanes; at += O.Width)
        {
            O.Store(adjoint + at, O.Multiply(O.Load(outputAdjoint + at), O.Add(one, O.Min(O.Load(y + at), O.Zero))));
            O.Store(outputAdjoint + at, O.Zero);
        }
    }

    /// <summary>
    /// Adds the adjoints of a layer's panel to <paramref name="result"/> [rows]: transposed weights [rows / 4][count][4] times
    /// the gates' adjoints [count]; rows is a multiple of four.
    /// </summary>
    [MethodImpl(Full)]
    public static void AddPanel(E* transposed, int rows, int count, E* gates, E* result)
    {
        for (; rows > 0; rows -= 4, transposed += 4 * count, result += 4 * Lanes)
            for (var lane = 0; lane < Lanes; lane += 2 * O.Width)
            {
                E* a = result + lane, b = a + Lanes, c = b + Lanes, d = c + Lanes;
                V a0 = O.Load(a), a1 = O.Load(a + O.Width), b0 = O.Load(b), b1 = O.Load(b + O.Width);
                V c0 = O.Load(c), c1 = O.Load(c + O.Width), d0 = O.Load(d), d1 = O.Load(d + O.Width);
                E* w = transposed, x = gates + lane;
                for (var end = w + 4 * count; w < end; w += 4, x += Lanes)
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
                O.Store(a, a0);
                O.Store(a + O.Width, a1);
                O.Store(b, b0);
                O.Store(b + O.Width, b1);
                O.Store(c, c0);
                O.Store(c + O.Width, c1);
                O.Store(d, d0);
                O.Store(d + O.Width, d1);
            }
    }

    /// <summary>One layer over all steps of an unroll: the gates' adjoints and the panels they belong to.</summary>
    /// <param name="Gates">The first step's gate adjoints.</param>
    /// <param name="GateStride">Elements from one step's gates to the next one's.</param>
    /// <param name="Panels">The first step's panel.</param>
    /// <param name="PanelStride">Elements from one step's panel to the next one's.</param>
    /// <param name="Count">Steps.</param>
    public readonly record struct Steps(nint Gates, int GateStride, nint Panels, int PanelStride, int Count);

    /// <summary>
    /// Adds the gradients of a layer's weights, summed over the steps, to sums [GateRows][SumColumns] of whole vectors, whose
    /// lanes are added once, at the end of a chunk.
    /// </summary>
    public static void AddGradients(Steps steps, in LstmLayer layer, E* sums)
    {
        var stride = layer.SumColumns * O.Width;
        for (var gate = 0; gate < layer.GateRows; gate += 4, sums += 4 * stride)
        {
            var four = steps with { Gates = steps.Gates + gate * Lanes * sizeof(E) };
            Biases(four, stride, sums);
            for (var row = 0; row < layer.Rows; row += 2)
            {
                var two = four with { Panels = steps.Panels + row * Lanes * sizeof(E) };
                Weights(two, row + 1 < layer.Rows ? Lanes : 0, stride, sums + (row + 1) * O.Width);
            }
        }
    }

    static void Biases(Steps steps, int stride, E* sums)
    {
        for (var gate = 0; gate < 4; gate++)
        {
            var adjoint = (E*)steps.Gates + gate * Lanes;
            var sum = O.Load(sums + gate * stride);
            for (var step = 0; step < steps.Count; step++, adjoint += steps.GateStride)
                for (var lane = 0; lane < Lanes; lane += O.Width) sum = O.Add(sum, O.Load(adjoint + lane));
            O.Store(sums + gate * stride, sum);
        }
    }

    /// <summary>
    /// A tile of four gates by two panel rows. A second row that does not exist repeats the first one, in a column that nobody
    /// reads.
    /// </summary>
    [MethodImpl(Full)]
    static void Weights(Steps steps, int second, int stride, E* sums)
    {
        E* a = sums, b = a + stride, c = b + stride, d = c + stride;
        V a0 = O.Load(a), a1 = O.Load(a + O.Width), b0 = O.Load(b), b1 = O.Load(b + O.Width);
        V c0 = O.Load(c), c1 = O.Load(c + O.Width), d0 = O.Load(d), d1 = O.Load(d + O.Width);
        E* gates = (E*)steps.Gates, panel = (E*)steps.Panels;
        for (var step = steps.Count; step > 0; step--, gates += steps.GateStride, panel += steps.PanelStride)
            for (var lane = 0; lane < Lanes; lane += O.Width)
            {
                E* g = gates + lane, x = panel + lane;
                V x0 = O.Load(x), x1 = O.Load(x + second), adjoint = O.Load(g);
                (a0, a1) = (O.FusedMultiplyAdd(adjoint, x0, a0), O.FusedMultiplyAdd(adjoint, x1, a1));
                adjoint = O.Load(g + Lanes);
                (b0, b1) = (O.FusedMultiplyAdd(adjoint, x0, b0), O.FusedMultiplyAdd(adjoint, x1, b1));
                adjoint = O.Load(g + 2 * Lanes);
                (c0, c1) = (O.FusedMultiplyAdd(adjoint, x0, c0), O.FusedMultiplyAdd(adjoint, x1, c1));
                adjoint = O.Load(g + 3 * Lanes);
                (d0, d1) = (O.FusedMultiplyAdd(adjoint, x0, d0), O.FusedMultiplyAdd(adjoint, x1, d1));
            }
        O.Store(a, a0);
        O.Store(a + O.Width, a1);
        O.Store(b, b0);
        O.Store(b + O.Width, b1);
        O.Store(c, c0);
        O.Store(c + O.Width, c1);
        O.Store(d, d0);
        O.Store(d + O.Width, d1);
    }
}

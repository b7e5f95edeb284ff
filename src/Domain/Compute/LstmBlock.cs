using System.Numerics;
using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <summary>
/// The coordinatewise LSTM on a few coordinates: one layer, one step, forward and back. Everything is rows of
/// <see cref="Lanes"/> elements; a layer's gates are the rows i, f, g, o of its units each (without forget gates i, g, o), padded
/// to a multiple of four. Widths differ by <typeparamref name="V"/> alone; with V = double it is the reference. The loops are
/// short on purpose: products in tiles of 4 rows by 2 vectors fill the 16 registers of AVX2 and hide the latency of the adds,
/// and the elementwise passes have few enough constants to keep several vectors in flight.
/// </summary>
static unsafe class LstmBlock<V, O, E>
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const MethodImplOptions Full = MethodImplOptions.AggressiveOptimization;

    static int Pair => 2 * O.Width;

    /// <summary>
    /// Coordinates that are worked on together: few, so that the activations of an unroll stay in the second cache level.
    /// Divides <see cref="LstmShape.Block"/>.
    /// </summary>
    public static int Lanes => Math.Max(16, Pair);

    /// <summary>
    /// Features of the gradients, rows of <paramref name="panel"/>: appendix A's formula written with clamps,
    /// log(max(|g|, e^-p)) / p and clamp(e^p g, -1, 1).
    /// </summary>
    public static void Preprocess(LstmShape shape, E* gradient, E* panel)
    {
        if (shape.PreprocessingExponent == 0)
        {
            new ReadOnlySpan<E>(gradient, Lanes).CopyTo(new Span<E>(panel, Lanes));
            return;
        }
        V p = O.Constant(shape.PreprocessingExponent), threshold = O.Constant(Math.Exp(-shape.PreprocessingExponent));
        V growth = O.Constant(Math.Exp(shape.PreprocessingExponent)), one = O.Constant(1);
        for (var lane = 0; lane < Lanes; lane += O.Width)
        {
            var g = O.Load(gradient + lane);
            O.Store(panel + lane, O.Divide(O.Log(O.Max(O.Abs(g), threshold)), p));
            O.Store(panel + Lanes + lane, O.Clamp(O.Multiply(g, growth), O.Negate(one), one));
        }
    }

    /// <summary>
    /// RNNprop's features, mhat / sqrt(vhat) and g / sqrt(vhat), rows of <paramref name="features"/>, after the moments, four
    /// rows of
    /// <paramref name="state"/>, went on by a step.
    /// </summary>
    public static void Moments(LstmMoments moments, E* gradient, E* state, int stride, E* features)
    {
        V decay1 = O.Constant(moments.Decay1), rest1 = O.Constant(1 - moments.Decay1), epsilon = O.Constant(moments.Epsilon);
        V decay2 = O.Constant(moments.Decay2), rest2 = O.Constant(1 - moments.Decay2),
            smallest = O.Constant(moments.SmallestSquare);
        for (var lane = 0; lane < Lanes; lane += O.Width)
        {
            E* m = state + lane, v = m + stride, weight1 = v + stride, weight2 = weight1 + stride;
            var g = O.Load(gradient + lane);
            O.Store(m, O.FusedMultiplyAdd(rest1, g, O.Multiply(decay1, O.Load(m))));
            O.Store(v, O.FusedMultiplyAdd(rest2, O.Multiply(g, g), O.Multiply(decay2, O.Load(v))));
            O.Store(weight1, O.FusedMultiplyAdd(decay1, O.Load(weight1), rest1));
            O.Store(weight2, O.FusedMultiplyAdd(decay2, O.Load(weight2), rest2));
            var root = O.Add(O.Sqrt(O.Max(O.Divide(O.Load(v), O.Load(weight2)), smallest)), epsilon);
            O.Store(features + lane, O.Divide(O.Divide(O.Load(m), O.Load(weight1)), root));
            O.Store(features + Lanes + lane, O.Divide(g, root));
        }
    }

    /// <summary>y = x for x > 0, else e^x - 1 = 2 tanh(x / 2) / (1 - tanh(x / 2)), over so many rows.</summary>
    public static void Elu(int rows, E* x, E* y)
    {
        V half = O.Constant(0.5), two = O.Constant(2);
        for (var at = 0; at < rows * Lanes; at += O.Width)
        {
            var value = O.Load(x + at);
            var above = O.TanhFraction(O.Multiply(half, O.Min(value, O.Zero)), out var below);
            O.Store(y + at, O.Add(O.Max(value, O.Zero), O.Divide(O.Multiply(two, above), O.Subtract(below, above))));
        }
    }

    /// <summary>gates [count] = weights [count / 4][bias, rows][4] times panel [rows]; count is a multiple of four.</summary>
    [MethodImpl(Full)]
    public static void Products(E* weights, int rows, int count, E* panel, E* gates)
    {
        for (; count > 0; count -= 4, weights += 4 * (rows + 1), gates += 4 * Lanes)
            for (var lane = 0; lane < Lanes; lane += Pair)
            {
                V a0 = O.Broadcast(weights[0]), b0 = O.Broadcast(weights[1]), c0 = O.Broadcast(weights[2]),
                    d0 = O.Broadcast(weights[3]);
                V a1 = a0, b1 = b0, c1 = c0, d1 = d0;
                E* w = weights + 4, x = panel + lane;
                for (var end = w + 4 * rows; w < end; w += 4, x += Lanes)
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
                Store(gates + lane, a0, a1, b0, b1, c0, c1, d0, d1);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(E* rows, V a0, V a1, V b0, V b1, V c0, V c1, V d0, V d1)
    {
        O.Store(rows, a0);
        O.Store(rows + O.Width, a1);
        O.Store(rows + Lanes, b0);
        O.Store(rows + Lanes + O.Width, b1);
        O.Store(rows + 2 * Lanes, c0);
        O.Store(rows + 2 * Lanes + O.Width, c1);
        O.Store(rows + 3 * Lanes, d0);
        O.Store(rows + 3 * Lanes + O.Width, d1);
    }

    /// <summary>
    /// From the products (those of i, f, o are -1 / ln 2 times the gates' inputs) to the gates, in place, to the new cells
    /// c' = f c + i g, tanh c' and the output h = o tanh c'.
    /// </summary>
    public static void Gates(int units, bool forget, E* gates, E* oldCells, E* newCells, int cellStride, E* tanhCells, E* output)
    {
        var candidates = gates + (forget ? 2 : 1) * units * Lanes;
        var outputs = candidates + units * Lanes;
        Denominators(gates, candidates);
        Denominators(outputs, outputs + units * Lanes);
        if (forget) CellsThatForget(units, gates, gates + units * Lanes, candidates, oldCells, newCells, cellStride);
        else Cells(units, gates, candidates, oldCells, newCells, cellStride);
        Outputs(units, newCells, cellStride, outputs, tanhCells, output);
    }

    /// <summary>x = 1 + 2^x, the denominator of a sigmoid.</summary>
    [MethodImpl(Full)]
    static void Denominators(E* x, E* end)
    {
        for (; x < end; x += O.Width) O.Store(x, O.OnePlusPowerOfTwo(O.Load(x)));
    }

    [MethodImpl(Full)]
    static void CellsThatForget(int units, E* inputs, E* forgets, E* candidates, E* oldCells, E* newCells, int cellStride)
    {
        for (; units > 0; units--, inputs += Lanes, forgets += Lanes, candidates += Lanes,
            oldCells += cellStride, newCells += cellStride)
            for (var lane = 0; lane < Lanes; lane += O.Width)
            {
                var forget = O.Divide(O.Constant(1), O.Load(forgets + lane));
                O.Store(forgets + lane, forget);
                var opened = Opened(inputs + lane, candidates + lane, out var input);
                O.Store(newCells + lane, O.FusedMultiplyAdd(input, opened, O.Multiply(forget, O.Load(oldCells + lane))));
            }
    }

    [MethodImpl(Full)]
    static void Cells(int units, E* inputs, E* candidates, E* oldCells, E* newCells, int cellStride)
    {
        for (; units > 0; units--, inputs += Lanes, candidates += Lanes, oldCells += cellStride, newCells += cellStride)
            for (var lane = 0; lane < Lanes; lane += O.Width)
            {
                var opened = Opened(inputs + lane, candidates + lane, out var input);
                O.Store(newCells + lane, O.FusedMultiplyAdd(input, opened, O.Load(oldCells + lane)));
            }
    }

    /// <summary>i = 1 / denominator and g = tanh(its input) share one division; both replace what they come from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Opened(E* inputAt, E* candidateAt, out V input)
    {
        var below = O.Load(inputAt);
        var candidateAbove = O.TanhFraction(O.Load(candidateAt), out var candidateBelow);
        var quotient = O.Divide(O.Constant(1), O.Multiply(below, candidateBelow));
        input = O.Multiply(quotient, candidateBelow);
        var candidate = O.Multiply(candidateAbove, O.Multiply(quotient, below));
        O.Store(inputAt, input);
        O.Store(candidateAt, candidate);
        return candidate;
    }

    /// <summary>o = 1 / denominator and tanh c share one division.</summary>
    [MethodImpl(Full)]
    static void Outputs(int units, E* cells, int cellStride, E* outputs, E* tanhCells, E* output)
    {
        for (; units > 0; units--, cells += cellStride, outputs += Lanes, tanhCells += Lanes, output += Lanes)
            for (var lane = 0; lane < Lanes; lane += O.Width)
            {
                var below = O.Load(outputs + lane);
                var above = O.TanhFraction(O.Load(cells + lane), out var cellBelow);
                var quotient = O.Divide(O.Constant(1), O.Multiply(below, cellBelow));
                var opening = O.Multiply(quotient, cellBelow);
                var squashed = O.Multiply(above, O.Multiply(quotient, below));
                O.Store(outputs + lane, opening);
                O.Store(tanhCells + lane, squashed);
                O.Store(output + lane, O.Multiply(opening, squashed));
            }
    }

    /// <summary>
    /// update = scale * (w . panel + bias), of which tanh is taken first if it is bounded; the bias follows the weights.
    /// </summary>
    public static void Output(E* weights, int rows, E scale, bool bounded, E* panel, E* update)
    {
        for (var lane = 0; lane < Lanes; lane += O.Width)
        {
            var sum = O.Broadcast(weights[rows]);
            for (var row = 0; row < rows; row++)
                sum = O.FusedMultiplyAdd(O.Broadcast(weights[row]), O.Load(panel + row * Lanes + lane), sum);
            O.Store(update + lane, O.Multiply(O.Broadcast(scale), bounded ? O.Tanh(sum) : sum));
        }
    }
}

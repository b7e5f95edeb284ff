using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>One inner step without a graph: theta += update, state advances in place.</summary>
readonly unsafe struct LstmStepJob<V, O, E>(LstmShape shape, Tensor<E> packed, Tensor<E> gradient, Tensor<E> state, Tensor<E> theta) : IChunkJob
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    static int Lanes => LstmBlock<V, O, E>.Lanes;

    public void Run(int chunk)
    {
        var arena = Scratch<E>.Start();
        var slots = arena.Take(new Shape(LstmPanels<E>.Slots(shape, 1), LstmPanels<E>.SlotRows(shape), Lanes));
        var panels = new LstmPanels<E>(shape, slots.Data, Lanes);
        var update = arena.Take(new Shape(Lanes)).Data;
        var widest = 0;
        for (var l = 0; l < shape.Layers.Count; l++) widest = Math.Max(widest, LstmWeights.GateRows(shape, l));
        var gates = arena.Take(new Shape(widest, Lanes)).Data;
        var tanhCells = arena.Take(new Shape(widest, Lanes)).Data;
        var (from, to) = Chunks.Of(chunk, LstmShape.Blocks(gradient.Count));
        for (var first = from * Block; first < Math.Min(to * Block, gradient.Count); first += Lanes) Step(first, panels, update, gates, tanhCells);
    }

    void Step(int first, LstmPanels<E> panels, E* update, E* gates, E* tanhCells)
    {
        var count = Math.Min(Lanes, gradient.Count - first);
        var values = new Span<E>(update, Lanes);
        values.Clear();
        new ReadOnlySpan<E>(gradient.Data + first, count).CopyTo(values);
        LstmBlock<V, O, E>.Preprocess(shape, update, panels.Panel(0, 0));
        var cells = state.Data + (long)(first / Block) * Block * shape.StatePerCoordinate + first % Block;
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var units = shape.Layers[l];
            var hidden = cells + units * Block;
            Copy(hidden, Block, panels.Own(l, 0), Lanes, units);
            LstmBlock<V, O, E>.Products(
                packed.Data + LstmWeights.Forward(shape, l), shape.PanelRows(l), LstmWeights.GateRows(shape, l), panels.Panel(l, 0), gates);
            LstmBlock<V, O, E>.Gates(units, shape.ForgetGates, gates, cells, cells, Block, tanhCells, panels.Output(l, 0));
            Copy(panels.Output(l, 0), Lanes, hidden, Block, units);
            cells = hidden + units * Block;
        }
        var top = shape.Layers.Count;
        LstmBlock<V, O, E>.Output(packed.Data + LstmWeights.Forward(shape, top), shape.PanelRows(top),
            E.CreateTruncating(shape.OutputScale), panels.Panel(top, 0), update);
        var parameters = theta.Data + first;
        for (var i = 0; i < count; i++) parameters[i] += update[i];
    }

    static void Copy(E* from, int fromStride, E* to, int toStride, int rows)
    {
        for (var row = 0; row < rows; row++, from += fromStride, to += toStride)
            for (var lane = 0; lane < Lanes; lane += O.Width) O.Store(to + lane, O.Load(from + lane));
    }
}

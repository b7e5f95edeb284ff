using System.Numerics;
using System.Runtime.Intrinsics.X86;

namespace MetaOpt.Compute;

/// <summary>One inner step without a graph: theta += update, state advances in place.</summary>
readonly unsafe struct LstmStepJob<V, O, E>(LstmShape shape, Tensor<E> packed, Tensor<E> gradient, Tensor<E> state,
    Tensor<E> theta) : IChunkJob
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    static int Lanes => LstmBlock<V, O, E>.Lanes;

    readonly struct Room
    {
        public readonly LstmPanels<E> Panels;
        public readonly E* Update, Gates, TanhCells, Moments;

        public Room(Arena<E> arena, LstmShape shape)
        {
            Panels = new LstmPanels<E>(arena, shape, 1, Lanes);
            Update = arena.Take(new Shape(Lanes)).Data;
            var widest = shape.InputLayer.GateRows;
            foreach (ref readonly var layer in shape.Layers) widest = Math.Max(widest, layer.GateRows);
            Gates = arena.Take(new Shape(widest, Lanes)).Data;
            TanhCells = arena.Take(new Shape(widest, Lanes)).Data;
            Moments = arena.Take(new Shape(LstmMoments.Features, Lanes)).Data;
        }
    }

    public void Run(int chunk)
    {
        var room = new Room(Scratch<E>.Start(), shape);
        var (from, to) = Chunks.Of(chunk, LstmShape.Blocks(gradient.Count));
        for (var first = from * Block; first < Math.Min(to * Block, gradient.Count); first += Lanes) Step(first, room);
    }

    void Step(int first, in Room room)
    {
        var count = Math.Min(Lanes, gradient.Count - first);
        var values = new Span<E>(room.Update, Lanes);
        values.Clear();
        new ReadOnlySpan<E>(gradient.Data + first, count).CopyTo(values);
        var cells = Cells(first);
        if (shape.Moments is { } moments)
        {
            LstmBlock<V, O, E>.Moments(moments, room.Update, cells + 2 * shape.Units * Block, Block, room.Moments);
            LstmBlock<V, O, E>.Products(packed.Data, LstmMoments.Features, shape.InputLayer.GateRows, room.Moments, room.Gates);
            LstmBlock<V, O, E>.Elu(moments.Units, room.Gates, room.Panels.Features(0));
        }
        else LstmBlock<V, O, E>.Preprocess(shape, room.Update, room.Panels.Features(0));
        Prefetch(first + Lanes);
        foreach (ref readonly var layer in shape.Layers)
        {
            var hidden = cells + layer.Units * Block;
            Copy(hidden, Block, room.Panels.Own(layer, 0), Lanes, layer.Units);
            LstmBlock<V, O, E>.Products(packed.Data + layer.ForwardWeights, layer.Rows, layer.GateRows,
                room.Panels.Panel(layer, 0), room.Gates);
            var output = room.Panels.Output(layer, 0);
            LstmBlock<V, O, E>.Gates(layer.Units, shape.ForgetGates, room.Gates, cells, cells, Block, room.TanhCells, output);
            Copy(output, Lanes, hidden, Block, layer.Units);
            cells = hidden + layer.Units * Block;
        }
        LstmBlock<V, O, E>.Output(
            packed.Data + shape.OutputWeights, shape.OutputInputs, E.CreateTruncating(shape.OutputScale),
            shape.Moments is not null,
            room.Panels.Top(0), room.Update);
        var parameters = theta.Data + first;
        for (var i = 0; i < count; i++) parameters[i] += room.Update[i];
    }

    /// <summary>The first layer's cells of a coordinate, the first of some.</summary>
    E* Cells(int coordinate) => state.Data + (long)(coordinate / Block) * Block * shape.StatePerCoordinate + coordinate % Block;

    /// <summary>The state is streamed: what comes next is asked for while this is worked on.</summary>
    void Prefetch(int next)
    {
        if (!Sse.IsSupported || next >= gradient.Count) return;
        var row = Cells(next);
        for (var i = 0; i < shape.StatePerCoordinate; i++, row += Block) Sse.Prefetch1(row);
    }

    static void Copy(E* from, int fromStride, E* to, int toStride, int rows)
    {
        for (var row = 0; row < rows; row++, from += fromStride, to += toStride)
            for (var lane = 0; lane < Lanes; lane += O.Width) O.Store(to + lane, O.Load(from + lane));
    }
}

using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>The number of coordinate chunks depends on the number of coordinates alone, so sums do not depend on the threads.</summary>
static class Chunks
{
    const int Most = 256;

    public static int Count(int blocks) => Math.Min(blocks, Most);

    /// <summary>Blocks from .. to (exclusive) of a chunk.</summary>
    public static (int From, int To) Of(int chunk, int blocks) =>
        ((int)((long)chunk * blocks / Count(blocks)), (int)((long)(chunk + 1) * blocks / Count(blocks)));
}

/// <summary>Memory that a thread keeps between chunks.</summary>
static class Scratch<E> where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    [ThreadStatic]
    static Arena<E>? t_arena;

    /// <summary>This thread's arena, empty.</summary>
    public static Arena<E> Start()
    {
        var arena = t_arena ??= new Arena<E>();
        arena.Reset();
        return arena;
    }
}

/// <summary>One inner step without a graph: theta += update, state advances in place.</summary>
readonly unsafe struct LstmStepJob<V, O, E>(LstmShape shape, Tensor<E> packed, Tensor<E> gradient, Tensor<E> state, Tensor<E> theta) : IChunkJob
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    public void Run(int chunk)
    {
        var arena = Scratch<E>.Start();
        var layers = shape.Layers.Count;
        E** panels = stackalloc E*[layers + 1];
        for (var l = 0; l <= layers; l++)
        {
            panels[l] = arena.Take(new Shape(shape.PanelRows(l), Block)).Data;
            new Span<E>(panels[l] + (shape.PanelRows(l) - 1) * Block, Block).Fill(E.One);
        }
        var update = arena.Take(new Shape(Block)).Data;
        var (from, to) = Chunks.Of(chunk, LstmShape.Blocks(gradient.Count));
        for (var block = from; block < to; block++) StepBlock(block, panels, update);
    }

    void StepBlock(int block, E** panels, E* update)
    {
        var count = Math.Min(Block, gradient.Count - block * Block);
        var values = new Span<E>(update, Block);
        values.Clear();
        new ReadOnlySpan<E>(gradient.Data + block * Block, count).CopyTo(values);
        LstmBlock<V, O, E>.Preprocess(shape, update, panels[0]);
        var cells = state.Data + (long)block * Block * shape.StatePerCoordinate;
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var (units, rows) = (shape.Layers[l], shape.PanelRows(l));
            var hidden = cells + units * Block;
            new ReadOnlySpan<E>(hidden, units * Block).CopyTo(new Span<E>(panels[l] + shape.InputsFromBelow(l) * Block, units * Block));
            LstmBlock<V, O, E>.Layer(packed.Data + LstmWeights.Forward(shape, l), rows, units, panels[l],
                cells, cells, hidden, panels[l + 1], null, null);
            cells = hidden + units * Block;
        }
        var top = shape.Layers.Count;
        LstmBlock<V, O, E>.Output(packed.Data + LstmWeights.Forward(shape, top), shape.PanelRows(top),
            E.CreateTruncating(shape.OutputScale), panels[top], update);
        var parameters = theta.Data + block * Block;
        for (var i = 0; i < count; i++) parameters[i] += update[i];
    }
}

/// <summary>
/// Decoupled back-propagation through time: recomputes the activations of one unroll from its stored gradients, block by
/// block, and walks back. The adjoint of update t is the running sum over s &gt; t of w_s grad f(theta_s), so that no
/// optimizee is touched. Result: panel-ordered gradients in double, one row a chunk.
/// </summary>
readonly unsafe struct LstmBackwardJob<V, O, E>(
    LstmShape shape, Tensor<E> packed, Tensor<E> gradients, Tensor<E> stepWeights, Tensor<E> startState, double[] chunkSums) : IChunkJob
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    /// <summary>Activations of one block over all steps, and the adjoints that walk back.</summary>
    readonly ref struct Room
    {
        public readonly Activations[] Layers;
        public readonly E* Top, Inputs, Adjoint, TopAdjoint, PanelAdjoint, Sums;

        public Room(Arena<E> arena, LstmShape shape, int steps)
        {
            Layers = t_layers ??= new Activations[8];
            var widest = 4;
            for (var l = 0; l < shape.Layers.Count; l++)
            {
                Layers[l] = new Activations(arena, shape, l, steps);
                widest = Math.Max(widest, LstmWeights.AdjointRows(shape, l));
            }
            var top = shape.PanelRows(shape.Layers.Count);
            Top = Panels(arena, top, steps);
            Inputs = arena.Take(new Shape(steps + 1, Block)).Data;
            Adjoint = arena.Take(new Shape(steps, Block)).Data;
            TopAdjoint = arena.Take(new Shape(top, Block)).Data;
            PanelAdjoint = arena.Take(new Shape(widest, Block)).Data;
            Sums = arena.Zeros(new Shape(shape.MetaParameterCount, O.Width)).Data;
        }

        [ThreadStatic]
        static Activations[]? t_layers;
    }

    struct Activations(Arena<E> arena, LstmShape shape, int layer, int steps)
    {
        public readonly E* Panels = LstmBackwardJob<V, O, E>.Panels(arena, shape.PanelRows(layer), steps + 1);
        public readonly E* Gates = arena.Take(new Shape(steps, 4 * shape.Layers[layer], Block)).Data;
        public readonly E* Cells = arena.Take(new Shape(steps + 1, shape.Layers[layer], Block)).Data;
        public readonly E* TanhCells = arena.Take(new Shape(steps, shape.Layers[layer], Block)).Data;
        public readonly E* OutputAdjoint = arena.Take(new Shape(shape.Layers[layer], Block)).Data;
        public readonly E* CellAdjoint = arena.Take(new Shape(shape.Layers[layer], Block)).Data;
    }

    static E* Panels(Arena<E> arena, int rows, int steps)
    {
        var panels = arena.Take(new Shape(steps, rows, Block)).Data;
        for (var step = 0; step < steps; step++) new Span<E>(panels + (step * rows + rows - 1) * Block, Block).Fill(E.One);
        return panels;
    }

    public void Run(int chunk)
    {
        var steps = stepWeights.Count;
        var room = new Room(Scratch<E>.Start(), shape, steps);
        var blocks = LstmShape.Blocks(gradients.Shape.D1);
        var (from, to) = Chunks.Of(chunk, blocks);
        for (var block = from; block < to; block++)
        {
            Forward(room, block, steps);
            Backward(room, steps);
        }
        var sums = chunkSums.AsSpan(chunk * shape.MetaParameterCount, shape.MetaParameterCount);
        for (var i = 0; i < sums.Length; i++)
        {
            var total = 0.0;
            for (var lane = 0; lane < O.Width; lane++) total += double.CreateTruncating(room.Sums[i * O.Width + lane]);
            sums[i] = total;
        }
    }

    void Forward(in Room room, int block, int steps)
    {
        var coordinates = gradients.Shape.D1;
        var count = Math.Min(Block, coordinates - block * Block);
        new Span<E>(room.Inputs, (steps + 1) * Block).Clear();
        for (var step = 0; step <= steps; step++)
            new ReadOnlySpan<E>(gradients.Data + (long)step * coordinates + block * Block, count).CopyTo(new Span<E>(room.Inputs + step * Block, Block));
        var state = startState.Data + (long)block * Block * shape.StatePerCoordinate;
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var rows = shape.Layers[l] * Block;
            new ReadOnlySpan<E>(state, rows).CopyTo(new Span<E>(room.Layers[l].Cells, rows));
            new ReadOnlySpan<E>(state + rows, rows).CopyTo(new Span<E>(room.Layers[l].Panels + shape.InputsFromBelow(l) * Block, rows));
            state += 2 * rows;
        }
        var topRows = shape.PanelRows(shape.Layers.Count);
        for (var step = 0; step < steps; step++)
        {
            var top = room.Top + step * topRows * Block;
            LstmBlock<V, O, E>.Preprocess(shape, room.Inputs + step * Block,
                shape.Layers.Count == 0 ? top : room.Layers[0].Panels + step * shape.PanelRows(0) * Block);
            for (var l = 0; l < shape.Layers.Count; l++)
            {
                ref readonly var layer = ref room.Layers[l];
                var (units, rows) = (shape.Layers[l], shape.PanelRows(l));
                var above = l + 1 == shape.Layers.Count ? top : room.Layers[l + 1].Panels + step * shape.PanelRows(l + 1) * Block;
                LstmBlock<V, O, E>.Layer(packed.Data + LstmWeights.Forward(shape, l), rows, units,
                    layer.Panels + step * rows * Block, layer.Cells + step * units * Block, layer.Cells + (step + 1) * units * Block,
                    layer.Panels + ((step + 1) * rows + shape.InputsFromBelow(l)) * Block, above,
                    layer.Gates + step * 4 * units * Block, layer.TanhCells + step * units * Block);
            }
        }
    }

    void Backward(in Room room, int steps)
    {
        var layers = shape.Layers.Count;
        for (var l = 0; l < layers; l++)
        {
            new Span<E>(room.Layers[l].OutputAdjoint, shape.Layers[l] * Block).Clear();
            new Span<E>(room.Layers[l].CellAdjoint, shape.Layers[l] * Block).Clear();
        }
        Adjoints(room, steps);
        var outputWeights = packed.Data + LstmWeights.Forward(shape, layers);
        for (var step = steps - 1; step >= 0 && layers > 0; step--)
        {
            AddScaled(outputWeights, room.Adjoint + step * Block, shape.Layers[^1], room.Layers[layers - 1].OutputAdjoint);
            for (var l = layers - 1; l >= 0; l--) LayerBackward(room, l, step);
        }
        var sums = room.Sums;
        for (var l = 0; l < layers; l++)
        {
            LstmBlock<V, O, E>.AddWeightGradients(room.Layers[l].Gates, room.Layers[l].Panels, steps, shape.PanelRows(l), shape.Layers[l], sums);
            sums += 4 * shape.Layers[l] * shape.PanelRows(l) * O.Width;
        }
        var topRows = shape.PanelRows(layers);
        for (var row = 0; row < topRows; row++)
        {
            var sum = O.Load(sums + row * O.Width);
            for (var step = 0; step < steps; step++)
                for (var lane = 0; lane < Block; lane += O.Width)
                    sum = O.FusedMultiplyAdd(O.Load(room.Adjoint + step * Block + lane), O.Load(room.Top + (step * topRows + row) * Block + lane), sum);
            O.Store(sums + row * O.Width, sum);
        }
    }

    /// <summary>Of the unscaled outputs: scale * sum over s &gt; t of w_s grad f(theta_s).</summary>
    void Adjoints(in Room room, int steps)
    {
        var scale = O.Broadcast(E.CreateTruncating(shape.OutputScale));
        for (var lane = 0; lane < Block; lane += O.Width)
        {
            var sum = O.Zero;
            for (var step = steps - 1; step >= 0; step--)
            {
                sum = O.FusedMultiplyAdd(O.Broadcast(stepWeights.Data[step]), O.Load(room.Inputs + (step + 1) * Block + lane), sum);
                O.Store(room.Adjoint + step * Block + lane, O.Multiply(scale, sum));
            }
        }
    }

    static void AddScaled(E* weights, E* adjoint, int units, E* outputAdjoint)
    {
        for (var unit = 0; unit < units; unit++)
            for (var lane = 0; lane < Block; lane += O.Width)
            {
                var at = outputAdjoint + unit * Block + lane;
                O.Store(at, O.FusedMultiplyAdd(O.Broadcast(weights[unit]), O.Load(adjoint + lane), O.Load(at)));
            }
    }

    void LayerBackward(in Room room, int l, int step)
    {
        ref readonly var layer = ref room.Layers[l];
        var units = shape.Layers[l];
        var gates = layer.Gates + step * 4 * units * Block;
        LstmBlock<V, O, E>.GateAdjoints(units, layer.OutputAdjoint, layer.CellAdjoint,
            layer.Cells + step * units * Block, layer.TanhCells + step * units * Block, gates);
        LstmBlock<V, O, E>.PanelAdjoints(packed.Data + LstmWeights.Adjoint(shape, l), LstmWeights.AdjointRows(shape, l), units, gates, room.PanelAdjoint);
        var below = l == 0 ? 0 : shape.Layers[l - 1];
        new ReadOnlySpan<E>(room.PanelAdjoint + below * Block, units * Block).CopyTo(new Span<E>(layer.OutputAdjoint, units * Block));
        if (l == 0) return;
        var target = room.Layers[l - 1].OutputAdjoint;
        for (var i = 0; i < below * Block; i += O.Width) O.Store(target + i, O.Add(O.Load(target + i), O.Load(room.PanelAdjoint + i)));
    }
}

using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Decoupled back-propagation through time: recomputes the activations of one unroll from its stored gradients, a few
/// coordinates at a time, and walks back. The adjoint of update t is the running sum over s &gt; t of w_s grad f(theta_s), so
/// that no optimizee is touched. Result: panel-ordered gradients in double, one row a chunk.
/// </summary>
readonly unsafe struct LstmBackwardJob<V, O, E>(
    LstmShape shape, Tensor<E> packed, Tensor<E> gradients, Tensor<E> stepWeights, Tensor<E> startState, double[] chunkSums) : IChunkJob
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    static int Lanes => LstmBlock<V, O, E>.Lanes;

    /// <summary>Activations over all steps, and the adjoints that walk back.</summary>
    readonly ref struct Room
    {
        public readonly LstmPanels<E> Panels;
        public readonly Activations[] Layers;
        public readonly E* Inputs, Adjoint, OutputAdjoints, CellAdjoints, Sums;

        public Room(Arena<E> arena, LstmShape shape, int steps)
        {
            var slots = arena.Take(new Shape(LstmPanels<E>.Slots(shape, steps), LstmPanels<E>.SlotRows(shape), Lanes));
            Panels = new LstmPanels<E>(shape, slots.Data, Lanes);
            Layers = t_layers ??= new Activations[8];
            for (var l = 0; l < shape.Layers.Count; l++) Layers[l] = new Activations(arena, shape, l, steps);
            Inputs = arena.Take(new Shape(steps + 1, Lanes)).Data;
            Adjoint = arena.Take(new Shape(steps, Lanes)).Data;
            // The products of the last layer write up to three rows more.
            OutputAdjoints = arena.Zeros(new Shape(shape.StatePerCoordinate / 2 + 3, Lanes)).Data;
            CellAdjoints = arena.Take(new Shape(shape.StatePerCoordinate / 2, Lanes)).Data;
            Sums = arena.Zeros(new Shape(LstmWeights.GradientSums(shape), O.Width)).Data;
        }

        [ThreadStatic]
        static Activations[]? t_layers;
    }

    struct Activations(Arena<E> arena, LstmShape shape, int layer, int steps)
    {
        public readonly E* Gates = arena.Take(new Shape(steps, LstmWeights.GateRows(shape, layer), Lanes)).Data;
        public readonly E* Cells = arena.Take(new Shape(steps + 1, shape.Layers[layer], Lanes)).Data;
        public readonly E* TanhCells = arena.Take(new Shape(steps, shape.Layers[layer], Lanes)).Data;
    }

    public void Run(int chunk)
    {
        var steps = stepWeights.Count;
        var room = new Room(Scratch<E>.Start(), shape, steps);
        var coordinates = gradients.Shape.D1;
        var (from, to) = Chunks.Of(chunk, LstmShape.Blocks(coordinates));
        for (var first = from * Block; first < Math.Min(to * Block, coordinates); first += Lanes)
        {
            Start(room, first, steps);
            Forward(room, steps);
            Backward(room, steps);
            WeightGradients(room, steps);
        }
        var count = LstmWeights.GradientSums(shape);
        var sums = chunkSums.AsSpan(chunk * count, count);
        for (var i = 0; i < sums.Length; i++)
        {
            var total = 0.0;
            for (var lane = 0; lane < O.Width; lane++) total += double.CreateTruncating(room.Sums[i * O.Width + lane]);
            sums[i] = total;
        }
    }

    /// <summary>Gradients and state at the unroll's start; coordinates that do not exist have gradients of zero.</summary>
    void Start(in Room room, int first, int steps)
    {
        var coordinates = gradients.Shape.D1;
        var count = Math.Min(Lanes, coordinates - first);
        for (var step = 0; step <= steps; step++)
        {
            var row = new Span<E>(room.Inputs + step * Lanes, Lanes);
            new ReadOnlySpan<E>(gradients.Data + (long)step * coordinates + first, count).CopyTo(row);
            row[count..].Clear();
        }
        var state = startState.Data + (long)(first / Block) * Block * shape.StatePerCoordinate + first % Block;
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            E* cells = room.Layers[l].Cells, hidden = room.Panels.Own(l, 0);
            for (var half = 0; half < 2; half++)
                for (var unit = 0; unit < shape.Layers[l]; unit++, state += Block)
                    new ReadOnlySpan<E>(state, Lanes).CopyTo(new Span<E>((half == 0 ? cells : hidden) + unit * Lanes, Lanes));
        }
    }

    void Forward(in Room room, int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            LstmBlock<V, O, E>.Preprocess(shape, room.Inputs + step * Lanes, room.Panels.Panel(0, step));
            for (var l = 0; l < shape.Layers.Count; l++)
            {
                ref readonly var layer = ref room.Layers[l];
                var row = shape.Layers[l] * Lanes;
                var gateRows = LstmWeights.GateRows(shape, l);
                var gates = layer.Gates + step * gateRows * Lanes;
                LstmBlock<V, O, E>.Products(
                    packed.Data + LstmWeights.Forward(shape, l), shape.PanelRows(l), gateRows, room.Panels.Panel(l, step), gates);
                LstmBlock<V, O, E>.Gates(shape.Layers[l], shape.ForgetGates, gates, layer.Cells + step * row, layer.Cells + (step + 1) * row,
                    Lanes, layer.TanhCells + step * row, room.Panels.Output(l, step));
            }
        }
    }

    void Backward(in Room room, int steps)
    {
        Adjoints(room, steps);
        var units = shape.StatePerCoordinate / 2;
        new Span<E>(room.OutputAdjoints, units * Lanes).Clear();
        new Span<E>(room.CellAdjoints, units * Lanes).Clear();
        var outputWeights = packed.Data + LstmWeights.Forward(shape, shape.Layers.Count);
        for (var step = steps - 1; step >= 0; step--)
        {
            var below = units;
            for (var l = shape.Layers.Count - 1; l >= 0; l--)
            {
                ref readonly var layer = ref room.Layers[l];
                var (own, row) = (shape.Layers[l], shape.Layers[l] * Lanes);
                below -= own;
                var outputAdjoint = room.OutputAdjoints + below * Lanes;
                if (l == shape.Layers.Count - 1) AddScaled(outputWeights, room.Adjoint + step * Lanes, own, outputAdjoint);
                var gates = layer.Gates + step * LstmWeights.GateRows(shape, l) * Lanes;
                LstmAdjoints<V, O, E>.Gates(own, shape.ForgetGates,
                    outputAdjoint, room.CellAdjoints + below * Lanes, layer.Cells + step * row, layer.TanhCells + step * row, gates);
                LstmAdjoints<V, O, E>.AddPanel(packed.Data + LstmWeights.Adjoint(shape, l), LstmWeights.AdjointRows(shape, l),
                    shape.Gates * own, gates, l == 0 ? outputAdjoint : outputAdjoint - shape.Layers[l - 1] * Lanes);
            }
        }
    }

    /// <summary>Of the unscaled outputs: scale * sum over s &gt; t of w_s grad f(theta_s).</summary>
    void Adjoints(in Room room, int steps)
    {
        var scale = O.Broadcast(E.CreateTruncating(shape.OutputScale));
        for (var lane = 0; lane < Lanes; lane += O.Width)
        {
            var sum = O.Zero;
            for (var step = steps - 1; step >= 0; step--)
            {
                sum = O.FusedMultiplyAdd(O.Broadcast(stepWeights.Data[step]), O.Load(room.Inputs + (step + 1) * Lanes + lane), sum);
                O.Store(room.Adjoint + step * Lanes + lane, O.Multiply(scale, sum));
            }
        }
    }

    static void AddScaled(E* weights, E* adjoint, int units, E* outputAdjoint)
    {
        for (var unit = 0; unit < units; unit++)
            for (var lane = 0; lane < Lanes; lane += O.Width)
            {
                var at = outputAdjoint + unit * Lanes + lane;
                O.Store(at, O.FusedMultiplyAdd(O.Broadcast(weights[unit]), O.Load(adjoint + lane), O.Load(at)));
            }
    }

    void WeightGradients(in Room room, int steps)
    {
        var sums = room.Sums;
        for (var l = 0; l < shape.Layers.Count; l++)
        {
            var (rows, gateRows) = (shape.PanelRows(l), LstmWeights.GateRows(shape, l));
            var all = new LstmAdjoints<V, O, E>.Steps(
                (nint)room.Layers[l].Gates, gateRows * Lanes, (nint)room.Panels.Panel(l, 0), room.Panels.Stride, steps);
            LstmAdjoints<V, O, E>.AddGradients(all, rows, gateRows, sums);
            sums += gateRows * LstmWeights.GradientColumns(rows) * O.Width;
        }
        var top = shape.PanelRows(shape.Layers.Count);
        for (var row = 0; row <= top; row++)
        {
            var sum = O.Load(sums + row * O.Width);
            for (var step = 0; step < steps; step++)
                for (var lane = 0; lane < Lanes; lane += O.Width)
                {
                    var panel = row == top ? O.Constant(1) : O.Load(room.Panels.Panel(shape.Layers.Count, step) + row * Lanes + lane);
                    sum = O.FusedMultiplyAdd(O.Load(room.Adjoint + step * Lanes + lane), panel, sum);
                }
            O.Store(sums + row * O.Width, sum);
        }
    }
}

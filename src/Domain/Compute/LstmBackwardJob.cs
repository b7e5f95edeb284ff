using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Decoupled back-propagation through time: recomputes the activations of one unroll from its stored gradients, a few
/// coordinates at a time, and walks back. The adjoint of update t is the running sum of the adjoints of theta after it, given, so
/// that no optimizee is touched. Result: gradient sums in double, one row a chunk.
/// </summary>
readonly unsafe struct LstmBackwardJob<V, O, E>(
    LstmShape shape, Tensor<E> packed, in Unrolled<E> unrolled, double[] chunkSums) : IChunkJob
    where V : struct
    where O : IVectorOps<V, E>
    where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    const int Block = LstmShape.Block;

    readonly Unrolled<E> _unrolled = unrolled;

    static int Lanes => LstmBlock<V, O, E>.Lanes;

    /// <summary>
    /// Activations over all steps, and the adjoints that walk back. What all layers have is one array, layer after layer.
    /// </summary>
    readonly struct Room
    {
        public readonly LstmPanels<E> Panels;
        public readonly E* Gates, Cells, TanhCells, Inputs, Adjoint, OutputAdjoints, CellAdjoints, Sums;

        /// <summary>
        /// Of RNNprop alone: the moments [4], the features of each step [2], the adjoints of the input layer's outputs, and tanh
        /// at the end.
        /// </summary>
        public readonly E* Moments, Features, InputAdjoints, Outputs;
        readonly int _steps;

        public Room(Arena<E> arena, LstmShape shape, int steps)
        {
            var gateRows = shape.InputLayer.GateRows;
            foreach (ref readonly var layer in shape.Layers) gateRows += layer.GateRows;
            _steps = steps;
            Panels = new LstmPanels<E>(arena, shape, steps, Lanes);
            Gates = arena.Take(new Shape(gateRows, steps, Lanes)).Data;
            Cells = arena.Take(new Shape(shape.Units, steps + 1, Lanes)).Data;
            TanhCells = arena.Take(new Shape(shape.Units, steps, Lanes)).Data;
            Inputs = arena.Take(new Shape(steps, Lanes)).Data;
            Adjoint = arena.Take(new Shape(steps, Lanes)).Data;
            // The products of the last layer write up to three rows more.
            InputAdjoints = arena.Zeros(new Shape(shape.InputLayer.Gates + shape.Units + 3, Lanes)).Data;
            OutputAdjoints = InputAdjoints + shape.InputLayer.Gates * Lanes;
            CellAdjoints = arena.Take(new Shape(shape.Units, Lanes)).Data;
            Sums = arena.Zeros(new Shape(shape.GradientSums, O.Width)).Data;
            if (shape.Moments is null) return;
            Moments = arena.Take(new Shape(LstmMoments.StateRows, Lanes)).Data;
            Features = arena.Take(new Shape(steps, LstmMoments.Features, Lanes)).Data;
            Outputs = arena.Take(new Shape(steps, Lanes)).Data;
        }

        /// <summary>Gates [GateRows] of a layer at a step.</summary>
        public E* GatesOf(in LstmLayer layer, int step) => Gates + (layer.FirstGateRow * _steps + step * layer.GateRows) * Lanes;

        /// <summary>Cells [Units] of a layer before a step.</summary>
        public E* CellsOf(in LstmLayer layer, int step) => Cells + (layer.FirstUnit * (_steps + 1) + step * layer.Units) * Lanes;

        /// <summary>tanh of the cells [Units] of a layer after a step.</summary>
        public E* TanhCellsOf(in LstmLayer layer, int step) =>
            TanhCells + (layer.FirstUnit * _steps + step * layer.Units) * Lanes;
    }

    public void Run(int chunk)
    {
        var steps = _unrolled.Steps;
        var room = new Room(Scratch<E>.Start(), shape, steps);
        var coordinates = _unrolled.Coordinates;
        var (from, to) = Chunks.Of(chunk, LstmShape.Blocks(coordinates));
        for (var first = from * Block; first < Math.Min(to * Block, coordinates); first += Lanes)
        {
            Start(room, first, steps);
            Forward(room, steps);
            Backward(room, steps);
            WeightGradients(room, steps);
        }
        var sums = chunkSums.AsSpan(chunk * shape.GradientSums, shape.GradientSums);
        for (var i = 0; i < sums.Length; i++) sums[i] = double.CreateTruncating(O.Sum(O.Load(room.Sums + i * O.Width)));
    }

    /// <summary>Gradients, adjoints and state at the unroll's start; for coordinates that do not exist they are zero.</summary>
    void Start(in Room room, int first, int steps)
    {
        var coordinates = _unrolled.Coordinates;
        var count = Math.Min(Lanes, coordinates - first);
        for (var step = 0; step < steps; step++)
        {
            Copy(_unrolled.Gradients.Data + (long)step * coordinates + first, room.Inputs + step * Lanes);
            Copy(_unrolled.Adjoints.Data + (long)step * coordinates + first, room.Adjoint + step * Lanes);
        }
        var state = _unrolled.StartState.Data + (long)(first / Block) * Block * shape.StatePerCoordinate + first % Block;
        foreach (ref readonly var layer in shape.Layers)
        {
            state = Rows(state, room.CellsOf(layer, 0), layer.Units);
            state = Rows(state, room.Panels.Own(layer, 0), layer.Units);
        }
        if (shape.Moments is not null) Rows(state, room.Moments, LstmMoments.StateRows);

        void Copy(E* from, E* to)
        {
            new ReadOnlySpan<E>(from, count).CopyTo(new Span<E>(to, count));
            new Span<E>(to + count, Lanes - count).Clear();
        }

        static E* Rows(E* from, E* to, int rows)
        {
            for (var row = 0; row < rows; row++, from += Block)
                new ReadOnlySpan<E>(from, Lanes).CopyTo(new Span<E>(to + row * Lanes, Lanes));
            return from;
        }
    }

    void Forward(in Room room, int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            if (shape.Moments is { } moments) Enter(room, moments, step);
            else LstmBlock<V, O, E>.Preprocess(shape, room.Inputs + step * Lanes, room.Panels.Features(step));
            foreach (ref readonly var layer in shape.Layers)
            {
                var gates = room.GatesOf(layer, step);
                LstmBlock<V, O, E>.Products(packed.Data + layer.ForwardWeights, layer.Rows, layer.GateRows,
                    room.Panels.Panel(layer, step), gates);
                LstmBlock<V, O, E>.Gates(layer.Units, shape.ForgetGates, gates, room.CellsOf(layer, step),
                    room.CellsOf(layer, step + 1), Lanes,
                    room.TanhCellsOf(layer, step), room.Panels.Output(layer, step));
            }
            if (shape.Moments is not null)
                LstmBlock<V, O, E>.Output(packed.Data + shape.OutputWeights, shape.OutputInputs, E.One, true,
                    room.Panels.Top(step), room.Outputs + step * Lanes);
        }
    }

    /// <summary>RNNprop's way in.</summary>
    void Enter(in Room room, LstmMoments moments, int step)
    {
        var features = room.Features + step * LstmMoments.Features * Lanes;
        var inputs = room.GatesOf(shape.InputLayer, step); // overwritten on the way back
        LstmBlock<V, O, E>.Moments(moments, room.Inputs + step * Lanes, room.Moments, Lanes, features);
        LstmBlock<V, O, E>.Products(packed.Data, LstmMoments.Features, shape.InputLayer.GateRows, features, inputs);
        LstmBlock<V, O, E>.Elu(moments.Units, inputs, room.Panels.Features(step));
    }

    void Backward(in Room room, int steps)
    {
        Adjoints(room, steps);
        new Span<E>(room.InputAdjoints, (shape.InputLayer.Gates + shape.Units) * Lanes).Clear();
        new Span<E>(room.CellAdjoints, shape.Units * Lanes).Clear();
        for (var step = steps - 1; step >= 0; step--)
        {
            for (var l = shape.Layers.Length - 1; l >= 0; l--)
            {
                ref readonly var layer = ref shape.Layers[l];
                var outputAdjoint = room.OutputAdjoints + layer.FirstUnit * Lanes;
                if (l == shape.Layers.Length - 1)
                    AddScaled(packed.Data + shape.OutputWeights, room.Adjoint + step * Lanes, layer.Units, outputAdjoint);
                var gates = room.GatesOf(layer, step);
                LstmAdjoints<V, O, E>.Gates(layer.Units, shape.ForgetGates, outputAdjoint,
                    room.CellAdjoints + layer.FirstUnit * Lanes,
                    room.CellsOf(layer, step), room.TanhCellsOf(layer, step), gates);
                LstmAdjoints<V, O, E>.AddPanel(packed.Data + layer.AdjointWeights, layer.AdjointRows, layer.Gates, gates,
                    outputAdjoint - (layer.Inputs - layer.FirstAdjointRow) * Lanes);
            }
            if (shape.Moments is { } moments)
                LstmAdjoints<V, O, E>.Elu(moments.Units, room.Panels.Features(step), room.InputAdjoints,
                    room.GatesOf(shape.InputLayer, step));
        }
    }

    /// <summary>
    /// From those of theta to those of the unscaled outputs, before tanh if they are bounded, in place: the sum over what comes
    /// after the update, times the scale.
    /// </summary>
    void Adjoints(in Room room, int steps)
    {
        var scale = O.Broadcast(E.CreateTruncating(shape.OutputScale));
        for (var lane = 0; lane < Lanes; lane += O.Width)
        {
            var sum = O.Zero;
            for (var step = steps - 1; step >= 0; step--)
            {
                var at = room.Adjoint + step * Lanes + lane;
                sum = O.FusedMultiplyAdd(O.Broadcast(_unrolled.Weights.Data[step]), O.Load(at), _unrolled.Forced ? O.Zero : sum);
                var adjoint = O.Multiply(scale, sum);
                if (shape.Moments is not null)
                {
                    var output = O.Load(room.Outputs + step * Lanes + lane);
                    adjoint = O.Multiply(adjoint, O.Subtract(O.Constant(1), O.Multiply(output, output)));
                }
                O.Store(at, adjoint);
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
        foreach (ref readonly var layer in shape.Layers)
        {
            var all = new LstmAdjoints<V, O, E>.Steps(
                (nint)room.GatesOf(layer, 0), layer.GateRows * Lanes, (nint)room.Panels.Panel(layer, 0), room.Panels.Stride,
                steps);
            LstmAdjoints<V, O, E>.AddGradients(all, layer, room.Sums + layer.Sums * O.Width);
        }
        if (shape.Moments is not null)
        {
            var all = new LstmAdjoints<V, O, E>.Steps((nint)room.GatesOf(shape.InputLayer, 0), shape.InputLayer.GateRows * Lanes,
                (nint)room.Features, LstmMoments.Features * Lanes, steps);
            LstmAdjoints<V, O, E>.AddGradients(all, shape.InputLayer, room.Sums + shape.InputLayer.Sums * O.Width);
        }
        var sums = room.Sums + shape.OutputSums * O.Width;
        for (var row = 0; row <= shape.OutputInputs; row++, sums += O.Width)
        {
            var sum = O.Load(sums);
            for (var step = 0; step < steps; step++)
                for (var lane = 0; lane < Lanes; lane += O.Width)
                {
                    var input = row == shape.OutputInputs ? O.Constant(1) : O.Load(room.Panels.Top(step) + row * Lanes + lane);
                    sum = O.FusedMultiplyAdd(O.Load(room.Adjoint + step * Lanes + lane), input, sum);
                }
            O.Store(sums, sum);
        }
    }
}

using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Optimizers;

/// <summary>
/// Limited-memory BFGS, used as a stochastic optimizer is: no line search, the step is the tuned learning rate times the
/// quasi-Newton direction. Each instance has its own memory. A pair (s, y) with s'y not above 0 is skipped (a cautious update,
/// after Li and Fukushima, 2001), so the direction always descends. Until there is a pair the step is along -g and at most the
/// learning rate long in the 1-norm, as in PyTorch.
/// </summary>
public static class LBfgs
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "l-bfgs",
        "theta -= rate * H g, H from the last pairs s = change of theta, y = change of g by the two-loop recursion; no line "
        + "search.",
        "Liu and Nocedal 1989, doi:10.1007/BF01589116; first step of PyTorch optim.LBFGS");

    /// <summary>Options of <c>l-bfgs</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <summary>m, the pairs remembered.</summary>
        [Bounds(1, MostPairs)]
        public int Memory { get; init; } = 10;

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) => new Optimizer(Memory, sizes);
    }

    const int MostPairs = 50;

    sealed class Optimizer(int memory, StepSizes sizes) : IOptimizer
    {
        public IOptimizerState Start(IKernels<float> kernels, int batch, int coordinates) =>
            new State(memory, sizes, kernels, batch, coordinates);

        public long BytesPerInstance(int coordinates) => 4L * coordinates * (2 * (memory + 1) + 3);
    }

    sealed class State : IOptimizerState
    {
        readonly StepSizes _sizes;
        readonly IKernels<float> _kernels;
        readonly Arena<float> _arena;
        readonly History _history;
        long _step;

        public State(int memory, StepSizes sizes, IKernels<float> kernels, int batch, int coordinates)
        {
            (_sizes, _kernels) = (sizes, kernels);
            _arena = kernels.NewArena();
            _history = new History(_arena, batch, coordinates, memory + 1);
        }

        public void Reset()
        {
            _step = 0;
            _history.Marks.Span.Clear();
        }

        public void Step(Tensor<float> theta, Tensor<float> gradient)
        {
            OptimizerStates.Require(_history.Theta.Count, theta, gradient);
            _kernels.Run(_history.Theta.Shape.D0, new Job(_history, theta, gradient, _sizes.At(++_step), _step == 1));
        }

        public void Keep(Snapshot snapshot)
        {
            snapshot.Keep("step", ref _step);
            snapshot.Keep("theta", _history.Theta);
            snapshot.Keep("gradient", _history.Gradient);
            snapshot.Keep("s", _history.S);
            snapshot.Keep("y", _history.Y);
            snapshot.Keep("inverse", _history.Inverse);
            snapshot.Keep("marks", _history.Marks);
        }

        public void Dispose() => _arena.Dispose();
    }

    /// <summary>
    /// The history of B instances with P coordinates. One slot is spare: a new pair is worked out there before it is known
    /// whether it counts. Marks of an instance: pairs held, the spare slot, and gamma, the scale of H before the pairs.
    /// </summary>
    readonly struct History(Arena<float> arena, int batch, int coordinates, int slots)
    {
        public readonly Tensor<float> Theta = arena.Zeros(new Shape(batch, coordinates)),
            Gradient = arena.Zeros(new Shape(batch, coordinates));
        public readonly Tensor<float> S = arena.Zeros(new Shape(batch, slots, coordinates)),
            Y = arena.Zeros(new Shape(batch, slots, coordinates));
        public readonly Tensor<float> Inverse = arena.Zeros(new Shape(batch, slots)); // 1 / s'y
        public readonly Tensor<float> Marks = arena.Zeros(new Shape(batch, 3));
        public readonly Tensor<float> Direction = arena.Zeros(new Shape(batch, coordinates));

        public int Slots => Inverse.Shape.D1;

        public int Coordinates => Theta.Shape.D1;
    }

    /// <summary>One chunk is one instance.</summary>
    readonly unsafe struct Job(History history, Tensor<float> theta, Tensor<float> gradient, double rate, bool first) : IChunkJob
    {
        public void Run(int row)
        {
            var (count, offset) = (history.Coordinates, (long)row * history.Coordinates);
            float* at = theta.Data + offset, slope = gradient.Data + offset, direction = history.Direction.Data + offset;
            if (!first) Remember(row, at, slope);
            Copy(at, history.Theta.Data + offset, count);
            Copy(slope, history.Gradient.Data + offset, count);
            Copy(slope, direction, count);
            var step = rate;
            if (history.Marks.Data[3 * row] > 0) Multiply(row, direction);
            else step *= Math.Min(1, 1 / Row.SumOfSizes(slope, count));
            Row.AddScaled(at, -step, direction, count);
        }

        /// <summary>The last step's pair goes to the spare slot, which becomes the newest one if s'y is above 0.</summary>
        void Remember(int row, float* at, float* slope)
        {
            var count = history.Coordinates;
            var marks = history.Marks.Data + 3 * row;
            var (pairs, spare) = ((int)marks[0], (int)marks[1]);
            float* s = Slot(history.S, row, spare), y = Slot(history.Y, row, spare);
            Difference(at, history.Theta.Data + (long)row * count, s, count);
            Difference(slope, history.Gradient.Data + (long)row * count, y, count);
            var product = Row.Dot(s, y, count);
            var inverse = (float)(1 / product);
            if (!(product > 0 && float.IsFinite(inverse))) return;
            history.Inverse.Data[row * history.Slots + spare] = inverse;
            marks[0] = Math.Min(pairs + 1, history.Slots - 1);
            marks[1] = (spare + 1) % history.Slots;
            marks[2] = (float)(product / Row.Dot(y, y, count));
        }

        /// <summary>q = H q by the two-loop recursion (Nocedal, 1980).</summary>
        void Multiply(int row, float* q)
        {
            var (count, slots) = (history.Coordinates, history.Slots);
            var marks = history.Marks.Data + 3 * row;
            var (pairs, spare) = ((int)marks[0], (int)marks[1]);
            var inverse = history.Inverse.Data + row * slots;
            var alpha = stackalloc double[MostPairs];
            for (var age = 1; age <= pairs; age++)
            {
                var slot = (spare - age + slots) % slots;
                alpha[age - 1] = inverse[slot] * Row.Dot(Slot(history.S, row, slot), q, count);
                Row.AddScaled(q, -alpha[age - 1], Slot(history.Y, row, slot), count);
            }
            for (var i = 0; i < count; i++) q[i] *= marks[2];
            for (var age = pairs; age >= 1; age--)
            {
                var slot = (spare - age + slots) % slots;
                var beta = inverse[slot] * Row.Dot(Slot(history.Y, row, slot), q, count);
                Row.AddScaled(q, alpha[age - 1] - beta, Slot(history.S, row, slot), count);
            }
        }

        float* Slot(Tensor<float> pairs, int row, int slot) =>
            pairs.Data + ((long)row * history.Slots + slot) * history.Coordinates;

        static void Difference(float* x, float* y, float* z, int count)
        {
            for (var i = 0; i < count; i++) z[i] = x[i] - y[i];
        }

        static void Copy(float* x, float* y, int count) => new ReadOnlySpan<float>(x, count).CopyTo(new Span<float>(y, count));
    }
}

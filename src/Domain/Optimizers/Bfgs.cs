using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Optimizers;

/// <summary>
/// BFGS with its dense matrix H, one an instance, used as <see cref="LBfgs"/> is: no line search, pairs with s'y not above 0 are
/// skipped, and until there is one the step is along -g and at most the learning rate long in the 1-norm. H starts as (s'y / y'y)
/// I of the first pair (Nocedal and Wright, 2006, equation 6.20).
/// </summary>
public static class Bfgs
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "bfgs",
        "theta -= rate * H g; H = (I - s y'/s'y) H (I - y s'/s'y) + s s'/s'y after each step; no line search.",
        "Broyden, Fletcher, Goldfarb, Shanno 1970; Nocedal and Wright 2006, chapter 6");

    /// <summary>Options of <c>bfgs</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <inheritdoc/>
        public override int MostCoordinates => 512;

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) => new Optimizer(sizes, MostCoordinates);
    }

    sealed class Optimizer(StepSizes sizes, int most) : IOptimizer
    {
        public IOptimizerState Start(IKernels<float> kernels, int batch, int coordinates) => coordinates <= most
            ? new State(sizes, kernels, batch, coordinates)
            : throw new ArgumentException(
                $"bfgs holds a matrix of coordinates squared and takes {most} of them at most, not {coordinates}; use l-bfgs.");

        public long BytesPerInstance(int coordinates) => 4L * coordinates * (coordinates + 5);
    }

    sealed class State : IOptimizerState
    {
        readonly StepSizes _sizes;
        readonly IKernels<float> _kernels;
        readonly Arena<float> _arena;
        readonly Memory _memory;
        long _step;

        public State(StepSizes sizes, IKernels<float> kernels, int batch, int coordinates)
        {
            (_sizes, _kernels) = (sizes, kernels);
            _arena = kernels.NewArena();
            _memory = new Memory(_arena, batch, coordinates);
        }

        public void Reset()
        {
            _step = 0;
            _memory.Updated.Span.Clear();
        }

        public void Step(Tensor<float> theta, Tensor<float> gradient)
        {
            OptimizerStates.Require(_memory.Theta.Count, theta, gradient);
            _kernels.Run(_memory.Theta.Shape.D0, new Job(_memory, theta, gradient, _sizes.At(++_step), _step == 1));
        }

        public void Keep(Snapshot snapshot)
        {
            snapshot.Keep("step", ref _step);
            snapshot.Keep("theta", _memory.Theta);
            snapshot.Keep("gradient", _memory.Gradient);
            snapshot.Keep("h", _memory.H);
            snapshot.Keep("updated", _memory.Updated);
        }

        public void Dispose() => _arena.Dispose();
    }

    /// <summary>H, the last theta and gradient, and room to work in, of B instances with P coordinates.</summary>
    readonly struct Memory(Arena<float> arena, int batch, int coordinates)
    {
        public readonly Tensor<float> Theta = arena.Zeros(new Shape(batch, coordinates)),
            Gradient = arena.Zeros(new Shape(batch, coordinates));
        public readonly Tensor<float> H = arena.Zeros(new Shape(batch, coordinates, coordinates));
        public readonly Tensor<float> Updated = arena.Zeros(new Shape(batch)); // 1 from the first pair on
        public readonly Tensor<float> Work = arena.Zeros(new Shape(batch, 3, coordinates)); // s, y, H y
    }

    /// <summary>One chunk is one instance.</summary>
    readonly unsafe struct Job(Memory memory, Tensor<float> theta, Tensor<float> gradient, double rate, bool first) : IChunkJob
    {
        public void Run(int row)
        {
            var (count, offset) = (memory.Theta.Shape.D1, (long)row * memory.Theta.Shape.D1);
            float* at = theta.Data + offset, slope = gradient.Data + offset;
            var h = memory.H.Data + offset * count;
            if (!first) Learn(row, h, at, slope);
            new ReadOnlySpan<float>(at, count).CopyTo(new Span<float>(memory.Theta.Data + offset, count));
            new ReadOnlySpan<float>(slope, count).CopyTo(new Span<float>(memory.Gradient.Data + offset, count));
            if (memory.Updated.Data[row] == 0)
                Row.AddScaled(at, -rate * Math.Min(1, 1 / Row.SumOfSizes(slope, count)), slope, count);
            else
                for (var i = 0; i < count; i++) at[i] = (float)(at[i] - rate * Row.Dot(h + (long)i * count, slope, count));
        }

        /// <summary>H from the last step's pair: H + (1 + y'Hy/s'y) s s'/s'y - (Hy s' + s y'H)/s'y.</summary>
        void Learn(int row, float* h, float* at, float* slope)
        {
            var (count, offset) = (memory.Theta.Shape.D1, (long)row * memory.Theta.Shape.D1);
            float* s = memory.Work.Data + 3 * offset, y = s + count, image = y + count;
            for (var i = 0; i < count; i++)
            {
                s[i] = at[i] - memory.Theta.Data[offset + i];
                y[i] = slope[i] - memory.Gradient.Data[offset + i];
            }
            var product = Row.Dot(s, y, count);
            var inverse = 1 / product;
            if (!(product > 0 && float.IsFinite((float)inverse))) return;
            if (memory.Updated.Data[row] == 0) Scale(h, (float)(product / Row.Dot(y, y, count)), count);
            memory.Updated.Data[row] = 1;
            for (var i = 0; i < count; i++) image[i] = (float)Row.Dot(h + (long)i * count, y, count);
            var weight = (1 + inverse * Row.Dot(y, image, count)) * inverse;
            for (var i = 0; i < count; i++)
            {
                Row.AddScaled(h + (long)i * count, weight * s[i] - inverse * image[i], s, count);
                Row.AddScaled(h + (long)i * count, -inverse * s[i], image, count);
            }
        }

        /// <summary>H = scale I.</summary>
        static void Scale(float* h, float scale, int count)
        {
            new Span<float>(h, count * count).Clear();
            for (var i = 0; i < count; i++) h[(long)i * count + i] = scale;
        }
    }
}

using System.Runtime.Intrinsics;
using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Optimizers;

/// <summary>
/// A rule that treats every coordinate alike and by itself, with at most two numbers of state for each. It is written once;
/// <see cref="ElementwiseOptimizer{TRule}"/> runs it in one pass over memory at every vector width.
/// </summary>
public interface IElementwiseRule<TSelf> where TSelf : struct, IElementwiseRule<TSelf>
{
    /// <summary>Numbers of state per coordinate: 0, 1 or 2; they start at zero.</summary>
    static abstract int Slots { get; }

    /// <summary>
    /// The rule at step <paramref name="step"/> = 1, 2, .. with its learning rate: what depends on the step alone worked out.
    /// </summary>
    TSelf At(long step, double rate);

    /// <summary>The new theta; <paramref name="first"/> and <paramref name="second"/> are the state and advance.</summary>
    V Update<V, O>(V theta, V gradient, ref V first, ref V second) where V : struct where O : IVectorOps<V, float>;
}

/// <summary>An optimizer made of an <see cref="IElementwiseRule{TSelf}"/>.</summary>
public sealed class ElementwiseOptimizer<TRule>(TRule rule, StepSizes sizes) : IOptimizer
    where TRule : struct, IElementwiseRule<TRule>
{
    /// <inheritdoc/>
    public IOptimizerState Start(IKernels<float> kernels, int batch, int coordinates) =>
        new State(rule, sizes, kernels, batch * coordinates);

    sealed class State : IOptimizerState
    {
        /// <summary>Elements of one chunk: a few of its arrays fit in the first cache level.</summary>
        const int ChunkElements = 8192;

        readonly TRule _rule;
        readonly StepSizes _sizes;
        readonly IKernels<float> _kernels;
        readonly Arena<float> _arena;
        readonly Tensor<float> _first, _second;
        readonly int _count;
        long _step;

        public State(TRule rule, StepSizes sizes, IKernels<float> kernels, int count)
        {
            (_rule, _sizes, _kernels, _count) = (rule, sizes, kernels, count);
            _arena = kernels.NewArena();
            _first = _arena.Zeros(new Shape(TRule.Slots > 0 ? count : 0));
            _second = _arena.Zeros(new Shape(TRule.Slots > 1 ? count : 0));
        }

        public void Reset()
        {
            _step = 0;
            _first.Span.Clear();
            _second.Span.Clear();
        }

        public void Step(Tensor<float> theta, Tensor<float> gradient)
        {
            OptimizerStates.Require(_count, theta, gradient);
            _step++;
            var rule = _rule.At(_step, _sizes.At(_step));
            var chunks = (_count + ChunkElements - 1) / ChunkElements;
            switch (_kernels.VectorBits)
            {
                case 512: _kernels.Run(chunks, new Job<Vector512<float>, V512>(rule, theta, gradient, _first, _second)); break;
                case 256: _kernels.Run(chunks, new Job<Vector256<float>, V256>(rule, theta, gradient, _first, _second)); break;
                case 128: _kernels.Run(chunks, new Job<Vector128<float>, V128>(rule, theta, gradient, _first, _second)); break;
                default: _kernels.Run(chunks, new Job<float, ScalarOps<float>>(rule, theta, gradient, _first, _second)); break;
            }
        }

        public void Keep(Snapshot snapshot)
        {
            snapshot.Keep("step", ref _step);
            snapshot.Keep("first", _first);
            snapshot.Keep("second", _second);
        }

        public void Dispose() => _arena.Dispose();

        readonly unsafe struct Job<V, O>(TRule rule, Tensor<float> theta, Tensor<float> gradient, Tensor<float> first,
            Tensor<float> second) : IChunkJob
            where V : struct
            where O : IVectorOps<V, float>
        {
            public void Run(int chunk)
            {
                var (at, end) = (chunk * ChunkElements, Math.Min(theta.Count, (chunk + 1) * ChunkElements));
                for (; at + O.Width <= end; at += O.Width) Element<V, O>(at);
                for (; at < end; at++) Element<float, ScalarOps<float>>(at);
            }

            void Element<W, P>(int at) where W : struct where P : IVectorOps<W, float>
            {
                var (a, b) = (TRule.Slots > 0 ? P.Load(first.Data + at) : P.Zero,
                    TRule.Slots > 1 ? P.Load(second.Data + at) : P.Zero);
                P.Store(theta.Data + at, rule.Update<W, P>(P.Load(theta.Data + at), P.Load(gradient.Data + at), ref a, ref b));
                if (TRule.Slots > 0) P.Store(first.Data + at, a);
                if (TRule.Slots > 1) P.Store(second.Data + at, b);
            }
        }
    }
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// Rules that follow addresses, beside a device: they compute in the host's memory, with <see cref="IKernels{T}.Host"/>, while
/// the optimizees stay on the device. Each step brings gradients and theta over, so this is for baselines and for rules without
/// kernels of their own.
/// </summary>
public static class HostFallback
{
    /// <summary>Starts a rule where it can compute.</summary>
    public static ILearnedState<T> StartOn<T>(this ILearnedOptimizer rule, IKernels<T> kernels, Layout layout)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        ReferenceEquals(kernels.Host, kernels) || rule.ComputesOnDevices
            ? rule.Start(kernels, layout)
            : new Learned<T>(rule.Start(kernels.Host, layout), kernels.Host);

    /// <summary>The same for an optimizer that is fixed.</summary>
    public static IOptimizerState StartOn(this IOptimizer optimizer, IKernels<float> kernels, Layout layout) =>
        ReferenceEquals(kernels.Host, kernels) || optimizer is FrozenOptimizer
            ? optimizer.Start(kernels, layout)
            : new Fixed(optimizer.Start(kernels.Host, layout), kernels.Host);

    sealed class Learned<T>(ILearnedState<T> inner, IKernels<T> host) : ILearnedState<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly Arena<T> _arena = host.NewArena();

        public Tensor<T> State { get => inner.State; set => inner.State = value; }

        public void SetParameters(ReadOnlySpan<T> phi) => inner.SetParameters(phi);

        public void Reset() => inner.Reset();

        public void Step(Tensor<T> theta, Tensor<T> gradient)
        {
            _arena.Reset();
            var own = _arena.Copy(theta);
            inner.Step(own, _arena.Copy(gradient));
            own.CopyTo(theta);
        }

        public void MetaGradient(in Unrolled<T> unrolled, Span<double> phiGradient)
        {
            _arena.Reset();
            inner.MetaGradient(new(
                _arena.Copy(unrolled.Gradients), _arena.Copy(unrolled.Adjoints), _arena.Copy(unrolled.Weights),
                _arena.Copy(unrolled.Theta),
                _arena.Copy(unrolled.StartState), unrolled.Forced), phiGradient);
        }

        public void Dispose()
        {
            inner.Dispose();
            _arena.Dispose();
        }
    }

    sealed class Fixed(IOptimizerState inner, IKernels<float> host) : IOptimizerState
    {
        readonly Arena<float> _arena = host.NewArena();

        public void Reset() => inner.Reset();

        public void Step(Tensor<float> theta, Tensor<float> gradient)
        {
            _arena.Reset();
            var own = _arena.Copy(theta);
            inner.Step(own, _arena.Copy(gradient));
            own.CopyTo(theta);
        }

        public void Keep(Snapshot snapshot) => inner.Keep(snapshot);

        public void Dispose()
        {
            inner.Dispose();
            _arena.Dispose();
        }
    }
}

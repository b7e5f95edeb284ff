using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>A learned optimizer whose phi is fixed: an ordinary optimizer.</summary>
/// <param name="rule">The rule.</param>
/// <param name="phi">Its meta-parameters.</param>
public sealed class FrozenOptimizer(ILearnedOptimizer rule, ReadOnlyMemory<float> phi) : IOptimizer
{
    /// <inheritdoc/>
    public IOptimizerState Start(IKernels<float> kernels, int batch, int coordinates) =>
        Start(kernels, Layout.Flat(batch, coordinates));

    /// <inheritdoc/>
    public IOptimizerState Start(IKernels<float> kernels, Layout layout)
    {
        var state = rule.StartOn(kernels, layout);
        state.SetParameters(phi.Span);
        return new State(state);
    }

    /// <inheritdoc/>
    /// <remarks>A large network's state takes more than what is usual.</remarks>
    public long BytesPerInstance(int coordinates) =>
        Math.Max(400L * coordinates, 4 * (8L * coordinates + rule.State(Layout.Flat(1, coordinates)).Sum(s => s.Elements)));

    sealed class State(ILearnedState<float> state) : IOptimizerState
    {
        public void Reset() => state.Reset();

        public void Step(Tensor<float> theta, Tensor<float> gradient) => state.Step(theta, gradient);

        public void Keep(Snapshot snapshot) => snapshot.Keep("state", state.State);

        public void Dispose() => state.Dispose();
    }
}

namespace MetaOpt.Compute;

public partial class ScalarKernels<T>
{
    /// <inheritdoc/>
    public void LstmPack(LstmShape shape, ReadOnlySpan<T> phi, Tensor<T> packed) => LstmWeights.Pack(shape, phi, packed.Span);

    /// <inheritdoc/>
    public virtual void LstmStep(LstmShape shape, Tensor<T> packed, Tensor<T> gradient, Tensor<T> state, Tensor<T> theta) =>
        LstmStep<T, ScalarOps<T>>(shape, packed, gradient, state, theta);

    /// <inheritdoc/>
    public virtual void LstmBackward(LstmShape shape, Tensor<T> packed, in Unrolled<T> unrolled, Span<double> phiGradient) =>
        LstmBackward<T, ScalarOps<T>>(shape, packed, unrolled, phiGradient);

    /// <summary><see cref="IKernels{T}.LstmStep"/> at the width of <typeparamref name="O"/>.</summary>
    protected void LstmStep<V, O>(LstmShape shape, Tensor<T> packed, Tensor<T> gradient, Tensor<T> state, Tensor<T> theta)
        where V : struct
        where O : IVectorOps<V, T> =>
        Run(Chunks.Count(LstmShape.Blocks(gradient.Count)), new LstmStepJob<V, O, T>(shape, packed, gradient, state, theta));

    double[] _chunkSums = [];

    /// <summary><see cref="IKernels{T}.LstmBackward"/> at the width of <typeparamref name="O"/>.</summary>
    protected void LstmBackward<V, O>(LstmShape shape, Tensor<T> packed, in Unrolled<T> unrolled, Span<double> phiGradient)
        where V : struct
        where O : IVectorOps<V, T>
    {
        var (chunks, count) = (Chunks.Count(LstmShape.Blocks(unrolled.Coordinates)), shape.GradientSums);
        if (_chunkSums.Length < chunks * count) _chunkSums = new double[chunks * count];
        Run(chunks, new LstmBackwardJob<V, O, T>(shape, packed, unrolled, _chunkSums));
        var sums = _chunkSums.AsSpan(0, count);
        for (var chunk = 1; chunk < chunks; chunk++)
        {
            var next = _chunkSums.AsSpan(chunk * count, count);
            for (var i = 0; i < count; i++) sums[i] += next[i];
        }
        phiGradient.Clear();
        LstmWeights.AddUnpacked(shape, sums, phiGradient);
    }
}

using System.Diagnostics;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>
/// A kernel set that adds up how long the learned optimizer's fused operations take; all else is passed on. Without allocation.
/// </summary>
sealed class TimedKernels(IKernels<float> inner) : IKernels<float>
{
    long _forward, _backward;

    /// <summary>Seconds in <see cref="LstmStep"/> since <see cref="Restart"/>, the packing of phi included.</summary>
    public double ForwardSeconds => (double)_forward / Stopwatch.Frequency;

    /// <summary>Seconds in <see cref="LstmBackward"/> since <see cref="Restart"/>.</summary>
    public double BackwardSeconds => (double)_backward / Stopwatch.Frequency;

    /// <summary>Both sums start again at zero.</summary>
    public void Restart() => (_forward, _backward) = (0, 0);

    public void LstmPack(LstmShape shape, ReadOnlySpan<float> phi, Tensor<float> packed)
    {
        var start = Stopwatch.GetTimestamp();
        inner.LstmPack(shape, phi, packed);
        _forward += Stopwatch.GetTimestamp() - start;
    }

    public void LstmStep(LstmShape shape, Tensor<float> packed, Tensor<float> gradient, Tensor<float> state, Tensor<float> theta)
    {
        var start = Stopwatch.GetTimestamp();
        inner.LstmStep(shape, packed, gradient, state, theta);
        _forward += Stopwatch.GetTimestamp() - start;
    }

    public void LstmBackward(LstmShape shape, Tensor<float> packed, in Unrolled<float> unrolled, Span<double> phiGradient)
    {
        var start = Stopwatch.GetTimestamp();
        inner.LstmBackward(shape, packed, unrolled, phiGradient);
        _backward += Stopwatch.GetTimestamp() - start;
    }

    public string Name => inner.Name;
    public int VectorBits => inner.VectorBits;
    public int Threads => inner.Threads;
    public Arena<float> NewArena(long blockElements = 1 << 16) => inner.NewArena(blockElements);
    public void Run<TJob>(int chunks, TJob job) where TJob : struct, IChunkJob => inner.Run(chunks, job);
    public void Fill(float value, Tensor<float> y) => inner.Fill(value, y);
    public void Map(MapOp op, Tensor<float> x, float a, float b, Tensor<float> y) => inner.Map(op, x, a, b, y);
    public void Zip(ZipOp op, Tensor<float> x, Tensor<float> y, Tensor<float> z) => inner.Zip(op, x, y, z);
    public void Select(Tensor<float> mask, Tensor<float> x, Tensor<float> y, Tensor<float> z) => inner.Select(mask, x, y, z);
    public void MatMul(Tensor<float> x, bool transposeX, Tensor<float> y, bool transposeY, Tensor<float> z) =>
        inner.MatMul(x, transposeX, y, transposeY, z);
    public void Transpose(Tensor<float> x, Tensor<float> y) => inner.Transpose(x, y);
    public void SumAxis(Tensor<float> x, int axis, Tensor<float> y) => inner.SumAxis(x, axis, y);
    public void Broadcast(Tensor<float> x, int axis, Tensor<float> y) => inner.Broadcast(x, axis, y);
    public void Slice(Tensor<float> x, int axis, int start, Tensor<float> y) => inner.Slice(x, axis, start, y);
    public void Pad(Tensor<float> x, int axis, int before, Tensor<float> y) => inner.Pad(x, axis, before, y);
    public void Softmax(Tensor<float> x, Tensor<float> y) => inner.Softmax(x, y);
    public void SoftmaxCrossEntropy(Tensor<float> x, Tensor<float> labels, Tensor<float> loss) =>
        inner.SoftmaxCrossEntropy(x, labels, loss);
    public void OneHot(Tensor<float> labels, Tensor<float> y) => inner.OneHot(labels, y);
    public void GatherRows(byte[] source, int width, int[] rows, float scale, Tensor<float> y) =>
        inner.GatherRows(source, width, rows, scale, y);
    public void Im2Col(Tensor<float> x, Window window, Tensor<float> y) => inner.Im2Col(x, window, y);
    public void Col2Im(Tensor<float> x, Window window, Tensor<float> y) => inner.Col2Im(x, window, y);
    public void Convolve(Tensor<float> x, Tensor<float> filters, Window window, Tensor<float> y) =>
        inner.Convolve(x, filters, window, y);
    public void ConvolveImages(Tensor<float> y, Tensor<float> filters, Window window, Tensor<float> x) =>
        inner.ConvolveImages(y, filters, window, x);
    public void ConvolveFilters(Tensor<float> x, Tensor<float> y, Window window, Tensor<float> filters) =>
        inner.ConvolveFilters(x, y, window, filters);
    public void MaxPool(Tensor<float> x, Window window, Tensor<float> y, Tensor<float> positions) =>
        inner.MaxPool(x, window, y, positions);
    public void Gather(Tensor<float> x, Tensor<float> positions, Tensor<float> y) => inner.Gather(x, positions, y);
    public void ScatterAdd(Tensor<float> x, Tensor<float> positions, Tensor<float> y) => inner.ScatterAdd(x, positions, y);
    public void ZipRow(ZipOp op, Tensor<float> x, Tensor<float> row, Tensor<float> y) => inner.ZipRow(op, x, row, y);
    public void SumProducts(Tensor<float> x, Tensor<float> y, Tensor<float> z) => inner.SumProducts(x, y, z);
    public void Dispose() => inner.Dispose();
}

using System.Numerics;
using System.Runtime.InteropServices;
using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>
/// The plain loops on a device that is none: its addresses mean nothing to anybody else, so whoever follows one throws. What
/// passes here asks a real device's memory for nothing that it does not give.
/// </summary>
public sealed unsafe class FarKernels<T> : IKernels<T>, IDeviceMemory<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly ScalarKernels<T> _near = new();
    readonly nint _first;

    public FarKernels() => _first = Devices<T>.Add(this);

    public string Name => "far";

    public int VectorBits => _near.VectorBits;

    public int Threads => 1;

    public IKernels<T> Host => _near;

    public Arena<T> NewArena(long blockElements = 1 << 16) => new(blockElements, this);

    public void Run<TJob>(int chunks, TJob job) where TJob : struct, IChunkJob => _near.Run(chunks, job);

    public void Dispose()
    {
        Devices<T>.Remove(this);
        _near.Dispose();
    }

    Tensor<T> Near(Tensor<T> far) => far.IsOnDevice
        ? new((T*)((nint)far.Data - _first), far.Shape)
        : throw new InvalidOperationException($"A tensor {far.Shape} of the host's memory was given to a device.");

    nint IDeviceMemory<T>.Allocate(long elements) =>
        _first + (nint)NativeMemory.AlignedAlloc((nuint)(elements * sizeof(T) + 256), 64);

    void IDeviceMemory<T>.Free(nint address) => NativeMemory.AlignedFree((void*)(address - _first));

    void IDeviceMemory<T>.Upload(ReadOnlySpan<T> values, Tensor<T> y) => values.CopyTo(Near(y).Span);

    void IDeviceMemory<T>.Download(Tensor<T> x, Span<T> values) => Near(x).Span.CopyTo(values);

    void IDeviceMemory<T>.Copy(Tensor<T> x, Tensor<T> y) => Near(x).Span.CopyTo(Near(y).Span);

    public void Fill(T value, Tensor<T> y) => _near.Fill(value, Near(y));

    public void Map(MapOp op, Tensor<T> x, T a, T b, Tensor<T> y) => _near.Map(op, Near(x), a, b, Near(y));

    public void Zip(ZipOp op, Tensor<T> x, Tensor<T> y, Tensor<T> z) => _near.Zip(op, Near(x), Near(y), Near(z));

    public void Select(Tensor<T> mask, Tensor<T> x, Tensor<T> y, Tensor<T> z) =>
        _near.Select(Near(mask), Near(x), Near(y), Near(z));

    public void MatMul(Tensor<T> x, bool transposeX, Tensor<T> y, bool transposeY, Tensor<T> z) =>
        _near.MatMul(Near(x), transposeX, Near(y), transposeY, Near(z));

    public void Transpose(Tensor<T> x, Tensor<T> y) => _near.Transpose(Near(x), Near(y));

    public void SumAxis(Tensor<T> x, int axis, Tensor<T> y) => _near.SumAxis(Near(x), axis, Near(y));

    public void Broadcast(Tensor<T> x, int axis, Tensor<T> y) => _near.Broadcast(Near(x), axis, Near(y));

    public void Slice(Tensor<T> x, int axis, int start, Tensor<T> y) => _near.Slice(Near(x), axis, start, Near(y));

    public void Pad(Tensor<T> x, int axis, int before, Tensor<T> y) => _near.Pad(Near(x), axis, before, Near(y));

    public void Softmax(Tensor<T> x, Tensor<T> y) => _near.Softmax(Near(x), Near(y));

    public void SoftmaxCrossEntropy(Tensor<T> x, Tensor<T> labels, Tensor<T> loss) =>
        _near.SoftmaxCrossEntropy(Near(x), Near(labels), Near(loss));

    public void OneHot(Tensor<T> labels, Tensor<T> y) => _near.OneHot(Near(labels), Near(y));

    public void GatherRows(byte[] source, int width, int[] rows, T scale, Tensor<T> y) =>
        _near.GatherRows(source, width, rows, scale, Near(y));

    public void Im2Col(Tensor<T> x, Window window, Tensor<T> y) => _near.Im2Col(Near(x), window, Near(y));

    public void Col2Im(Tensor<T> x, Window window, Tensor<T> y) => _near.Col2Im(Near(x), window, Near(y));

    public void Convolve(Tensor<T> x, Tensor<T> filters, Window window, Tensor<T> y) =>
        _near.Convolve(Near(x), Near(filters), window, Near(y));

    public void ConvolveImages(Tensor<T> y, Tensor<T> filters, Window window, Tensor<T> x) =>
        _near.ConvolveImages(Near(y), Near(filters), window, Near(x));

    public void ConvolveFilters(Tensor<T> x, Tensor<T> y, Window window, Tensor<T> filters) =>
        _near.ConvolveFilters(Near(x), Near(y), window, Near(filters));

    public void MaxPool(Tensor<T> x, Window window, Tensor<T> y, Tensor<T> positions) =>
        _near.MaxPool(Near(x), window, Near(y), Near(positions));

    public void Gather(Tensor<T> x, Tensor<T> positions, Tensor<T> y) => _near.Gather(Near(x), Near(positions), Near(y));

    public void ScatterAdd(Tensor<T> x, Tensor<T> positions, Tensor<T> y) => _near.ScatterAdd(Near(x), Near(positions), Near(y));

    public void ZipRow(ZipOp op, Tensor<T> x, Tensor<T> row, Tensor<T> y) => _near.ZipRow(op, Near(x), Near(row), Near(y));

    public void SumProducts(Tensor<T> x, Tensor<T> y, Tensor<T> z) => _near.SumProducts(Near(x), Near(y), Near(z));

    public void LstmPack(LstmShape shape, ReadOnlySpan<T> phi, Tensor<T> packed) => _near.LstmPack(shape, phi, Near(packed));

    public void LstmStep(LstmShape shape, Tensor<T> packed, Tensor<T> gradient, Tensor<T> state, Tensor<T> theta) =>
        _near.LstmStep(shape, Near(packed), Near(gradient), Near(state), Near(theta));

    public void LstmBackward(LstmShape shape, Tensor<T> packed, in Unrolled<T> unrolled, Span<double> phiGradient) =>
        _near.LstmBackward(
        shape, Near(packed),
        new(Near(unrolled.Gradients), Near(unrolled.Adjoints), Near(unrolled.Weights), Near(unrolled.Theta),
            Near(unrolled.StartState), unrolled.Forced), phiGradient);
}

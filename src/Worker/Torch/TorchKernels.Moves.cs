using MetaOpt.Compute;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <content>Products, sums and moves.</content>
sealed partial class TorchKernels
{
    /// <inheritdoc/>
    public void MatMul(Tensor<float> x, bool transposeX, Tensor<float> y, bool transposeY, Tensor<float> z)
    {
        using var scope = NewDisposeScope();
        var (left, right) = (View(x), View(y));
        View(z).copy_(Product(transposeX ? left.transpose(-1, -2) : left, transposeY ? right.transpose(-1, -2) : right));
    }

    /// <summary>The copy into the result brings it back to float32.</summary>
    Tensor Product(Tensor x, Tensor y) => _bfloat16 ? x.to(ScalarType.BFloat16).matmul(y.to(ScalarType.BFloat16)) : x.matmul(y);

    /// <inheritdoc/>
    public void Transpose(Tensor<float> x, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(View(x).transpose(-1, -2));
    }

    /// <inheritdoc/>
    public void SumAxis(Tensor<float> x, int axis, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(View(x).sum(axis, keepdim: true));
    }

    /// <inheritdoc/>
    public void Broadcast(Tensor<float> x, int axis, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(View(x));
    }

    /// <inheritdoc/>
    public void Slice(Tensor<float> x, int axis, int start, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(View(x).narrow(axis, start, y.Shape[axis]));
    }

    /// <inheritdoc/>
    public void Pad(Tensor<float> x, int axis, int before, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        var to = View(y);
        to.zero_();
        to.narrow(axis, before, x.Shape[axis]).copy_(View(x));
    }

    /// <inheritdoc/>
    public void Softmax(Tensor<float> x, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(View(x).softmax(1));
    }

    /// <inheritdoc/>
    public void SoftmaxCrossEntropy(Tensor<float> x, Tensor<float> labels, Tensor<float> loss)
    {
        using var scope = NewDisposeScope();
        var logits = View(x);
        View(loss, labels.Count).copy_(logits.logsumexp(1).sub(logits.gather(1, Numbers(labels, labels.Count, 1)).squeeze(1)));
    }

    /// <inheritdoc/>
    public void OneHot(Tensor<float> labels, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(arange(y.Shape.D1, dtype: ScalarType.Float32, device: _memory.Device).eq(View(labels, labels.Count, 1)));
    }

    /// <inheritdoc/>
    /// <remarks>A source is brought to the device once; after that, only the numbers of the rows are.</remarks>
    public void GatherRows(byte[] source, int width, int[] rows, float scale, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        if (!_datasets.TryGetValue(source, out var dataset))
            _datasets.Add(source,
                dataset = tensor(source, dtype: ScalarType.Byte, device: _memory.Device).DetachFromDisposeScope());
        var chosen = tensor(rows, dtype: ScalarType.Int32, device: _memory.Device);
        View(y, rows.Length, width).copy_(dataset.view(-1, width).index_select(0, chosen).to(ScalarType.Float32).mul(scale));
    }

    /// <summary>Whole numbers that are stored as floats.</summary>
    Tensor Numbers(Tensor<float> x, params ReadOnlySpan<long> sizes) => View(x, sizes).to(ScalarType.Int64);
}

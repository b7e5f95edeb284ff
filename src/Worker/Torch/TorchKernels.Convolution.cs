using MetaOpt.Compute;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <content>Convolutions as products with patches; a patch is a strided view of the padded images.</content>
sealed partial class TorchKernels
{
    /// <inheritdoc/>
    public void Im2Col(Tensor<float> x, Window window, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        Copies(View(y), x.Shape, window).copy_(Windows(Padded(View(x), x.Shape, window, 0), x.Shape, window));
    }

    /// <inheritdoc/>
    public void Col2Im(Tensor<float> x, Window window, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y).copy_(Folded(Copies(View(x), y.Shape, window), y.Shape, window));
    }

    /// <inheritdoc/>
    public void Convolve(Tensor<float> x, Tensor<float> filters, Window window, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        Rows(y, filters).copy_(Product(PatchRows(x, filters, window), View(filters)));
    }

    /// <inheritdoc/>
    public void ConvolveImages(Tensor<float> y, Tensor<float> filters, Window window, Tensor<float> x)
    {
        using var scope = NewDisposeScope();
        var patches = Product(Rows(y, filters), View(filters).transpose(1, 2)).to(ScalarType.Float32);
        View(x).copy_(Folded(Copies(patches, x.Shape, window), x.Shape, window));
    }

    /// <inheritdoc/>
    public void ConvolveFilters(Tensor<float> x, Tensor<float> y, Window window, Tensor<float> filters)
    {
        using var scope = NewDisposeScope();
        View(filters).copy_(Product(PatchRows(x, filters, window).transpose(1, 2), Rows(y, filters)));
    }

    /// <inheritdoc/>
    public void MaxPool(Tensor<float> x, Window window, Tensor<float> y, Tensor<float> positions)
    {
        using var scope = NewDisposeScope();
        var (images, height, width, channels) = (x.Shape.D0, x.Shape.D1, x.Shape.D2, x.Shape.D3);
        var shown = Windows(Padded(View(x), x.Shape, window, double.NegativeInfinity), x.Shape, window)
            .reshape(images, window.Down, window.Across, window.Rows * window.Columns, channels);
        var (values, inside) = shown.max(3);
        var row = inside.div(window.Columns, RoundingMode.floor).add(Starts(window.Down, window).sub(window.Top).view(-1, 1, 1));
        var column = inside.remainder(window.Columns).add(Starts(window.Across, window).sub(window.Left).view(-1, 1));
        View(y).copy_(values);
        View(positions)
            .copy_(row.mul(width).add(column).mul(channels)
                .add(arange(channels, dtype: ScalarType.Int64, device: _memory.Device)));
    }

    /// <inheritdoc/>
    public void Gather(Tensor<float> x, Tensor<float> positions, Tensor<float> y)
    {
        if (y.Count == 0) return;
        using var scope = NewDisposeScope();
        var rows = x.Shape.D0;
        View(y, rows, y.Count / rows).copy_(View(x, rows, x.Count / rows).gather(1, Numbers(positions, rows, y.Count / rows)));
    }

    /// <inheritdoc/>
    public void ScatterAdd(Tensor<float> x, Tensor<float> positions, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        var rows = y.Shape.D0;
        var to = View(y, rows, y.Count / Math.Max(1, rows));
        to.zero_();
        if (x.Count > 0) to.scatter_add_(1, Numbers(positions, rows, x.Count / rows), View(x, rows, x.Count / rows));
    }

    /// <inheritdoc/>
    public void ZipRow(ZipOp op, Tensor<float> x, Tensor<float> row, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        var shape = x.Shape;
        View(y, shape.D0, shape.D1, shape.D2).copy_(Zipped(op, View(x), View(row, shape.D0, 1, shape.D2)));
    }

    /// <inheritdoc/>
    public void SumProducts(Tensor<float> x, Tensor<float> y, Tensor<float> z)
    {
        using var scope = NewDisposeScope();
        View(z).copy_(View(x).mul(View(y)).sum(1, keepdim: true));
    }

    /// <summary>[B, places of the instance's images, F].</summary>
    Tensor Rows(Tensor<float> y, Tensor<float> filters) =>
        View(y, filters.Shape.D0, y.Count / Math.Max(1, filters.Shape.D0 * filters.Shape.D2), filters.Shape.D2);

    Tensor PatchRows(Tensor<float> x, Tensor<float> filters, Window window) =>
        Windows(Padded(View(x), x.Shape, window, 0), x.Shape, window)
            .reshape(filters.Shape.D0, x.Shape.D0 * window.Places / Math.Max(1, filters.Shape.D0), filters.Shape.D1);

    /// <summary>Im2Col [.., places, rows x columns x C] as [R, Down, Across, rows, columns, C].</summary>
    static Tensor Copies(Tensor patches, Shape images, Window window) =>
        patches.view(images.D0, window.Down, window.Across, window.Rows, window.Columns, images.D3);

    /// <summary>Exactly the pixels that a window shows somewhere, with <paramref name="outside"/> where it sticks out.</summary>
    static Tensor Padded(Tensor x, Shape images, Window window, double outside)
    {
        var (height, width) = Extent(window);
        var padded = full([images.D0, height, width, images.D3], outside, dtype: ScalarType.Float32, device: x.device);
        var (rows, columns) = (Math.Min(images.D1, height - window.Top), Math.Min(images.D2, width - window.Left));
        padded.narrow(1, window.Top, rows).narrow(2, window.Left, columns).copy_(x.narrow(1, 0, rows).narrow(2, 0, columns));
        return padded;
    }

    /// <summary>The window's view of padded images at each place, without a copy.</summary>
    static Tensor Windows(Tensor padded, Shape images, Window window)
    {
        var (height, width) = Extent(window);
        long pixel = images.D3, row = width * pixel;
        return padded.as_strided(
            [images.D0, window.Down, window.Across, window.Rows, window.Columns, images.D3],
            [height * row, window.Stride * row, window.Stride * pixel, row, pixel, 1]);
    }

    /// <summary>Each pixel the sum of its copies, one pixel of the window after the other: always in the same order.</summary>
    static Tensor Folded(Tensor copies, Shape images, Window window)
    {
        var (height, width) = Extent(window);
        var padded = zeros([images.D0, height, width, images.D3], dtype: ScalarType.Float32, device: copies.device);
        long pixel = images.D3, row = width * pixel;
        for (var i = 0; i < window.Rows; i++)
        {
            for (var j = 0; j < window.Columns; j++)
            {
                padded.as_strided(
                    [images.D0, window.Down, window.Across, images.D3],
                    [height * row, window.Stride * row, window.Stride * pixel, 1],
                    i * row + j * pixel).add_(copies.select(3, i).select(3, j));
            }
        }
        var (rows, columns) = (Math.Min(images.D1, height - window.Top), Math.Min(images.D2, width - window.Left));
        var result = zeros([images.D0, images.D1, images.D2, images.D3], dtype: ScalarType.Float32, device: copies.device);
        result.narrow(1, 0, rows).narrow(2, 0, columns).copy_(padded.narrow(1, window.Top, rows).narrow(2, window.Left, columns));
        return result;
    }

    static (int Height, int Width) Extent(Window window) =>
        ((window.Down - 1) * window.Stride + window.Rows, (window.Across - 1) * window.Stride + window.Columns);

    Tensor Starts(int places, Window window) =>
        arange(places, dtype: ScalarType.Int64, device: _memory.Device).mul(window.Stride);
}

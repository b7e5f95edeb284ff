namespace MetaOpt.Compute;

/// <content>What convolutional networks need.</content>
public partial class ScalarKernels<T>
{
    /// <inheritdoc/>
    public virtual void Im2Col(Tensor<T> x, Window window, Tensor<T> y)
    {
        y.Span.Clear();
        ForEachCopy(x.Shape, window, new Copying { Pixels = x, Copies = y });
    }

    /// <inheritdoc/>
    public virtual void Col2Im(Tensor<T> x, Window window, Tensor<T> y)
    {
        y.Span.Clear();
        ForEachCopy(y.Shape, window, new Adding { Pixels = y, Copies = x });
    }

    /// <inheritdoc/>
    public virtual void Convolve(Tensor<T> x, Tensor<T> filters, Window window, Tensor<T> y)
    {
        var patches = Scratch<T>.Start().Take(window.Im2ColOf(x.Shape));
        Im2Col(x, window, patches);
        MatMul(ByInstance(patches, filters), false, filters, false, ByInstance(y, filters));
    }

    /// <inheritdoc/>
    public virtual void ConvolveImages(Tensor<T> y, Tensor<T> filters, Window window, Tensor<T> x)
    {
        var patches = Scratch<T>.Start().Take(window.Im2ColOf(x.Shape));
        MatMul(ByInstance(y, filters), false, filters, true, ByInstance(patches, filters));
        Col2Im(patches, window, x);
    }

    /// <inheritdoc/>
    public virtual void ConvolveFilters(Tensor<T> x, Tensor<T> y, Window window, Tensor<T> filters)
    {
        var patches = Scratch<T>.Start().Take(window.Im2ColOf(x.Shape));
        Im2Col(x, window, patches);
        MatMul(ByInstance(patches, filters), true, ByInstance(y, filters), false, filters);
    }

    /// <inheritdoc/>
    public virtual void MaxPool(Tensor<T> x, Window window, Tensor<T> y, Tensor<T> positions)
    {
        var (images, height, width, channels) = (x.Shape.D0, x.Shape.D1, x.Shape.D2, x.Shape.D3);
        for (var r = 0; r < images; r++)
        {
            var image = x.Span.Slice(r * height * width * channels, height * width * channels);
            for (var place = 0; place < window.Places; place++)
            {
                var (top, firstRow, endRow) = window.InsideDown(place / window.Across, height);
                var (left, firstColumn, endColumn) = window.InsideAcross(place % window.Across, width);
                for (var c = 0; c < channels; c++)
                {
                    var position = ((top + firstRow) * width + left + firstColumn) * channels + c;
                    var largest = image[position];
                    for (var i = firstRow; i < endRow; i++)
                    {
                        for (var j = firstColumn; j < endColumn; j++)
                        {
                            var here = ((top + i) * width + left + j) * channels + c;
                            if (!(largest >= image[here])) position = here;
                            largest = T.Max(largest, image[here]);
                        }
                    }
                    var at = (r * window.Places + place) * channels + c;
                    y.Span[at] = largest;
                    positions.Span[at] = T.CreateTruncating(position);
                }
            }
        }
    }

    /// <inheritdoc/>
    public virtual void Gather(Tensor<T> x, Tensor<T> positions, Tensor<T> y)
    {
        if (y.Count == 0) return;
        var (from, to) = (x.Count / x.Shape.D0, y.Count / x.Shape.D0);
        for (var i = 0; i < y.Count; i++) y.Span[i] = x.Span[i / to * from + int.CreateTruncating(positions.Span[i])];
    }

    /// <inheritdoc/>
    public virtual void ScatterAdd(Tensor<T> x, Tensor<T> positions, Tensor<T> y)
    {
        y.Span.Clear();
        if (x.Count == 0) return;
        var (from, to) = (x.Count / y.Shape.D0, y.Count / y.Shape.D0);
        for (var i = 0; i < x.Count; i++) y.Span[i / from * to + int.CreateTruncating(positions.Span[i])] += x.Span[i];
    }

    /// <inheritdoc/>
    public virtual void ZipRow(ZipOp op, Tensor<T> x, Tensor<T> row, Tensor<T> y)
    {
        var (batch, rows, columns) = (x.Shape.D0, x.Shape.D1, x.Shape.D2);
        for (var b = 0; b < batch; b++)
        {
            var one = row.Range(b * columns, columns);
            for (var r = b * rows; r < (b + 1) * rows; r++)
                Zip(op, x.Range(r * columns, columns), one, y.Range(r * columns, columns));
        }
    }

    /// <inheritdoc/>
    public virtual void SumProducts(Tensor<T> x, Tensor<T> y, Tensor<T> z)
    {
        var (batch, rows, columns) = (x.Shape.D0, x.Shape.D1, x.Shape.D2);
        for (var b = 0; b < batch; b++)
        {
            for (var c = 0; c < columns; c++)
            {
                var sum = 0.0;
                for (var i = b * rows * columns + c; i < (b + 1) * rows * columns; i += columns)
                    sum += double.CreateTruncating(x.Span[i]) * double.CreateTruncating(y.Span[i]);
                z.Span[b * columns + c] = T.CreateTruncating(sum);
            }
        }
    }

    /// <summary>[.., C] as [B, rows, C], one part for each instance's filters.</summary>
    static Tensor<T> ByInstance(Tensor<T> x, Tensor<T> filters)
    {
        var (batch, columns) = (filters.Shape.D0, x.Shape[x.Shape.Rank - 1]);
        return x.As(new Shape(batch, x.Count / (batch * columns), columns));
    }

    /// <summary>Visits each element of each pixel that a window shows, with where its copy lies among the patches.</summary>
    static void ForEachCopy<TVisitor>(Shape images, Window window, TVisitor visitor) where TVisitor : struct, ICopyVisitor
    {
        var (height, width, channels) = (images.D1, images.D2, images.D3);
        for (var patch = 0; patch < images.D0 * window.Places; patch++)
        {
            var (r, place) = (patch / window.Places, patch % window.Places);
            var (top, firstRow, endRow) = window.InsideDown(place / window.Across, height);
            var (left, firstColumn, endColumn) = window.InsideAcross(place % window.Across, width);
            for (var i = firstRow; i < endRow; i++)
            {
                for (var j = firstColumn; j < endColumn; j++)
                {
                    var pixel = ((r * height + top + i) * width + left + j) * channels;
                    var copy = ((patch * window.Rows + i) * window.Columns + j) * channels;
                    for (var c = 0; c < channels; c++) visitor.Visit(pixel + c, copy + c);
                }
            }
        }
    }

    interface ICopyVisitor
    {
        void Visit(int pixel, int copy);
    }

    struct Copying : ICopyVisitor
    {
        public Tensor<T> Pixels, Copies;
        public readonly void Visit(int pixel, int copy) => Copies.Span[copy] = Pixels.Span[pixel];
    }

    struct Adding : ICopyVisitor
    {
        public Tensor<T> Pixels, Copies;
        public readonly void Visit(int pixel, int copy) => Pixels.Span[pixel] += Copies.Span[copy];
    }
}

namespace MetaOpt.Compute;

/// <content>
/// What convolutional networks need, and its derivatives. Images are [R, H, W, C]; those of B instances lie one after the
/// other. A convolution and its two adjoints are each other's derivatives, as all three come from one sum of pixel x weight x
/// output.
/// </content>
public sealed partial class Tape<T>
{
    /// <summary>
    /// The elements of x [R, H, W, C] under the window at each place: [R, places, rows x columns x C]; zero where it sticks out.
    /// </summary>
    public Tensor<T> Im2Col(Tensor<T> x, Window window)
    {
        RequireFit("Patches", x.Shape, window);
        var y = _arena.Take(window.Im2ColOf(x.Shape));
        Kernels.Im2Col(x, window, y);
        return Note(new Node { Op = Op.Im2Col, X = x, Window = window, Value = y }, x.Node >= 0);
    }

    /// <summary>
    /// The adjoint of <see cref="Im2Col"/>: images [R, H, W, C] whose pixels are the sums of their copies in x.
    /// </summary>
    public Tensor<T> Col2Im(Tensor<T> x, Shape images, Window window)
    {
        RequireFit("FoldPatches", images, window);
        RequireEqual("FoldPatches", x.Shape, window.Im2ColOf(images));
        var y = _arena.Take(images);
        Kernels.Col2Im(x, window, y);
        return Note(new Node { Op = Op.Col2Im, X = x, Window = window, Value = y }, x.Node >= 0);
    }

    /// <summary>
    /// Each instance's images through its own filters: x [B R, H, W, C], filters [B, rows x columns x C, F], result [B R,
    /// Down, Across, F].
    /// </summary>
    public Tensor<T> Convolve(Tensor<T> x, Tensor<T> filters, Window window)
    {
        RequireConvolution("Convolve", x.Shape, filters.Shape, window);
        var y = _arena.Take(new Shape(x.Shape.D0, window.Down, window.Across, filters.Shape.D2));
        Kernels.Convolve(x, filters, window, y);
        return Note(Bilinear(Op.Convolve, x, filters, window, y), x.Node >= 0 || filters.Node >= 0);
    }

    /// <summary>
    /// The adjoint of <see cref="Convolve"/> in the images: y [B R, Down, Across, F] gives <paramref name="images"/> [B R, H,
    /// W, C].
    /// </summary>
    public Tensor<T> ConvolveImages(Tensor<T> y, Tensor<T> filters, Shape images, Window window)
    {
        RequireConvolution("ConvolveImages", images, filters.Shape, window);
        RequireEqual("ConvolveImages", y.Shape, new Shape(images.D0, window.Down, window.Across, filters.Shape.D2));
        var x = _arena.Take(images);
        Kernels.ConvolveImages(y, filters, window, x);
        return Note(Bilinear(Op.ConvolveImages, y, filters, window, x), y.Node >= 0 || filters.Node >= 0);
    }

    /// <summary>
    /// The adjoint of <see cref="Convolve"/> in the filters: images x and y [B R, Down, Across, F] give [B, rows x columns x
    /// C, F].
    /// </summary>
    public Tensor<T> ConvolveFilters(Tensor<T> x, Tensor<T> y, int batch, Window window)
    {
        var shape = new Shape(batch, window.Rows * window.Columns * x.Shape.D3, y.Shape.D3);
        RequireConvolution("ConvolveFilters", x.Shape, shape, window);
        RequireEqual("ConvolveFilters", y.Shape, new Shape(x.Shape.D0, window.Down, window.Across, y.Shape.D3));
        var filters = _arena.Take(shape);
        Kernels.ConvolveFilters(x, y, window, filters);
        return Note(Bilinear(Op.ConvolveFilters, x, y, window, filters), x.Node >= 0 || y.Node >= 0);
    }

    /// <summary>
    /// The largest value of each channel in the window: [R, Down, Across, C]. Of equal ones the first gets the gradient.
    /// </summary>
    public Tensor<T> MaxPool(Tensor<T> x, Window window)
    {
        RequireFit("MaxPool", x.Shape, window);
        var shape = new Shape(x.Shape.D0, window.Down, window.Across, x.Shape.D3);
        var (y, positions) = (_arena.Take(shape), _arena.Take(shape));
        Kernels.MaxPool(x, window, y, positions);
        return Note(new Node { Op = Op.Gather, X = x, Y = positions, Value = y }, x.Node >= 0);
    }

    /// <summary>The mean of each channel in the window, which counts as zero what lies outside: [R, Down, Across, C].</summary>
    public Tensor<T> AveragePool(Tensor<T> x, Window window)
    {
        var (places, pixels) = (x.Shape.D0 * window.Places, window.Rows * window.Columns);
        var sums = SumAxis(Reshape(Im2Col(x, window), new Shape(places, pixels, x.Shape.D3)), 1);
        var shape = new Shape(x.Shape.D0, window.Down, window.Across, x.Shape.D3);
        return Scale(Reshape(sums, shape), T.One / T.CreateTruncating(pixels));
    }

    /// <summary>
    /// y_ri = x_r,position, of positions' shape; rows are the first axis, positions whole numbers within a row of x.
    /// </summary>
    public Tensor<T> Gather(Tensor<T> x, Tensor<T> positions)
    {
        if (x.Shape.D0 != positions.Shape.D0) throw Mismatch("Gather", x.Shape, positions.Shape, "equally many rows");
        var y = _arena.Take(positions.Shape);
        Kernels.Gather(x, positions, y);
        return Note(new Node { Op = Op.Gather, X = x, Y = Detach(positions), Value = y }, x.Node >= 0);
    }

    /// <summary>
    /// The adjoint of <see cref="Gather"/>: y_r,p, of <paramref name="shape"/>, is the sum of the x_ri whose position is p.
    /// </summary>
    public Tensor<T> ScatterAdd(Tensor<T> x, Tensor<T> positions, Shape shape)
    {
        RequireEqual("ScatterAdd", x.Shape, positions.Shape);
        if (x.Shape.D0 != shape.D0) throw Mismatch("ScatterAdd", x.Shape, shape, "equally many rows");
        var y = _arena.Take(shape);
        Kernels.ScatterAdd(x, positions, y);
        return Note(new Node { Op = Op.ScatterAdd, X = x, Y = Detach(positions), Value = y }, x.Node >= 0);
    }

    /// <summary>x [B, R, C] + row [B, 1, C], the same row to all R.</summary>
    public Tensor<T> AddRow(Tensor<T> x, Tensor<T> row) => ZipRow(Op.AddRow, ZipOp.Add, x, row);

    /// <summary>x [B, R, C] times row [B, 1, C] element by element, the same row for all R.</summary>
    public Tensor<T> MultiplyRow(Tensor<T> x, Tensor<T> row) => ZipRow(Op.MultiplyRow, ZipOp.Multiply, x, row);

    /// <summary>The sum over r of x_brc y_brc: [B, R, C] twice gives [B, 1, C].</summary>
    public Tensor<T> SumProducts(Tensor<T> x, Tensor<T> y)
    {
        if (x.Shape != y.Shape || x.Shape.Rank != 3) throw Mismatch("SumProducts", x.Shape, y.Shape, "[B, R, C] twice");
        var z = _arena.Take(x.Shape.With(1, 1));
        Kernels.SumProducts(x, y, z);
        return Note(new Node { Op = Op.SumProducts, X = x, Y = y, Value = z }, x.Node >= 0 || y.Node >= 0);
    }

    /// <summary>
    /// gamma (x - mean) / sqrt(variance + epsilon) + beta for x [B, R, C], gamma and beta [B, C]: each channel of each
    /// instance by the statistics of its own mini-batch of R rows, which are part of the function (Ioffe and Szegedy, 2015,
    /// arXiv:1502.03167).
    /// </summary>
    public Tensor<T> BatchNormalise(Tensor<T> x, Tensor<T> gamma, Tensor<T> beta, T epsilon)
    {
        if (x.Shape.Rank != 3) throw Mismatch("BatchNormalise", x.Shape, gamma.Shape, "[B, R, C] and [B, C]");
        var row = x.Shape.With(1, 1);
        var share = T.One / T.CreateTruncating(x.Shape.D1);
        var centred = AddRow(x, Scale(SumAxis(x, 1), -share));
        var deviation = Sqrt(AddScalar(Scale(SumProducts(centred, centred), share), epsilon));
        return AddRow(MultiplyRow(centred, Divide(Reshape(gamma, row), deviation)), Reshape(beta, row));
    }

    Tensor<T> ZipRow(Op op, ZipOp zip, Tensor<T> x, Tensor<T> row)
    {
        if (x.Shape.Rank != 3 || row.Shape != x.Shape.With(1, 1))
            throw Mismatch(op.ToString(), x.Shape, row.Shape, "[B, R, C] and [B, 1, C]");
        var y = _arena.Take(x.Shape);
        Kernels.ZipRow(zip, x, row, y);
        return Note(new Node { Op = op, X = x, Y = row, Value = y }, x.Node >= 0 || row.Node >= 0);
    }

    /// <summary>The derivatives of this file's operations.</summary>
    void PropagateConvolution(in Node node, Tensor<T> g)
    {
        var (x, y) = (node.X, node.Y);
        if (node.Op == Op.SumProducts && x.Node == y.Node)
        {
            Accumulate(x, MultiplyRow(x, Scale(g, Two)));
            return;
        }
        if (Needs(x))
        {
            Accumulate(x, node.Op switch
            {
                Op.Convolve => ConvolveImages(g, y, x.Shape, node.Window),
                Op.ConvolveImages => Convolve(g, y, node.Window),
                Op.ConvolveFilters => ConvolveImages(y, g, x.Shape, node.Window),
                Op.Im2Col => Col2Im(g, x.Shape, node.Window),
                Op.Col2Im => Im2Col(g, node.Window),
                Op.Gather => ScatterAdd(g, y, x.Shape),
                Op.ScatterAdd => Gather(g, y),
                Op.MultiplyRow => MultiplyRow(g, y),
                Op.SumProducts => MultiplyRow(y, g),
                _ => g,
            });
        }
        if (Needs(y))
        {
            Accumulate(y, node.Op switch
            {
                Op.Convolve => ConvolveFilters(x, g, y.Shape.D0, node.Window),
                Op.ConvolveImages => ConvolveFilters(g, x, y.Shape.D0, node.Window),
                Op.ConvolveFilters => Convolve(x, g, node.Window),
                Op.MultiplyRow => SumProducts(g, x),
                Op.SumProducts => MultiplyRow(x, g),
                _ => SumAxis(g, 1),
            });
        }
    }

    static Node Bilinear(Op op, Tensor<T> x, Tensor<T> y, Window window, Tensor<T> value) =>
        new() { Op = op, X = x, Y = y, Window = window, Value = value };

    static void RequireConvolution(string operation, Shape images, Shape filters, Window window)
    {
        if (images.Rank != 4 || filters.Rank != 3 || filters.D0 == 0 || images.D0 % filters.D0 != 0
            || filters.D1 != window.Rows * window.Columns * images.D3)
        {
            throw Mismatch(operation, images, filters, $"[B R, H, W, C] and [B, {window.Rows} x {window.Columns} x C, F]");
        }
        RequireFit(operation, images, window);
    }

    static void RequireFit(string operation, Shape images, Window window)
    {
        if (!window.Fits(images))
            throw new ArgumentException(
                $"{operation}: {window} has places without a pixel of {images}, which must be [R, H, W, C].");
    }
}

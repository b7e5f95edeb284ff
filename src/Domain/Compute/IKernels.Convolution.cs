namespace MetaOpt.Compute;

public partial interface IKernels<T>
{
    /// <summary>
    /// y [R, places, rows x columns x C] = what <paramref name="window"/> shows of the images x [R, H, W, C] at each of its
    /// places, zero where it sticks out.
    /// </summary>
    void Im2Col(Tensor<T> x, Window window, Tensor<T> y);

    /// <summary>
    /// y [R, H, W, C]: each pixel is the sum of its copies in x [R, places, rows x columns x C]; the adjoint of
    /// <see cref="Im2Col"/>.
    /// </summary>
    void Col2Im(Tensor<T> x, Window window, Tensor<T> y);

    /// <summary>
    /// y [R, Down, Across, F] = the patches of x [R, H, W, C] times filters [B, rows x columns x C, F]: the first R / B
    /// images meet the first filters, and so on.
    /// </summary>
    void Convolve(Tensor<T> x, Tensor<T> filters, Window window, Tensor<T> y);

    /// <summary>x [R, H, W, C]: the adjoint of <see cref="Convolve"/> in the images, of y [R, Down, Across, F].</summary>
    void ConvolveImages(Tensor<T> y, Tensor<T> filters, Window window, Tensor<T> x);

    /// <summary>
    /// filters [B, rows x columns x C, F]: the adjoint of <see cref="Convolve"/> in the filters, of y [R, Down, Across, F].
    /// </summary>
    void ConvolveFilters(Tensor<T> x, Tensor<T> y, Window window, Tensor<T> filters);

    /// <summary>
    /// y [R, Down, Across, C] = the largest value of each channel of x [R, H, W, C] in the window (NaN if one is NaN), and
    /// positions, of y's shape, where in its image of H x W x C elements it was found first, as whole numbers.
    /// </summary>
    void MaxPool(Tensor<T> x, Window window, Tensor<T> y, Tensor<T> positions);

    /// <summary>
    /// y_ri = x_r,position: rows are the first axis; positions, of y's shape, are whole numbers within a row of x.
    /// </summary>
    void Gather(Tensor<T> x, Tensor<T> positions, Tensor<T> y);

    /// <summary>
    /// y_r,p = the sum of the x_ri whose position is p, zero where there is none; the adjoint of <see cref="Gather"/>.
    /// </summary>
    void ScatterAdd(Tensor<T> x, Tensor<T> positions, Tensor<T> y);

    /// <summary>y_brc = x_brc op row_bc for x [B, R, C] and row [B, 1, C]: one row meets all of them.</summary>
    void ZipRow(ZipOp op, Tensor<T> x, Tensor<T> row, Tensor<T> y);

    /// <summary>z_bc = the sum over r of x_brc y_brc: x and y [B, R, C], z [B, 1, C].</summary>
    void SumProducts(Tensor<T> x, Tensor<T> y, Tensor<T> z);
}

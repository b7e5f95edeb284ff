namespace MetaOpt.Compute;

/// <summary>
/// A window of <paramref name="Rows"/> x <paramref name="Columns"/> pixels that slides over images: of a filter, or of
/// pooling. Place (i, j) begins at pixel (i Stride - Top, j Stride - Left); what lies outside the image is zero to a filter
/// and nothing to pooling.
/// </summary>
/// <param name="Rows">Height, in pixels.</param>
/// <param name="Columns">Width, in pixels.</param>
/// <param name="Stride">Pixels from one place to the next, down and across.</param>
/// <param name="Top">Rows of padding above the image.</param>
/// <param name="Left">Columns of padding left of the image.</param>
/// <param name="Down">Places one below the other: the height of the result.</param>
/// <param name="Across">Places side by side: the width of the result.</param>
public readonly record struct Window(int Rows, int Columns, int Stride, int Top, int Left, int Down, int Across)
{
    /// <summary>Places on one image.</summary>
    public int Places => Down * Across;

    /// <summary>
    /// As many places as the image has strides, the last one perhaps not whole; the padding is shared out evenly, the odd
    /// row or column at the end ("same").
    /// </summary>
    public static Window Same(Shape images, int rows, int columns, int stride = 1)
    {
        var (down, across) = ((images.D1 + stride - 1) / stride, (images.D2 + stride - 1) / stride);
        var top = Math.Max(0, (down - 1) * stride + rows - images.D1) / 2;
        var left = Math.Max(0, (across - 1) * stride + columns - images.D2) / 2;
        return new(rows, columns, stride, top, left, down, across);
    }

    /// <summary>All places that lie wholly in the image with <paramref name="padding"/> pixels around it.</summary>
    public static Window Padded(Shape images, int rows, int columns, int stride = 1, int padding = 0)
    {
        var (down, across) = (images.D1 + 2 * padding - rows, images.D2 + 2 * padding - columns);
        if (down < 0 || across < 0)
            throw new ArgumentException($"A window of {rows} x {columns} does not fit {images} with {padding} pixels around it.");
        return new(rows, columns, stride, padding, padding, down / stride + 1, across / stride + 1);
    }

    /// <summary>[R, places, pixels x C] for images [R, H, W, C].</summary>
    public Shape Im2ColOf(Shape images) => new(images.D0, Places, Rows * Columns * images.D3);

    /// <summary>Whether each place has at least one pixel of <paramref name="images"/> [R, H, W, C].</summary>
    public bool Fits(Shape images) => images.Rank == 4 && Stride > 0 && Down > 0 && Across > 0
        && Top >= 0 && Left >= 0 && Top < Rows && Left < Columns
        && (Down - 1) * Stride - Top < images.D1 && (Across - 1) * Stride - Left < images.D2;

    /// <summary>
    /// The part of place <paramref name="i"/> that is inside: image rows Start + From .. Start + To (exclusive).
    /// </summary>
    public (int Start, int From, int To) InsideDown(int i, int height) => Inside(i * Stride - Top, Rows, height);

    /// <summary>The same for columns.</summary>
    public (int Start, int From, int To) InsideAcross(int j, int width) => Inside(j * Stride - Left, Columns, width);

    static (int Start, int From, int To) Inside(int start, int size, int limit) =>
        (start, Math.Max(0, -start), Math.Min(size, limit - start));
}

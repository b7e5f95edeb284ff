using SkiaSharp;
using Svg;
using Svg.Skia;

namespace MetaOpt.Cli.Data;

/// <summary>A picture in memory, <paramref name="Pixels"/> [rows, columns, red green blue].</summary>
public sealed record Picture(int Rows, int Columns, byte[] Pixels)
{
    /// <summary>The formats that are read.</summary>
    public const string Kinds = "PNG, JPEG, WebP, GIF, BMP or SVG";

    const int Longest = 16_384, DrawnColumns = 2048;
    const long MostPixels = 100_000_000;

    static Picture()
    {
        // A drawing may name files and addresses; it gets nothing but itself.
        SvgDocument.ResolveExternalImages =
            SvgDocument.ResolveExternalElements = SvgDocument.ResolveExternalXmlEntites = ExternalType.None;
    }

    /// <summary>
    /// Reads a file's content: any bits, palettes, grey and CMYK become 8 bits of red, green and blue, transparency becomes
    /// white, and a camera's note of how it was held is followed. Colour profiles are not applied. A drawing is drawn 2,048
    /// pixels wide.
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// It is none of <see cref="Kinds"/>, or damaged, or larger than 16,384 pixels along a side or 100 million in all.
    /// </exception>
    public static Picture Read(byte[] file)
    {
        if (file.AsSpan().TrimStart("\uFEFF \t\r\n"u8).StartsWith("<"u8)) return Draw(file);
        using var data = SKData.CreateCopy(file);
        using var codec = SKCodec.Create(data)
            ?? throw new InvalidDataException($"is not a {Kinds} file, or its beginning is damaged; convert it to one of these");
        var (rows, columns) = (codec.Info.Height, codec.Info.Width);
        Require(rows, columns);
        using var bitmap = new SKBitmap(new SKImageInfo(columns, rows, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        var result = codec.GetPixels(bitmap.Info, bitmap.GetPixels());
        return result switch
        {
            SKCodecResult.Success => Upright(bitmap, codec.EncodedOrigin),
            SKCodecResult.IncompleteInput => throw new InvalidDataException("is cut off; copy or download it again"),
            SKCodecResult.ErrorInInput => throw new InvalidDataException("is damaged; copy or download it again"),
            _ => throw new InvalidDataException(
                $"is a {codec.EncodedFormat} file of a form that is not read ({result}); convert it to PNG"),
        };
    }

    /// <summary>
    /// The square of <paramref name="side"/> pixels whose first one is (row, column), as <paramref name="size"/> x
    /// <paramref name="size"/>: each pixel the mean of those it covers, or, where they are fewer, the nearest one.
    /// </summary>
    public byte[] Square(int row, int column, int side, int size)
    {
        var square = new byte[size * size * 3];
        for (var y = 0; y < size; y++)
            for (var x = 0; x < size; x++)
            {
                var (top, left) = ((int)((long)y * side / size), (int)((long)x * side / size));
                var (bottom, right) = (Math.Max(top + 1, (int)((y + 1L) * side / size)),
                    Math.Max(left + 1, (int)((x + 1L) * side / size)));
                for (var channel = 0; channel < 3; channel++)
                {
                    var (sum, count) = (0L, (bottom - top) * (right - left));
                    for (var i = top; i < bottom; i++)
                        for (var j = left; j < right; j++) sum += Pixels[((row + i) * Columns + column + j) * 3 + channel];
                    square[(y * size + x) * 3 + channel] = (byte)((2 * sum + count) / (2 * count));
                }
            }
        return square;
    }

    /// <summary>As a PNG file of 8 bits.</summary>
    public byte[] ToPng()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(Columns, Rows, SKColorType.Rgba8888, SKAlphaType.Opaque));
        var pixels = bitmap.GetPixelSpan();
        for (var i = 0; i < Rows * Columns; i++)
        {
            Pixels.AsSpan(3 * i, 3).CopyTo(pixels[(4 * i)..]);
            pixels[4 * i + 3] = byte.MaxValue;
        }
        using var file = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return file.ToArray();
    }

    static Picture Draw(byte[] file)
    {
        try
        {
            using var svg = new SKSvg();
            var drawing = svg.Load(new MemoryStream(file));
            if (drawing is null || drawing.CullRect is not { Width: > 0, Height: > 0 } area)
                throw new InvalidDataException("is an SVG file without a size or a drawing");
            var rows = Math.Max(1, Math.Round((double)area.Height / area.Width * DrawnColumns));
            Require(rows, DrawnColumns);
            using var bitmap = new SKBitmap(new SKImageInfo(DrawnColumns, (int)rows, SKColorType.Rgba8888, SKAlphaType.Premul));
            using var canvas = new SKCanvas(bitmap);
            canvas.Clear(SKColors.White);
            canvas.Scale(DrawnColumns / area.Width, (float)rows / area.Height);
            canvas.Translate(-area.Left, -area.Top);
            canvas.DrawPicture(drawing);
            canvas.Flush();
            return Upright(bitmap, SKEncodedOrigin.TopLeft);
        }
        catch (Exception wrong) when (wrong is not (InvalidDataException or OutOfMemoryException))
        {
            // The library names no errors of its own for what it cannot draw.
            throw new InvalidDataException($"is not an SVG file that can be drawn: {wrong.Message}");
        }
    }

    /// <summary>
    /// The pixels on white, turned as EXIF says: the names of origins are the places of the first row and the first column.
    /// </summary>
    static Picture Upright(SKBitmap bitmap, SKEncodedOrigin origin)
    {
        var from = bitmap.GetPixelSpan();
        var (height, width, stride) = (bitmap.Height, bitmap.Width, bitmap.RowBytes);
        var turned = origin >= SKEncodedOrigin.LeftTop;
        var fromBottom = origin is SKEncodedOrigin.BottomRight or SKEncodedOrigin.BottomLeft
            or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom;
        var fromRight = origin is SKEncodedOrigin.TopRight or SKEncodedOrigin.BottomRight
            or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;
        var (rows, columns) = turned ? (width, height) : (height, width);
        var pixels = new byte[rows * columns * 3];
        for (var i = 0; i < rows * columns; i++)
        {
            var (y, x) = turned ? (i % columns, i / columns) : (i / columns, i % columns);
            var pixel = from.Slice((fromBottom ? height - 1 - y : y) * stride + (fromRight ? width - 1 - x : x) * 4, 4);
            for (var channel = 0; channel < 3; channel++)
                pixels[3 * i + channel] = (byte)((pixel[channel] * pixel[3] + 255 * (255 - pixel[3]) + 127) / 255);
        }
        return new(rows, columns, pixels);
    }

    static void Require(double rows, double columns)
    {
        if (rows is < 1 or > Longest || columns is < 1 or > Longest || rows * columns > MostPixels)
            throw new InvalidDataException(
                $"is {columns:N0} x {rows:N0} pixels; 1 to {Longest:N0} along a side and {MostPixels:N0} in all are read");
    }
}

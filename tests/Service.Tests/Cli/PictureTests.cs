using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using MetaOpt.Cli.Data;
using SkiaSharp;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

public sealed class PictureTests
{
    const int Rows = 6, Columns = 5;

    [Theory]
    [InlineData(0, 8, 1)]
    [InlineData(0, 16, 1)]
    [InlineData(2, 8, 3)]
    [InlineData(2, 16, 3)]
    [InlineData(3, 8, 1)]
    [InlineData(4, 8, 2)]
    [InlineData(4, 16, 2)]
    [InlineData(6, 8, 4)]
    [InlineData(6, 16, 4)]
    public void Png_of_every_colour_type_with_transparency_on_white(int colour, int bits, int channels)
    {
        var (samples, palette) = (new byte[Rows * Columns * channels * bits / 8], new byte[256 * 3]);
        new Random(1).NextBytes(samples);
        new Random(2).NextBytes(palette);
        var picture = Picture.Read(Png(colour, bits, channels, samples, palette));
        Assert.Equal((Rows, Columns, Rows * Columns * 3), (picture.Rows, picture.Columns, picture.Pixels.Length));
        for (var i = 0; i < picture.Pixels.Length; i++)
        {
            var (pixel, channel) = (i / 3, i % 3);
            int Sample(int c) => samples[(pixel * channels + c) * bits / 8];
            var value = colour == 3 ? palette[3 * samples[pixel] + channel] : Sample(channels > 2 ? channel : 0);
            var opacity = channels is 2 or 4 ? Sample(channels - 1) : 255;
            // Sixteen bits are rounded to eight.
            Assert.InRange(picture.Pixels[i] - (value * opacity + 255 * (255 - opacity)) / 255.0, -1.6, 1.6);
        }
    }

    [Fact]
    public void What_is_written_is_a_png_that_is_read_again()
    {
        var pixels = new byte[Rows * Columns * 3];
        new Random(3).NextBytes(pixels);
        var png = new Picture(Rows, Columns, pixels).ToPng();
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], png[..4]);
        var read = Picture.Read(png);
        Assert.Equal((Rows, Columns), (read.Rows, read.Columns));
        Assert.Equal(pixels, read.Pixels);
    }

    /// <summary>The quarters of the picture as stored are red, green, blue and white; the order is that of reading.</summary>
    [Theory]
    [InlineData(0, "RGBW")]
    [InlineData(1, "RGBW")]
    [InlineData(2, "GRWB")]
    [InlineData(3, "WBGR")]
    [InlineData(4, "BWRG")]
    [InlineData(5, "RBGW")]
    [InlineData(6, "BRWG")]
    [InlineData(7, "WGBR")]
    [InlineData(8, "GWRB")]
    public void A_jpeg_is_turned_as_the_camera_says(byte orientation, string quarters)
    {
        using var stored = new SKBitmap(64, 32);
        for (var y = 0; y < 32; y++)
            for (var x = 0; x < 64; x++)
                stored.SetPixel(x, y,
                    (y < 16, x < 32) switch
                    {
                        (true, true) => SKColors.Red,
                        (true, false) => new(0, 255, 0),
                        (false, true) => SKColors.Blue,
                        _ => SKColors.White
                    });
        using var encoded = stored.Encode(SKEncodedImageFormat.Jpeg, 95);
        byte[] jpeg = [.. encoded.ToArray()];
        // Behind the start of the image: Exif with one entry, the orientation (0x0112).
        byte[] exif = [0xff, 0xe1, 0, 34, .. "Exif\0\0MM"u8, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation,
            0, 0, 0, 0, 0, 0];
        var picture = Picture.Read(orientation == 0 ? jpeg : [.. jpeg[..2], .. exif, .. jpeg[2..]]);
        Assert.Equal(orientation >= 5 ? (64, 32) : (32, 64), (picture.Rows, picture.Columns));
        var seen = from quarter in Enumerable.Range(0, 4)
                   let place = ((1 + 2 * (quarter / 2)) * picture.Rows / 4 * picture.Columns
                       + (1 + 2 * (quarter % 2)) * picture.Columns / 4) * 3
                   select (picture.Pixels[place] > 128, picture.Pixels[place + 1] > 128, picture.Pixels[place + 2] > 128) switch
                   {
                       (true, true, true) => 'W',
                       (true, false, false) => 'R',
                       (false, true, false) => 'G',
                       (false, false, true) => 'B',
                       _ => '?',
                   };
        Assert.Equal(quarters, string.Concat(seen));
    }

    [Fact]
    public void Cmyk_becomes_red_green_and_blue()
    {
        // As Adobe writes it, inverted: no cyan, all magenta, all yellow, no black.
        var picture = Picture.Read(CmykJpeg(255, 0, 0, 255));
        Assert.Equal((8, 8), (picture.Rows, picture.Columns));
        Assert.InRange(picture.Pixels[0], 245, 255);
        Assert.InRange(picture.Pixels[1], 0, 10);
        Assert.InRange(picture.Pixels[2], 0, 10);
    }

    [Fact]
    public void WebP_and_drawings_are_read_and_a_drawing_gets_no_other_file()
    {
        using var bitmap = new SKBitmap(10, 20);
        bitmap.Erase(new SKColor(10, 200, 30));
        using var webp = bitmap.Encode(SKEncodedImageFormat.Webp, 100);
        var picture = Picture.Read(webp.ToArray());
        Assert.Equal((20, 10), (picture.Rows, picture.Columns));
        Assert.InRange(picture.Pixels[1], 195, 205);

        var other = Path.Combine(TestFolders.New("svg"), "blue.png");
        File.WriteAllBytes(other, new Picture(1, 1, [0, 0, 255]).ToPng());
        var drawn = Picture.Read(Encoding.UTF8.GetBytes($"""
            <?xml version="1.0"?>
            <svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 40 20" width="40" height="20">
              <rect width="20" height="20" fill="#c00"/><image x="20" width="20" height="20" href="{other}" xlink:href="file://{other}"/>
            </svg>
            """));
        Assert.Equal((1024, 2048), (drawn.Rows, drawn.Columns));
        Assert.Equal([0xcc, 0, 0], drawn.Pixels.AsSpan(512 * 2048 * 3 + 3 * 500, 3).ToArray());
        var beside = drawn.Pixels.AsSpan(512 * 2048 * 3 + 3 * 1500, 3);
        Assert.False(beside[0] < 50 && beside[2] > 200, "the other file was drawn");
    }

    [Fact]
    public void What_is_damaged_or_unknown_is_refused_with_what_to_do()
    {
        var png = Png(2, 8, 3, new byte[Rows * Columns * 3], []);
        var noise = new byte[64 * 64 * 3];
        new Random(4).NextBytes(noise);
        var large = new Picture(64, 64, noise).ToPng();
        Refused("download it again", large[..(large.Length / 2)]);
        Refused("convert it", [1, 2, 3]);
        Refused("convert it", "P6 1 1 255 abc"u8.ToArray());
        Refused("convert it", []);
        Refused("not an SVG file", "<html><body>404</body></html>"u8.ToArray());
        Refused("SVG", "<svg xmlns='http://www.w3.org/2000/svg'"u8.ToArray());
        var random = new Random(1);
        using var bitmap = new SKBitmap(16, 16);
        using var jpeg = bitmap.Encode(SKEncodedImageFormat.Jpeg, 80);
        using var webp = bitmap.Encode(SKEncodedImageFormat.Webp, 80);
        byte[] svg = [
            .. "<svg xmlns='http://www.w3.org/2000/svg' width='4' height='2'><path d='M0 0 L4 2 Z' fill='red'/></svg>"u8];
        foreach (var valid in new[] { png, jpeg.ToArray(), webp.ToArray(), svg })
            for (var i = 0; i < 100; i++)
            {
                var changed = valid.ToArray();
                for (var n = random.Next(1, 4); n > 0; n--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
                try
                {
                    Picture.Read(changed);
                }
                catch (InvalidDataException)
                {
                }
            }

        static void Refused(string why, byte[] file) =>
            Assert.Contains(why, Assert.Throws<InvalidDataException>(() => Picture.Read(file)).Message);
    }

    [Fact]
    public void A_square_is_cut_out_and_scaled_by_means_or_by_repetition()
    {
        // Rows of 4 pixels; red is 10 row + column.
        var picture = new Picture(3, 4,
            [.. Enumerable.Range(0, 36).Select(i => (byte)(i % 3 == 0 ? 10 * (i / 12) + i / 3 % 4 : 0))]);
        Assert.Equal([17], Red(picture.Square(1, 1, 2, 1))); // the mean of 11, 12, 21 and 22 is 16.5
        Assert.Equal([11, 11, 12, 12], Red(picture.Square(1, 1, 2, 4))[..4]);

        static byte[] Red(byte[] pixels) => [.. pixels.Where((_, i) => i % 3 == 0)];
    }

    static byte[] Png(int colour, int bits, int channels, byte[] samples, byte[] palette)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            var width = Columns * channels * bits / 8;
            for (var row = 0; row < Rows; row++)
            {
                zlib.WriteByte(0); // no filter
                zlib.Write(samples, row * width, width);
            }
        }
        byte[] header = [0, 0, 0, Columns, 0, 0, 0, Rows, (byte)bits, (byte)colour, 0, 0, 0];
        return
        [
            0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR", header), .. colour == 3 ? Chunk("PLTE", palette) : [],
            .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", []),
        ];
    }

    static byte[] Chunk(string kind, byte[] content)
    {
        var chunk = new byte[12 + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        Encoding.ASCII.GetBytes(kind).CopyTo(chunk, 4);
        content.CopyTo(chunk, 8);
        var crc = uint.MaxValue;
        foreach (var value in chunk.AsSpan(4, 4 + content.Length))
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xedb88320 ^ (crc >> 1) : crc >> 1;
        }
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + content.Length), ~crc);
        return chunk;
    }

    /// <summary>
    /// A baseline JPEG of one block, all of one colour: of each component there is the mean only, eight times its distance from
    /// 128.
    /// </summary>
    static byte[] CmykJpeg(params byte[] colour)
    {
        var bits = new StringBuilder();
        foreach (var value in colour)
        {
            var mean = 8 * (value - 128);
            var length = mean == 0 ? 0 : (int)Math.Log2(Math.Abs(mean)) + 1;
            bits.Append(Convert.ToString(length, 2).PadLeft(4, '0')); // the table below: number n has code n
            if (length > 0) bits.Append(Convert.ToString(mean > 0 ? mean : mean + (1 << length) - 1, 2).PadLeft(length, '0'));
            bits.Append('0'); // end of block
        }
        while (bits.Length % 8 != 0) bits.Append('1');
        var scan = Enumerable.Range(0, bits.Length / 8).Select(i => Convert.ToByte(bits.ToString(8 * i, 8), 2))
            .SelectMany(b => b == 0xff ? new byte[] { 0xff, 0 } : [b]);
        return
        [
            0xff, 0xd8, 0xff, 0xee, 0, 14, .. "Adobe"u8, 0, 100, 0, 0, 0, 0, 0,
            0xff, 0xdb, 0, 67, 0, .. Enumerable.Repeat((byte)1, 64),
            0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0,
            0xff, 0xc4, 0, 31, 0, 0, 0, 0, 12, .. new byte[12], .. Enumerable.Range(0, 12).Select(i => (byte)i),
            0xff, 0xc4, 0, 20, 0x10, 1, .. new byte[15], 0,
            0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0, .. scan,
            0xff, 0xd9,
        ];
    }
}

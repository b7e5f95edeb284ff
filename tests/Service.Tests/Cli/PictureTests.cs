using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using MetaOpt.Cli.Data;
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
    [InlineData(6, 8, 4)]
    [InlineData(6, 16, 4)]
    public void Png_of_every_colour_type_and_filter(int colour, int bits, int channels)
    {
        var (samples, palette) = (new byte[Rows * Columns * channels * bits / 8], new byte[256 * 3]);
        new Random(1).NextBytes(samples);
        new Random(2).NextBytes(palette);
        var picture = Picture.Read(Png(colour, bits, channels, samples, palette));
        Assert.Equal((Rows, Columns, Rows * Columns * 3), (picture.Rows, picture.Columns, picture.Pixels.Length));
        for (var i = 0; i < picture.Pixels.Length; i++)
        {
            var (pixel, channel) = (i / 3, i % 3);
            var expected = colour == 3 ? palette[3 * samples[pixel] + channel] : samples[(pixel * channels + (channels > 2 ? channel : 0)) * bits / 8];
            Assert.Equal(expected, picture.Pixels[i]);
        }
    }

    [Fact]
    public void What_is_written_is_a_png_that_others_read()
    {
        var pixels = new byte[Rows * Columns * 3];
        new Random(3).NextBytes(pixels);
        var png = new Picture(Rows, Columns, pixels).ToPng();
        var read = Picture.Read(png);
        Assert.Equal((Rows, Columns), (read.Rows, read.Columns));
        Assert.Equal(pixels, read.Pixels);
        // The checksum of IEND is the same in every PNG file there is.
        Assert.Equal([0, 0, 0, 0, (byte)'I', (byte)'E', (byte)'N', (byte)'D', 0xae, 0x42, 0x60, 0x82], png[^12..]);
    }

    [Fact]
    public void Ppm_with_a_comment()
    {
        var picture = Picture.Read([.. "P6 # made by hand 7\n2\t1\n255\n"u8, 1, 2, 3, 4, 5, 6]);
        Assert.Equal((1, 2), (picture.Rows, picture.Columns));
        Assert.Equal([1, 2, 3, 4, 5, 6], picture.Pixels);
    }

    [Fact]
    public void What_is_damaged_or_unknown_is_refused()
    {
        var png = Png(2, 8, 3, new byte[Rows * Columns * 3], []);
        Refused("is cut off", png[..^30]);
        Refused("interlaced", With(png, 28, 1));
        Refused("colour type 5", With(png, 25, 5));
        Refused("of 4 bits", With(png, 24, 4));
        Refused("is 1090519045 x 6 pixels", With(png, 16, 0x41));
        Refused("palette", Png(3, 8, 1, [.. Enumerable.Repeat((byte)9, Rows * Columns)], new byte[27]));
        Refused("neither PNG nor PPM", [1, 2, 3]);
        Refused("damaged header", "P6 2 x"u8.ToArray());
        Refused("65535 as its largest", "P6 2 1 65535 "u8.ToArray());
        Refused("is cut off", "P6 2 1 255\n12345"u8.ToArray());

        static byte[] With(byte[] file, int place, byte value)
        {
            var changed = (byte[])file.Clone();
            changed[place] = value;
            return changed;
        }

        static void Refused(string why, byte[] file) => Assert.Contains(why, Assert.Throws<InvalidDataException>(() => Picture.Read(file)).Message);
    }

    [Fact]
    public void A_square_is_cut_out_and_scaled_by_means_or_by_repetition()
    {
        // Rows of 4 pixels; red is 10 row + column.
        var picture = new Picture(3, 4, [.. Enumerable.Range(0, 36).Select(i => (byte)(i % 3 == 0 ? 10 * (i / 12) + i / 3 % 4 : 0))]);
        Assert.Equal([17], Red(picture.Square(1, 1, 2, 1))); // the mean of 11, 12, 21 and 22 is 16.5
        Assert.Equal([11, 11, 12, 12], Red(picture.Square(1, 1, 2, 4))[..4]);

        static byte[] Red(byte[] pixels) => [.. pixels.Where((_, i) => i % 3 == 0)];
    }

    /// <summary>Row r is filtered by filter r mod 5.</summary>
    static byte[] Png(int colour, int bits, int channels, byte[] samples, byte[] palette)
    {
        var (width, step) = (Columns * channels * bits / 8, channels * bits / 8);
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (var row = 0; row < Rows; row++)
            {
                zlib.WriteByte((byte)(row % 5));
                for (var i = 0; i < width; i++)
                {
                    var (left, up, corner) = (At(row, i - step), At(row - 1, i), At(row - 1, i - step));
                    var nearest = new[] { left, up, corner }.MinBy(p => Math.Abs(left + up - corner - p));
                    var guess = (row % 5) switch { 1 => left, 2 => up, 3 => (left + up) / 2, 4 => nearest, _ => 0 };
                    zlib.WriteByte((byte)(At(row, i) - guess));
                }
            }
        }
        byte[] header = [0, 0, 0, Columns, 0, 0, 0, Rows, (byte)bits, (byte)colour, 0, 0, 0];
        return [0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR", header), .. Chunk("PLTE", palette), .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", [])];

        int At(int row, int i) => row < 0 || i < 0 ? 0 : samples[row * width + i];
    }

    // Checksums are not looked at.
    static byte[] Chunk(string kind, byte[] content)
    {
        var chunk = new byte[12 + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        Encoding.ASCII.GetBytes(kind).CopyTo(chunk, 4);
        content.CopyTo(chunk, 8);
        return chunk;
    }
}

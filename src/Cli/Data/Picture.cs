using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace MetaOpt.Cli.Data;

/// <summary>
/// A picture in memory, <paramref name="Pixels"/> [rows, columns, red green blue], read from PPM (P6) or PNG (8 or 16 bits, not
/// interlaced; transparency is ignored).
/// </summary>
public sealed record Picture(int Rows, int Columns, byte[] Pixels)
{
    const int Longest = 16_384;
    static ReadOnlySpan<byte> PngSignature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a];

    /// <summary>Reads a file's content.</summary>
    /// <exception cref="InvalidDataException">It is neither, or damaged, or larger than 16,384 pixels along a side.</exception>
    public static Picture Read(ReadOnlySpan<byte> file)
    {
        if (file.StartsWith(PngSignature)) return ReadPng(file[8..]);
        return file.StartsWith("P6"u8) ? ReadPpm(file[2..]) : throw new InvalidDataException("is neither PNG nor PPM (P6)");
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
                var (bottom, right) = (Math.Max(top + 1, (int)((y + 1L) * side / size)), Math.Max(left + 1, (int)((x + 1L) * side / size)));
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
        using var file = new MemoryStream();
        file.Write(PngSignature);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Columns);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], Rows);
        (header[8], header[9]) = (8, 2); // bits; red, green and blue
        WriteChunk(file, "IHDR"u8, header);
        using var packed = new MemoryStream();
        using (var lines = new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            for (var row = 0; row < Rows; row++)
            {
                lines.WriteByte(0); // no filter
                lines.Write(Pixels, row * Columns * 3, Columns * 3);
            }
        }
        WriteChunk(file, "IDAT"u8, packed.ToArray());
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    static void WriteChunk(MemoryStream file, ReadOnlySpan<byte> kind, ReadOnlySpan<byte> content)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, content.Length);
        file.Write(number);
        file.Write(kind);
        file.Write(content);
        BinaryPrimitives.WriteUInt32BigEndian(number, Checksum(kind, content));
        file.Write(number);
    }

    /// <summary>CRC-32 of both parts one after the other (PNG, annex D).</summary>
    static uint Checksum(ReadOnlySpan<byte> kind, ReadOnlySpan<byte> content)
    {
        var crc = uint.MaxValue;
        foreach (var value in (byte[])[.. kind, .. content])
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xedb88320 ^ (crc >> 1) : crc >> 1;
        }
        return ~crc;
    }

    static Picture ReadPpm(ReadOnlySpan<byte> file)
    {
        var (columns, rows, most) = (Number(ref file), Number(ref file), Number(ref file));
        Require(rows, columns);
        if (most != 255) throw new InvalidDataException($"is a PPM with {most} as its largest value; only 255 is read");
        file = file[1..];
        var length = rows * columns * 3;
        return file.Length >= length ? new(rows, columns, file[..length].ToArray()) : throw new InvalidDataException("is cut off");

        static int Number(ref ReadOnlySpan<byte> rest)
        {
            while (rest.Length > 0 && (rest[0] is (byte)'#' || char.IsWhiteSpace((char)rest[0])))
                rest = rest[0] == '#' && rest.IndexOf((byte)'\n') is >= 0 and var end ? rest[end..] : rest[1..];
            var digits = rest.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            if (digits is < 1 or > 6) throw new InvalidDataException("has a damaged header");
            var number = int.Parse(Encoding.ASCII.GetString(rest[..digits]));
            rest = rest[digits..];
            return number;
        }
    }

    static Picture ReadPng(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> header = default, palette = default;
        using var packed = new MemoryStream();
        while (file.Length >= 12)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file);
            if (length > file.Length - 12) throw new InvalidDataException("is cut off");
            var kind = Encoding.ASCII.GetString(file.Slice(4, 4));
            var content = file.Slice(8, (int)length);
            if (kind == "IHDR") header = content;
            if (kind == "PLTE") palette = content;
            if (kind == "IDAT") packed.Write(content);
            if (kind == "IEND") break;
            file = file[(12 + (int)length)..];
        }
        if (header.Length != 13) throw new InvalidDataException("has no PNG header");
        var (columns, rows) = (BinaryPrimitives.ReadInt32BigEndian(header), BinaryPrimitives.ReadInt32BigEndian(header[4..]));
        Require(rows, columns);
        var (bits, colour) = (header[8], header[9]);
        var channels = colour switch { 0 or 3 => 1, 2 => 3, 4 => 2, 6 => 4, _ => 0 };
        if (channels == 0 || header[12] != 0 || bits is not (8 or 16) || (colour == 3 && bits != 8))
            throw new InvalidDataException($"is a PNG of {bits} bits, colour type {colour}{(header[12] != 0 ? ", interlaced" : "")}, which is not read");
        packed.Position = 0;
        using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
        return new(rows, columns, Colours(Lines(unpacked, rows, columns * channels * bits / 8, channels * bits / 8), colour, bits / 8, channels, palette));
    }

    /// <summary>Undoes the filters of PNG, chapter 9: each line begins with its filter's number.</summary>
    static byte[] Lines(Stream from, int rows, int width, int step)
    {
        var lines = new byte[rows * (long)width];
        for (var row = 0; row < rows; row++)
        {
            var filter = from.ReadByte();
            var line = lines.AsSpan(row * width, width);
            if (filter is < 0 or > 4 || from.ReadAtLeast(line, width, throwOnEndOfStream: false) < width) throw new InvalidDataException("is cut off or damaged");
            var above = row > 0 ? lines.AsSpan((row - 1) * width, width) : [];
            for (var i = 0; i < width; i++)
            {
                var (left, up) = (i >= step ? line[i - step] : 0, row > 0 ? above[i] : 0);
                line[i] += (byte)(filter switch { 1 => left, 2 => up, 3 => (left + up) / 2, 4 => Paeth(left, up, i >= step && row > 0 ? above[i - step] : 0), _ => 0 });
            }
        }
        return lines;
    }

    static int Paeth(int left, int up, int corner)
    {
        var (a, b, c) = (Math.Abs(up - corner), Math.Abs(left - corner), Math.Abs(left + up - 2 * corner));
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }

    static byte[] Colours(byte[] samples, int colour, int bytes, int channels, ReadOnlySpan<byte> palette)
    {
        var pixels = new byte[samples.Length / (bytes * channels) * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var first = i / 3 * bytes * channels;
            var place = colour == 3 ? samples[first] * 3 + i % 3 : -1;
            if (place >= palette.Length) throw new InvalidDataException("has a colour that is not in its palette");
            pixels[i] = place >= 0 ? palette[place] : samples[first + (channels > 2 ? i % 3 * bytes : 0)];
        }
        return pixels;
    }

    static void Require(int rows, int columns)
    {
        if (rows is < 1 or > Longest || columns is < 1 or > Longest)
            throw new InvalidDataException($"is {columns} x {rows} pixels; 1 to {Longest} are read along a side");
        if (3L * rows * columns > Array.MaxLength) throw new InvalidDataException($"is {columns} x {rows} pixels, which is too many");
    }
}

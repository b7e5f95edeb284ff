using System.Buffers.Binary;
using System.IO.Compression;

namespace MetaOpt.Workers.Data;

/// <summary>
/// The IDX format of bytes (LeCun's MNIST page): two zeros, type 8, number of dimensions, the dimensions as big-endian 32-bit
/// numbers, the bytes. Plain or gzip.
/// </summary>
static class IdxFile
{
    /// <summary>No data of ours is larger; a corrupt header must not take the machine's memory.</summary>
    const long LargestContent = 1L << 30;

    /// <summary>The whole uncompressed file, of which the values begin at <c>Values</c>.</summary>
    public sealed record Content(string Path, int[] Dimensions, byte[] Bytes)
    {
        /// <summary>The bytes after the header.</summary>
        public byte[] Values => Bytes[(4 + 4 * Dimensions.Length)..];
    }

    /// <summary>Reads and checks a file that must have <paramref name="rank"/> dimensions.</summary>
    /// <exception cref="InvalidDataException">It is not such a file, or its length is not what its header says.</exception>
    public static Content Read(string path, int rank)
    {
        using var file = File.OpenRead(path);
        using Stream stream = path.EndsWith(".gz", StringComparison.Ordinal)
            ? new GZipStream(file, CompressionMode.Decompress)
            : file;
        try
        {
            return Read(path, stream, rank);
        }
        catch (InvalidDataException)
        {
            throw Wrong(path, "is not a gzip file, or is damaged");
        }
        catch (FormatException wrong)
        {
            throw Wrong(path, wrong.Message);
        }
    }

    static Content Read(string path, Stream stream, int rank)
    {
        var header = new byte[4 + 4 * rank];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
            throw new FormatException($"is shorter than the header of {header.Length} bytes");
        if (header is not [0, 0, 8, _, ..] || header[3] != rank)
            throw new FormatException(
                $"begins with {Convert.ToHexStringLower(header.AsSpan(0, 4))}, not with 000008{rank:x2} (bytes in {rank} dimensions)");
        var dimensions = new int[rank];
        long size = 1;
        for (var i = 0; i < rank; i++)
        {
            var dimension = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4 + 4 * i));
            size = dimension is > 0 and <= 1 << 28 && size <= LargestContent ? size * dimension : long.MaxValue;
            dimensions[i] = (int)Math.Min(dimension, int.MaxValue);
        }
        if (size > LargestContent)
            throw new FormatException(
                $"claims dimensions {string.Join(" x ", dimensions)}, which is not within 1 and {LargestContent} bytes");
        var bytes = ReadAll(stream, header, header.Length + (int)size);
        if (bytes.Length < header.Length + size)
            throw new FormatException($"has {bytes.Length - header.Length} of the {size} bytes its header promises");
        if (stream.ReadByte() >= 0) throw new FormatException($"goes on after the {size} bytes its header promises");
        return new(path, dimensions, bytes);
    }

    /// <summary>
    /// The beginning and what follows, up to <paramref name="length"/> bytes: memory is taken for what comes, not for what a
    /// header promises.
    /// </summary>
    static byte[] ReadAll(Stream stream, byte[] beginning, int length)
    {
        var (bytes, got) = (new byte[Math.Min(length, 1 << 20)], beginning.Length);
        beginning.CopyTo(bytes, 0);
        while (true)
        {
            got += stream.ReadAtLeast(bytes.AsSpan(got), bytes.Length - got, throwOnEndOfStream: false);
            if (got < bytes.Length || got == length) return got == bytes.Length ? bytes : bytes[..got];
            Array.Resize(ref bytes, (int)Math.Min(length, 2L * got));
        }
    }

    static InvalidDataException Wrong(string path, string what) =>
        new($"{path} {what}; fetch the file again (metaopt data fetch).");
}

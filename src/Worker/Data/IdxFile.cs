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
        using Stream stream = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        var header = new byte[4 + 4 * rank];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
            throw Wrong(path, $"is shorter than the header of {header.Length} bytes");
        if (header is not [0, 0, 8, _, ..] || header[3] != rank)
            throw Wrong(path, $"begins with {Convert.ToHexStringLower(header.AsSpan(0, 4))}, not with 000008{rank:x2} (bytes in {rank} dimensions)");
        var dimensions = new int[rank];
        long size = 1;
        for (var i = 0; i < rank; i++)
        {
            var dimension = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4 + 4 * i));
            size = dimension is > 0 and <= 1 << 28 && size <= LargestContent ? size * dimension : long.MaxValue;
            dimensions[i] = (int)Math.Min(dimension, int.MaxValue);
        }
        if (size > LargestContent) throw Wrong(path, $"claims dimensions {string.Join(" x ", dimensions)}, which is not within 1 and {LargestContent} bytes");
        var bytes = new byte[header.Length + size];
        header.CopyTo(bytes, 0);
        var got = stream.ReadAtLeast(bytes.AsSpan(header.Length), (int)size, throwOnEndOfStream: false);
        if (got < size) throw Wrong(path, $"has {got} of the {size} bytes its header promises");
        if (stream.ReadByte() >= 0) throw Wrong(path, $"goes on after the {size} bytes its header promises");
        return new(path, dimensions, bytes);
    }

    static InvalidDataException Wrong(string path, string what) =>
        new($"{path} {what}; fetch the file again (metaopt data fetch).");
}

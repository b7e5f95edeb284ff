using MetaOpt.Tasks;

namespace MetaOpt.Workers.Data;

/// <summary>
/// The binary version of CIFAR-10 (Krizhevsky, 2009): records of a label's byte and the image's red, green and blue planes, one
/// after the other, row by row; no header.
/// </summary>
static class CifarFile
{
    /// <summary>No file of ours has more; a wrong one must not take the machine's memory.</summary>
    const long LargestContent = 1L << 28;

    /// <summary>Reads and checks files one after the other; the colours of a pixel come to lie side by side.</summary>
    /// <exception cref="InvalidDataException">A file has no whole number of records, or a label that the dataset does not
    /// have.</exception>
    public static LabelledImages Read(KnownDataset known, IReadOnlyList<string> paths, FileHashes hash)
    {
        var (plane, channels) = (known.Rows * known.Columns, known.Channels);
        var record = 1 + channels * plane;
        var counts = paths.Select(path => Count(path, record)).ToArray();
        var (labels, pixels, at) = (new byte[counts.Sum()], new byte[counts.Sum() * plane * channels], 0);
        for (var file = 0; file < paths.Count; file++)
        {
            var bytes = File.ReadAllBytes(paths[file]);
            if (bytes.Length != counts[file] * record) throw Wrong(paths[file], "changed while it was read");
            hash.Add(bytes);
            for (var i = 0; i < counts[file]; i++, at++)
            {
                var from = bytes.AsSpan(i * record, record);
                if (from[0] >= known.Classes)
                    throw Wrong(paths[file], $"has label {from[0]} in record {i}, not below {known.Classes}");
                labels[at] = from[0];
                Interleave(from[1..], pixels.AsSpan(at * plane * channels, plane * channels), plane, channels);
            }
        }
        return new(pixels, labels);
    }

    static int Count(string path, int record)
    {
        var length = new FileInfo(path).Length;
        return length is > 0 and <= LargestContent && length % record == 0
            ? (int)(length / record)
            : throw Wrong(path, $"has {length} bytes, no whole number of records of {record}");
    }

    static void Interleave(ReadOnlySpan<byte> planes, Span<byte> pixels, int plane, int channels)
    {
        for (var channel = 0; channel < channels; channel++)
            for (var i = 0; i < plane; i++) pixels[i * channels + channel] = planes[channel * plane + i];
    }

    static InvalidDataException Wrong(string path, string what) =>
        new($"{path} {what}; fetch the file again (metaopt data fetch).");
}

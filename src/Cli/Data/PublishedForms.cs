using System.IO.Compression;
using MetaOpt.Tasks;

namespace MetaOpt.Cli.Data;

/// <summary>
/// The forms in which a dataset's file is published: packed, under a name with a dot, or as a batch of CIFAR-10's Python version.
/// </summary>
static class PublishedForms
{
    const string Packed = ".gz", Binary = ".bin";

    /// <summary>Names that the file may have, its own first.</summary>
    public static IEnumerable<string> NamesOf(KnownFile file)
    {
        // Kaggle and others have train-images.idx3-ubyte.
        foreach (var name in new[] { file.Name, file.Name.Replace("-idx", ".idx", StringComparison.Ordinal) }.Distinct())
        {
            yield return name;
            yield return name + Packed;
        }
        if (file.Name.EndsWith(Binary, StringComparison.Ordinal)) yield return Path.GetFileNameWithoutExtension(file.Name);
    }

    /// <summary>
    /// The file's content as it is stored, out of <paramref name="content"/>, which lay under one of its names.
    /// </summary>
    /// <exception cref="InvalidDataException">A batch is not what its name says.</exception>
    public static Stream Open(KnownFile file, string name, Stream content) =>
        name.EndsWith(Packed, StringComparison.Ordinal) ? new GZipStream(content, CompressionMode.Decompress)
        : name + Binary == file.Name ? new MemoryStream(PickledBatch.ToBinary(content))
        : content;
}

using System.Security.Cryptography;
using MetaOpt.Tasks;

namespace MetaOpt.Workers.Data;

/// <summary>
/// The datasets of this machine: <c>NAME/</c> in the data folder with the four files of MNIST's naming, plain or .gz; also
/// where Debian's packages put them.
/// </summary>
sealed class DataFolder(string folder)
{
    const string Debian = "/usr/share/datasets";

    static readonly string[] s_files =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

    /// <summary>Names of the known datasets whose files are all there.</summary>
    public IReadOnlyList<string> Names => [.. KnownDatasets.All.Select(d => d.Name).Where(name => Find(name) is not null)];

    /// <summary>Reads and checks a dataset.</summary>
    /// <exception cref="FileNotFoundException">It is not here (any more).</exception>
    /// <exception cref="InvalidDataException">Its files are not what they should be.</exception>
    public Dataset Read(string name)
    {
        var known = KnownDatasets.Find(name)
            ?? throw new SpecException("/task/dataset", $"\"{name}\" is not a dataset; known: {string.Join(", ", KnownDatasets.All.Select(d => d.Name))}.");
        var paths = Find(name) ?? throw new FileNotFoundException($"The files of {name} are not in {Path.Combine(folder, name)} ({string.Join(", ", s_files)}).");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (train, test) = (ReadPart(known, paths[0], paths[1], hash), ReadPart(known, paths[2], paths[3], hash));
        return new(name, known.Rows, known.Columns, known.Classes, train, test, Convert.ToHexStringLower(hash.GetHashAndReset())) { Channels = known.Channels };
    }

    // Uncompressed content is hashed: the same data has the same hash however it is packed.
    static LabelledImages ReadPart(KnownDataset known, string images, string labels, IncrementalHash hash)
    {
        var (pixels, classes) = (IdxFile.Read(images, 3), IdxFile.Read(labels, 1));
        hash.AppendData(pixels.Bytes);
        hash.AppendData(classes.Bytes);
        var values = classes.Values;
        if (pixels.Dimensions[1] != known.Rows || pixels.Dimensions[2] != known.Columns)
            throw new InvalidDataException($"{images} has images of {pixels.Dimensions[1]} x {pixels.Dimensions[2]}, not {known.Rows} x {known.Columns}.");
        if (pixels.Dimensions[0] != values.Length)
            throw new InvalidDataException($"{images} has {pixels.Dimensions[0]} images, but {labels} has {values.Length} labels.");
        if (Array.FindIndex(values, label => label >= known.Classes) is >= 0 and var at)
            throw new InvalidDataException($"{labels}: label {at} is {values[at]}, not below {known.Classes}.");
        return new(pixels.Values, values);
    }

    /// <summary>Paths of the four files, null unless one folder has them all.</summary>
    string[]? Find(string name)
    {
        foreach (var place in new[] { Path.Combine(folder, name), Path.Combine(Debian, name) })
        {
            string?[] paths = [.. s_files.Select(f => new[] { f, f + ".gz" }.Select(n => Path.Combine(place, n)).FirstOrDefault(File.Exists))];
            if (Array.TrueForAll(paths, p => p is not null)) return paths!;
        }
        return null;
    }
}

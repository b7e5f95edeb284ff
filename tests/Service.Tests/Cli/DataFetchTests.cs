using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using MetaOpt.Cli;
using MetaOpt.Cli.Data;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

public sealed class DataFetchTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("metaopt-test-").FullName;

    Home Home => new(Path.Combine(folder, "home"));
    string Source => Directory.CreateDirectory(Path.Combine(folder, "source")).FullName;

    Task Fetch() => PublicDataset.Mnist.EnsureAsync(Home, Source, _ => { }, CancellationToken.None);

    [Fact]
    public async Task A_folder_without_the_files_is_refused_with_their_names()
    {
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("train-images-idx3-ubyte.gz", refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    [Fact]
    public async Task A_file_of_the_right_size_with_other_content_is_refused()
    {
        foreach (var file in PublicDataset.Mnist.Files)
            Write(file.Name, stream => stream.SetLength(file.Bytes));
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("SHA-256", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(PublicDataset.Mnist.Files[0].Sha256, refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_file_of_another_size_is_refused(int difference)
    {
        Write($"{PublicDataset.Mnist.Files[0].Name}.gz", stream =>
        {
            using var gzip = new GZipStream(stream, CompressionLevel.Fastest);
            gzip.Write(new byte[PublicDataset.Mnist.Files[0].Bytes + difference]);
        });
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("47,040,016 bytes", refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    [Fact]
    public async Task A_file_that_only_calls_itself_gzip_is_refused()
    {
        Write($"{PublicDataset.Mnist.Files[0].Name}.gz", stream => stream.Write("not compressed"u8));
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("not a gzip file", refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    static readonly byte[] Content = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * i))];

    /// <summary>A dataset of one file that comes in an archive, as CIFAR-10's six do.</summary>
    static readonly PublicDataset Tiny = new(
        "tiny", "Tiny", [new("batch.bin", Content.Length, Convert.ToHexStringLower(SHA256.HashData(Content)))],
        ["tiny.tar.gz", "tiny-python.tar.gz"], []);

    Task FetchTiny(params (string Name, byte[] Content)[] entries) => FetchTiny(Tiny, "tiny.tar.gz", entries);

    Task FetchTiny(PublicDataset dataset, string archive, params (string Name, byte[] Content)[] entries)
    {
        Write(archive, stream =>
        {
            using var tar = new TarWriter(new GZipStream(stream, CompressionLevel.Fastest));
            foreach (var (name, content) in entries)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        });
        return dataset.EnsureAsync(Home, Source, _ => { }, CancellationToken.None);
    }

    [Fact]
    public async Task The_authors_archive_is_unpacked_and_checked_and_nothing_else_of_it_is_kept()
    {
        await FetchTiny(("folder/readme.html", [1, 2, 3]), ("folder/batch.bin", Content), ("../../outside.bin", [1]));
        var stored = Assert.Single(Directory.GetFiles(folder, "*.bin", SearchOption.AllDirectories));
        Assert.Equal(Path.Combine(Home.Data, "tiny", "batch.bin"), stored);
        Assert.Equal(Content, await File.ReadAllBytesAsync(stored));
        Assert.True(Tiny.IsComplete(Home));
    }

    [Fact]
    public async Task An_archive_with_a_wrong_file_or_without_it_is_refused()
    {
        byte[] wrong = [.. Content];
        wrong[17] ^= 1;
        var refusal = await Assert.ThrowsAsync<CommandException>(() => FetchTiny(("folder/batch.bin", wrong)));
        Assert.Contains("SHA-256", refusal.Message, StringComparison.Ordinal);
        refusal = await Assert.ThrowsAsync<CommandException>(() => FetchTiny(("folder/other.bin", Content)));
        Assert.Contains("does not hold all of batch.bin", refusal.Message, StringComparison.Ordinal);
        Assert.False(Tiny.IsComplete(Home));
    }

    [Fact]
    public void Without_a_subcommand_the_datasets_are_listed() => Assert.Equal(0, DataCommands.Create().Parse([]).Invoke());

    [Theory]
    [InlineData("digits.idx3-ubyte")]                     // Kaggle's name
    [InlineData("digits.idx3-ubyte.gz")]
    [InlineData("digits-idx3-ubyte/digits-idx3-ubyte")]   // Kaggle's archive, unpacked
    [InlineData("digits-idx3-ubyte.gz")]
    public async Task A_file_is_taken_under_each_of_its_published_names(string name)
    {
        var dataset = new PublicDataset("digits", "Digits", [new("digits-idx3-ubyte", Content.Length, Sha256(Content))], [], []);
        Write(name, stream =>
        {
            using Stream packed = name.EndsWith(".gz", StringComparison.Ordinal)
                ? new GZipStream(stream, CompressionLevel.Fastest)
                : stream;
            packed.Write(Content);
        });
        await dataset.EnsureAsync(Home, Source, _ => { }, CancellationToken.None);
        Assert.Equal(Content, await File.ReadAllBytesAsync(Path.Combine(Home.Data, "digits", "digits-idx3-ubyte")));
        Assert.True(dataset.IsComplete(Home));
    }

    [Fact]
    public async Task A_web_page_in_a_files_place_is_named_as_one()
    {
        Write(PublicDataset.Mnist.Files[0].Name, stream => stream.Write("<!DOCTYPE html><html>Sign in</html>"u8));
        Assert.Contains("it is a web page", (await Assert.ThrowsAsync<CommandException>(Fetch)).Message,
            StringComparison.Ordinal);
        AssertNothingStored();
        Write("tiny.tar.gz", stream => stream.Write("<!DOCTYPE html>"u8));
        var refusal =
            await Assert.ThrowsAsync<CommandException>(
                () => Tiny.EnsureAsync(Home, Path.Combine(Source, "tiny.tar.gz"), _ => { }, CancellationToken.None));
        Assert.Contains("tiny.tar.gz cannot be read", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("no folder or file", (await Assert.ThrowsAsync<CommandException>(
            () => Tiny.EnsureAsync(Home, Path.Combine(Source, "none"), _ => { }, CancellationToken.None))).Message,
            StringComparison.Ordinal);
    }

    /// <summary>
    /// Two images as the authors' Python 2 pickled them: protocol 2, the array by NumPy's own functions, which nobody calls here.
    /// </summary>
    static byte[] Pickle(byte[] labels, byte[] pixels) =>
    [
        0x80, 2, .. "}q\u0001("u8, .. "U\u000bbatch_labelq\u0002U\u0015training batch 1 of 5q\u0003"u8,
        .. "U\u0006labelsq\u0004]q\u0005("u8, .. labels.SelectMany(l => new[] { (byte)'K', l }), .. "e"u8,
        .. "U\u0004dataq\u0006cnumpy.core.multiarray\n_reconstruct\nq\u0007cnumpy\nndarray\nq\bK\0"u8, 0x85, .. "U\u0001b"u8,
        0x87, .. "Rq\t(K\u0001K\u0002M\0\f"u8, 0x86,
        .. "cnumpy\ndtype\nq\nU\u0002u1K\0K\u0001"u8, 0x87, .. "Rq\u000b(K\u0003U\u0001|NNNJ"u8,
        .. new byte[] { 255, 255, 255, 255 }, .. "J"u8, .. new byte[] { 255, 255, 255, 255 },
        .. "K\0tb"u8, 0x89, .. "T"u8, .. BitConverter.GetBytes(pixels.Length), .. pixels,
        .. "tbU\tfilenamesq\f]q\r(U\u0005a.pngq\u000eU\u0005b.pngq\u000feu."u8,
    ];

    static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    [Fact]
    public async Task A_batch_of_the_Python_version_becomes_the_binary_one_and_nothing_is_executed()
    {
        byte[] pixels = [.. Enumerable.Range(0, 2 * 3072).Select(i => (byte)(i * 7))];
        byte[] binary = [6, .. pixels[..3072], 9, .. pixels[3072..]];
        var dataset = new PublicDataset("tiny", "Tiny", [new("batch.bin", binary.Length, Sha256(binary))],
            ["tiny.tar.gz", "tiny-python.tar.gz"], []);
        var pickle = Pickle([6, 9], pixels);
        await FetchTiny(dataset, "tiny-python.tar.gz", ("batches-py/batches.meta", [1]), ("batches-py/batch", pickle));
        Assert.Equal(binary, await File.ReadAllBytesAsync(Path.Combine(Home.Data, "tiny", "batch.bin")));

        Directory.Delete(dataset.Folder(Home), recursive: true);
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
        {
            byte[] changed = [.. pickle];
            for (var n = random.Next(1, 4); n > 0; n--)
                changed[random.Next(2) == 0 ? random.Next(260) : changed.Length - 1 - random.Next(60)] = (byte)random.Next(256);
            try
            {
                await FetchTiny(dataset, "tiny-python.tar.gz",
                    ("batch", random.Next(8) == 0 ? changed[..random.Next(changed.Length)] : changed));
                Directory.Delete(dataset.Folder(Home), recursive: true);
            }
            catch (CommandException)
            {
                Assert.False(Directory.Exists(dataset.Folder(Home)));
            }
        }
    }

    void Write(string name, Action<Stream> content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Source, name))!);
        using var stream = File.Create(Path.Combine(Source, name));
        content(stream);
    }

    void AssertNothingStored()
    {
        Assert.False(Directory.Exists(PublicDataset.Mnist.Folder(Home)));
        Assert.False(PublicDataset.Mnist.IsComplete(Home));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}

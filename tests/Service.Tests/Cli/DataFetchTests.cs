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
        "tiny", "Tiny", [new("batch.bin", Content.Length, Convert.ToHexStringLower(SHA256.HashData(Content)))], "tiny.tar.gz", []);

    Task FetchTiny(params (string Name, byte[] Content)[] entries)
    {
        Write("tiny.tar.gz", stream =>
        {
            using var tar = new TarWriter(new GZipStream(stream, CompressionLevel.Fastest));
            foreach (var (name, content) in entries)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        });
        return Tiny.EnsureAsync(Home, Source, _ => { }, CancellationToken.None);
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

    void Write(string name, Action<Stream> content)
    {
        using var stream = File.Create(Path.Combine(Source, name));
        content(stream);
    }

    void AssertNothingStored()
    {
        Assert.Empty(Directory.GetFiles(PublicDataset.Mnist.Folder(Home)));
        Assert.False(PublicDataset.Mnist.IsComplete(Home));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}

using System.IO.Compression;
using MetaOpt.Cli;
using MetaOpt.Cli.Data;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

public sealed class MnistFetchTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("metaopt-test-").FullName;

    Home Home => new(Path.Combine(folder, "home"));
    string Source => Directory.CreateDirectory(Path.Combine(folder, "source")).FullName;

    Task Fetch() => Mnist.EnsureAsync(Home, Source, _ => { }, CancellationToken.None);

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
        foreach (var file in Mnist.Files)
            Write(file.Name, stream => stream.SetLength(file.Bytes));
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("SHA-256", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(Mnist.Files[0].Sha256, refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_file_of_another_size_is_refused(int difference)
    {
        Write($"{Mnist.Files[0].Name}.gz", stream =>
        {
            using var gzip = new GZipStream(stream, CompressionLevel.Fastest);
            gzip.Write(new byte[Mnist.Files[0].Bytes + difference]);
        });
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("47,040,016 bytes", refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    [Fact]
    public async Task A_file_that_only_calls_itself_gzip_is_refused()
    {
        Write($"{Mnist.Files[0].Name}.gz", stream => stream.Write("not compressed"u8));
        var refusal = await Assert.ThrowsAsync<CommandException>(Fetch);
        Assert.Contains("not a gzip file", refusal.Message, StringComparison.Ordinal);
        AssertNothingStored();
    }

    void Write(string name, Action<Stream> content)
    {
        using var stream = File.Create(Path.Combine(Source, name));
        content(stream);
    }

    void AssertNothingStored()
    {
        Assert.Empty(Directory.GetFiles(Mnist.Folder(Home)));
        Assert.False(Mnist.IsComplete(Home));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}

using System.Text;
using MetaOpt.Cli;
using MetaOpt.Cli.Data;
using MetaOpt.Workers.Data;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>What the command writes is what a worker reads.</summary>
public sealed class ImagesFetchTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("metaopt-test-").FullName;
    readonly List<string> said = [];

    Home Home => new(Path.Combine(folder, "home"));
    DataFolder Worker => new(Home.Data);
    string Pictures => Path.Combine(Home.Data, "images", "pictures-idx4-ubyte");

    Task Fetch() => Images.FetchAsync(Home, Path.Combine(folder, "source"), said.Add, CancellationToken.None);

    [Fact]
    public async Task Motifs_are_kept_apart_and_styles_have_their_names()
    {
        Save("a-d", 10, 20);
        Save("a-l", 20, 10);
        Save("b", 30, 16);
        Save("c-d", 16, 40);
        Save("c-l", 16, 16);
        Save("d", 8, 8);
        Save("blank", 10, 10, blank: true);
        File.WriteAllText(Path.Combine(folder, "source", "e.png"), "not a picture");
        File.WriteAllText(Path.Combine(folder, "source", "notes.txt"), "what is what");
        File.WriteAllText(Path.Combine(folder, "source", ".hidden"), "");
        Save("styles/dots", 12, 12);
        await Fetch();
        Assert.Equal(["blank.png", "e.png", "notes.txt"],
            said.Where(s => s.Contains("left out", StringComparison.Ordinal)).Select(s => Path.GetFileName(s.Split(' ')[4])));
        Assert.Contains($"is not a {Picture.Kinds} file", said[1]);
        Assert.Equal("20 train, 10 test, 1 style; styles: dots", said[^1]);

        Assert.Contains("images", Worker.Names);
        Assert.DoesNotContain("images-vgg", Worker.Names);
        var data = Worker.Read("images");
        Assert.Equal((256, 256, 3, 20, 10), (data.Rows, data.Columns, data.Channels, data.Train.Count, data.Test.Count));
        Assert.Equal(["dots"], data.Styles.Keys);
        // The first square of c-d is its middle, from row 12 on; its red grows with rows, its green with columns.
        var pixels = data.Test.Pixels;
        Assert.Equal((Red(12), Green(0)), (pixels[0], pixels[1]));
        Assert.Equal((Red(27), Green(15)), (pixels[255 * 256 * 3 + 255 * 3], pixels[255 * 256 * 3 + 255 * 3 + 1]));
        // The fourth quarter is the lower right one.
        Assert.Equal((Red(20), Green(8)), (pixels[4 * data.ImageElements], pixels[4 * data.ImageElements + 1]));
    }

    [Fact]
    public async Task Weights_beside_the_pictures_make_another_dataset()
    {
        for (var i = 0; i < 3; i++) Save($"p{i}", 8, 8);
        Save("styles/s", 8, 8);
        await Fetch();
        var weights = new SafeTensors();
        weights.Add("features.0.bias", [1, 2], 2);
        File.WriteAllBytes(Path.Combine(Home.Data, "images", "vgg.safetensors"), weights.ToBytes());
        Assert.Contains("images-vgg", Worker.Names);
        var data = Worker.Read("images-vgg");
        Assert.Equal([1, 2], data.Features!["features.0.bias"]);
        Assert.Null(Worker.Read("images").Features);
        Assert.NotEqual(Worker.Read("images").Sha256, data.Sha256);
        File.WriteAllText(Path.Combine(Home.Data, "images", "vgg.safetensors"), "oh");
        Assert.Contains("vgg.safetensors", Assert.Throws<InvalidDataException>(() => Worker.Read("images-vgg")).Message);
    }

    [Fact]
    public async Task A_folder_with_too_little_is_refused()
    {
        Save("a", 8, 8);
        Save("b", 8, 8);
        Save("c", 8, 8);
        Assert.Contains("no style picture", (await Assert.ThrowsAsync<CommandException>(Fetch)).Message);
        Assert.False(Directory.Exists(Images.Folder(Home)));
        Assert.Contains("There is no folder", (await Assert.ThrowsAsync<CommandException>(
            () => Images.FetchAsync(Home, Path.Combine(folder, "missing"), said.Add, CancellationToken.None))).Message);
    }

    [Fact]
    public async Task Damaged_files_are_refused_by_the_worker()
    {
        for (var i = 0; i < 3; i++) Save($"p{i}", 8, 8);
        Save("styles/s", 8, 8);
        await Fetch();
        var bytes = File.ReadAllBytes(Pictures);
        bytes[1000] ^= 1;
        File.WriteAllBytes(Pictures, bytes);
        Assert.Contains("is not the file that index.json describes",
            Assert.Throws<InvalidDataException>(() => Worker.Read("images")).Message);
        var index = Path.Combine(Home.Data, "images", "index.json");
        foreach (var content in new[] { "", "null", "{}", "[1]",
            "{\"bytes\":1,\"sha256\":\"\",\"pictures\":[{\"name\":\"a\"},{\"name\":\"a\"}]}" })
        {
            File.WriteAllText(index, content);
            Assert.Contains("is not an index", Assert.Throws<InvalidDataException>(() => Worker.Read("images")).Message);
        }
        File.Delete(index);
        Assert.DoesNotContain("images", Worker.Names);
        Assert.Throws<FileNotFoundException>(() => Worker.Read("images"));
    }

    [Fact]
    public void A_text_is_copied_and_read_and_the_grammar_is_always_there()
    {
        Assert.Equal((true, false), (Worker.Names.Contains("grammar"), Worker.Names.Contains("text")));
        Assert.Equal("grammar", Worker.Read("grammar").Name);
        Assert.Throws<FileNotFoundException>(() => Worker.Read("text"));
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "source")).FullName, "mine.txt");
        Assert.Contains("no file", Assert.Throws<CommandException>(() => TextData.Fetch(Home, file)).Message);
        Assert.Contains("--from", Assert.Throws<CommandException>(() => TextData.Fetch(Home, null)).Message);
        File.WriteAllText(file, "too short");
        Assert.Contains("9 bytes", Assert.Throws<CommandException>(() => TextData.Fetch(Home, file)).Message);
        File.WriteAllText(file, string.Concat(Enumerable.Repeat("To be, or not.\n", 1000)));
        TextData.Fetch(Home, file);
        Assert.Contains("text", Worker.Names);
        var text = Worker.Read("text");
        Assert.Equal((13_500, 1_500, 32), (text.Train.Count, text.Test.Count, text.Classes));
        Assert.Equal("to be, or not. to", Encoding.ASCII.GetString(text.Train.Pixels.AsSpan(0, 17)));
        File.WriteAllText(TextData.Path(Home), "x");
        Assert.Contains("1 characters", Assert.Throws<InvalidDataException>(() => Worker.Read("text")).Message);
    }

    static byte Red(int row) => (byte)(5 * row);

    static byte Green(int column) => (byte)(255 - 5 * column);

    void Save(string name, int columns, int rows, bool blank = false)
    {
        var path = Path.Combine(folder, "source", $"{name}.png");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var pixels = Enumerable.Range(0, rows * columns)
            .SelectMany(i => blank ? [90, 10, 10] : new byte[] { Red(i / columns), Green(i % columns), 7 });
        File.WriteAllBytes(path, new Picture(rows, columns, [.. pixels]).ToPng());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}

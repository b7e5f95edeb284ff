using System.Diagnostics;

namespace MetaOpt.Tidy.Tests;

/// <summary>The files of the checkout that git knows or does not ignore.</summary>
static class Checkout
{
    public static string Folder { get; } = Find();

    /// <summary>
    /// Paths relative to <see cref="Folder"/> that end in one of <paramref name="endings"/>. Migrations apart: the tool writes
    /// them, and a released one never changes.
    /// </summary>
    public static IEnumerable<string> Files(params string[] endings) => s_files.Value
        .Where(f => endings.Any(e => f.EndsWith(e, StringComparison.Ordinal)))
        .Where(f => !f.Contains("/Migrations/", StringComparison.Ordinal) && !f.Contains("/Sql/0", StringComparison.Ordinal));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Folder, file));

    static readonly Lazy<string[]> s_files = new(List);

    static string[] List()
    {
        using var git =
            Process.Start(new ProcessStartInfo("git", ["-C", Folder, "ls-files", "--cached", "--others", "--exclude-standard"])
            {
                RedirectStandardOutput = true,
            })!;
        var files = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return [.. files.Where(f => File.Exists(Path.Combine(Folder, f)))];
    }

    static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MetaOpt.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("Not in a checkout.");
        return folder.FullName;
    }
}

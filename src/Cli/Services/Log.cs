namespace MetaOpt.Cli.Services;

/// <summary>Log files: appended to, kept small, read from their end.</summary>
public static class Log
{
    const long LargestBytes = 10 << 20;

    /// <summary>
    /// Opens <paramref name="file"/> for appending; a large one first becomes <c>FILE.1</c>. Safe for several threads.
    /// </summary>
    public static TextWriter Open(string file)
    {
        if (File.Exists(file) && new FileInfo(file).Length > LargestBytes)
            File.Move(file, $"{file}.1", overwrite: true);
        // For its owner only: the first start prints a token.
        var stream = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        return TextWriter.Synchronized(new StreamWriter(stream) { AutoFlush = true });
    }

    /// <summary>The last <paramref name="count"/> lines; none when there is no file.</summary>
    public static IReadOnlyList<string> Tail(string file, int count) =>
        File.Exists(file) ? [.. ReadLines(file).TakeLast(count)] : [];

    /// <summary>Writes what is appended to the <paramref name="files"/> from now on, until cancelled.</summary>
    public static async Task FollowAsync(IReadOnlyDictionary<string, string> files, Action<string, string> write,
        CancellationToken cancel)
    {
        var places = files.ToDictionary(f => f.Key, f => File.Exists(f.Value) ? new FileInfo(f.Value).Length : 0);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        while (await timer.WaitForNextTickAsync(cancel))
            foreach (var (name, file) in files)
                places[name] = WriteFrom(places[name], file, line => write(name, line));
    }

    static long WriteFrom(long place, string file, Action<string> write)
    {
        if (!File.Exists(file))
            return 0;
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        stream.Position = stream.Length < place ? 0 : place;
        var text = new StreamReader(stream).ReadToEnd();
        // Only whole lines: the rest comes with the next look.
        var whole = text.LastIndexOf('\n') + 1;
        foreach (var line in text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries))
            write(line);
        return (stream.Length < place ? 0 : place) + System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(0, whole));
    }

    static IEnumerable<string> ReadLines(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}

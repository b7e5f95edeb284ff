namespace MetaOpt.Cli.Data;

/// <summary>The dataset <c>text</c>: a file of the operator's own, copied into the data folder.</summary>
public static class TextData
{
    const long Least = 10_000, Most = 16 << 20;

    /// <summary>Where it lies.</summary>
    public static string Path(Home home) => System.IO.Path.Combine(home.Data, "text", "text.txt");

    /// <summary>Copies <paramref name="from"/> there.</summary>
    /// <exception cref="CommandException">It is not there, too short or too long.</exception>
    public static void Fetch(Home home, string? from)
    {
        if (from is null) throw new CommandException("Say which text: ./metaopt data fetch text --from FILE");
        var file = new FileInfo(from);
        if (!file.Exists) throw new CommandException($"There is no file {from}.");
        if (file.Length is < Least or > Most)
            throw new CommandException($"{from} has {file.Length:N0} bytes; a text has {Least:N0} to {Most:N0}.");
        var target = Path(home);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
        var part = $"{target}.{System.IO.Path.GetRandomFileName()}.part";
        file.CopyTo(part, overwrite: true);
        File.Move(part, target, overwrite: true);
    }
}

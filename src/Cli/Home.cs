using MetaOpt.Storage.Embedded;

namespace MetaOpt.Cli;

/// <summary>
/// The user's data folder: <c>METAOPT_HOME</c>, else <c>XDG_DATA_HOME/metaopt</c>, else <c>~/.local/share/metaopt</c>.
/// </summary>
public sealed record Home(string Folder)
{
    /// <summary>The one the environment names.</summary>
    public static Home FromEnvironment() => new(EmbeddedOptions.FromEnvironment().DataFolder);

    /// <summary>Holds the first administrator's token; readable by its owner only.</summary>
    public string TokenFile => Path.Combine(Folder, "admin-token");

    /// <summary>The file of <c>metaopt login</c>; readable by its owner only.</summary>
    public string LoginFile => Path.Combine(Folder, "login");

    /// <summary>Datasets, one folder each.</summary>
    public string Data => Path.Combine(Folder, "data");

    /// <summary>One file a process.</summary>
    public string Logs => Path.Combine(Folder, "logs");

    /// <summary>Process ids and the address of what runs in the background.</summary>
    public string Run => Path.Combine(Folder, "run");

    /// <summary>Holds the address of the server that <c>metaopt up</c> started; absent when none is up.</summary>
    public string AddressFile => Path.Combine(Run, "address");

    /// <summary>Address of the server that <c>metaopt up</c> started; null when none is up.</summary>
    public Uri? Address => Read(AddressFile) is { Length: > 0 } address ? new(address) : null;

    /// <summary>The first administrator's token; null when there is no file with it.</summary>
    public string? Token => Read(TokenFile);

    /// <summary>The file that holds the process id of <paramref name="name"/>.</summary>
    public string PidFile(string name) => Path.Combine(Run, $"{name}.pid");

    /// <summary>Where <paramref name="name"/> writes what it has to say.</summary>
    public string LogFile(string name) => Path.Combine(Logs, $"{name}.log");

    /// <summary>
    /// A file's text without white space around it; null when there is no such file, also when it goes at this moment.
    /// </summary>
    static string? Read(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Makes the folders that are missing.</summary>
    public Home Prepare()
    {
        Directory.CreateDirectory(Folder);
        Directory.CreateDirectory(Logs);
        Directory.CreateDirectory(Run);
        return this;
    }
}

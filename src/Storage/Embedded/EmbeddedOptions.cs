namespace MetaOpt.Storage.Embedded;

/// <summary>Where the private PostgreSQL lives and how it is set up.</summary>
public sealed record EmbeddedOptions
{
    /// <summary>The data folder; the cluster goes to <c>postgres/&lt;major&gt;</c> in it.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Folder with <c>initdb</c>, <c>pg_ctl</c> and <c>postgres</c>; null looks for one.</summary>
    public string? Binaries { get; init; }

    /// <summary>Database that is created in the cluster and named in the connection string.</summary>
    public string Database { get; init; } = "metaopt";

    /// <summary>Further settings of the server, applied at its next start; they win over the defaults.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// How long a start waits for a server that holds the folder and does not listen: one that is starting or ending.
    /// </summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// <c>METAOPT_HOME</c>, else <c>XDG_DATA_HOME/metaopt</c>, else <c>~/.local/share/metaopt</c>; binaries of
    /// <c>METAOPT_PG_BIN</c>.
    /// </summary>
    public static EmbeddedOptions FromEnvironment() => new()
    {
        DataFolder = Value("METAOPT_HOME")
            ?? Path.Combine(Value("XDG_DATA_HOME") ?? Path.Combine(Value("HOME") ?? "/", ".local/share"), "metaopt"),
        Binaries = Value("METAOPT_PG_BIN"),
    };

    static string? Value(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}

/// <summary>The private PostgreSQL cannot be had, or cannot do what was asked; the message says what to do.</summary>
public sealed class EmbeddedPostgresException(string message) : Exception(message);

/// <summary>The state of a data folder's cluster.</summary>
/// <param name="State">Whether it runs.</param>
/// <param name="ProcessId">The server's process id here; null when it does not run or its container cannot be seen from
/// here.</param>
/// <param name="Where">Host or container that it runs in, for messages; null when it does not run.</param>
/// <param name="Folder">Holds the cluster, its log, its password and its socket.</param>
/// <param name="Binaries">Folder of the programs.</param>
/// <param name="Version">Of the binaries, for example 15.18.</param>
/// <param name="Account">Who the server runs as; null is the caller.</param>
public sealed record EmbeddedStatus(
    EmbeddedState State, int? ProcessId, string? Where, string Folder, string Binaries, string Version, string? Account)
{
    /// <summary>One line for people: <c>running (process 42)</c>.</summary>
    public string Describe() => State switch
    {
        EmbeddedState.Running => ProcessId is { } process ? $"running (process {process})" : $"running {Where}",
        EmbeddedState.Busy => $"starting or ending {Where}",
        EmbeddedState.Crashed => "crashed",
        EmbeddedState.Stopped => "stopped",
        _ => "not created yet",
    };
}

/// <summary>Where a cluster stands.</summary>
public enum EmbeddedState
{
    /// <summary>Before the first start.</summary>
    NotCreated,

    /// <summary>Stopped on purpose.</summary>
    Stopped,

    /// <summary>Started and not stopped, but it does not run.</summary>
    Crashed,

    /// <summary>Processes of the server exist; it does not take connections, or not any more.</summary>
    Busy,

    /// <summary>It takes connections.</summary>
    Running,
}

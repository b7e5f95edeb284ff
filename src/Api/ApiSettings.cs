using System.Globalization;
using System.Net;
using MetaOpt.Api.Background;
using MetaOpt.Api.Notifications;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;

namespace MetaOpt.Api;

/// <summary>Settings of an operator, from environment or command line; checked at start, a sentence for each rule.</summary>
/// <param name="Database">Npgsql's connection string; null starts the private PostgreSQL.</param>
/// <param name="Home">The data folder: the first token is written there.</param>
/// <param name="MaxRunBytes">Largest predicted memory of a run.</param>
/// <param name="MaxRunSeconds">Longest predicted time of a run.</param>
/// <param name="MaxRequestsPerSecond">Of one user, kept up; a burst may be five times as many.</param>
/// <param name="JsonLog">Log lines are JSON documents, for programs.</param>
/// <param name="Migrates">Brings the database to this program's schema at start; else a step of its own does (<c>metaopt-api
/// migrate</c>).</param>
/// <param name="Proxies">Whose word on the caller's address and scheme is taken.</param>
public sealed record ApiSettings(string? Database, string Home, long MaxRunBytes, double MaxRunSeconds, int MaxRequestsPerSecond,
    bool JsonLog, bool Migrates,
    IReadOnlyList<IPNetwork> Proxies)
{
    /// <summary>For how long what ended runs left is kept.</summary>
    public RetentionPeriods Retention { get; private init; } = new(null, null, null, null);

    /// <summary>Backups of the private database; null: none are made.</summary>
    public BackupSettings? Backups { get; private init; }

    /// <summary>Where notifications may go.</summary>
    public NotificationSettings Notifications { get; private init; } = new(new(), null, []);

    /// <summary>Largest request body.</summary>
    public const int MaxBodyBytes = 256 * 1024;

    /// <summary>Reads and checks the settings, and fills in the address to listen on.</summary>
    /// <exception cref="InvalidOperationException">A setting is wrong; the message says which and how.</exception>
    public static ApiSettings Read(IConfiguration configuration)
    {
        var proxies = ListenSettings.Apply(configuration);
        return new(
            DatabaseUrl.Read(configuration[DatabaseUrl.Variable]),
            HomeOf(configuration),
            (long)Number(configuration, "METAOPT_MAX_RUN_BYTES", 8L << 30),
            Number(configuration, "METAOPT_MAX_RUN_SECONDS", 7 * 24 * 3600),
            (int)Math.Clamp(Number(configuration, "METAOPT_MAX_REQUESTS_PER_SECOND", 200), 1, 1_000_000),
            configuration["METAOPT_LOG"] switch
            {
                null or "" or "text" => false,
                "json" => true,
                var other => throw new InvalidOperationException($"METAOPT_LOG is \"{other}\"; it must be text or json."),
            },
            configuration["METAOPT_MIGRATE"] is not "0",
            proxies)
        {
            Retention = new(Days(configuration, "METAOPT_KEEP_RESUME_POINTS_DAYS", 30),
                Days(configuration, "METAOPT_KEEP_LOGS_DAYS", 90),
                Days(configuration, "METAOPT_KEEP_SERIES_DAYS", null),
                Days(configuration, "METAOPT_KEEP_CHECKPOINTS_DAYS", null)),
            Notifications = NotificationSettings.Read(configuration),
            Backups = Days(configuration, "METAOPT_BACKUP_DAYS", null) is { } kept
                ? new(configuration["METAOPT_BACKUP_FOLDER"] is { Length: > 0 } folder ? folder
                : Path.Combine(HomeOf(configuration), "backups"), kept)
                : null,
        };
    }

    static string HomeOf(IConfiguration configuration) =>
        configuration["METAOPT_HOME"] is { Length: > 0 } home ? home : EmbeddedOptions.FromEnvironment().DataFolder;

    /// <summary>Null, and "ever": for ever.</summary>
    static TimeSpan? Days(IConfiguration configuration, string name, double? fallback) => configuration[name] switch
    {
        null or "" => fallback is { } days ? TimeSpan.FromDays(days) : null,
        "ever" => null,
        var text when double.TryParse(text, CultureInfo.InvariantCulture, out var value) && value is > 0 and <= 100_000 =>
            TimeSpan.FromDays(value),
        var text => throw new InvalidOperationException(
            $"{name} is \"{text}\"; it must be a number of days above 0, or \"ever\"."),
    };

    static double Number(IConfiguration configuration, string name, double fallback) => configuration[name] switch
    {
        null or "" => fallback,
        var text when double.TryParse(text, CultureInfo.InvariantCulture, out var value) && value > 0 => value,
        var text => throw new InvalidOperationException($"{name} is \"{text}\"; it must be a number above 0."),
    };
}

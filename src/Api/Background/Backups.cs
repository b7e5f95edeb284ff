using System.Globalization;
using Hangfire;
using MetaOpt.Storage.Embedded;
using Npgsql;

namespace MetaOpt.Api.Background;

/// <summary>
/// Backs the private database up once a day, where <c>METAOPT_BACKUP_DAYS</c> says for how many days backups are kept. A database
/// of the operator's own is backed up by the operator: the API's role may not create the scratch database that verifies a backup.
/// </summary>
public sealed class Backups(ApiSettings settings, NpgsqlDataSource database, ILogger<Backups> log)
{
    const string Prefix = "metaopt-", Suffix = ".dump", Stamp = "yyyyMMdd-HHmmss";

    /// <summary>
    /// Writes a backup, verifies it by a restore, and deletes those past their days; the last one always stays.
    /// </summary>
    [AutomaticRetry(Attempts = 2, DelaysInSeconds = [300, 3600])]
    public async Task BackUpAsync(CancellationToken cancel)
    {
        if (settings.Backups is not { } kept) return;
        var options = EmbeddedOptions.FromEnvironment() with { DataFolder = settings.Home };
        if (!await EmbeddedPostgres.IsReachedByAsync(options, database.ConnectionString, cancel)) return;
        Directory.CreateDirectory(kept.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var now = DateTimeOffset.UtcNow;
        var file = Path.Combine(kept.Folder, Prefix + now.ToString(Stamp, CultureInfo.InvariantCulture) + Suffix);
        var runs = await EmbeddedPostgres.BackupVerifiedAsync(options, file, cancel);
        log.LogInformation("Backup of {Runs} runs written to {File} and verified", runs, file);
        foreach (var old in Directory.EnumerateFiles(kept.Folder, $"{Prefix}*{Suffix}")
            .Where(f => f != file && TimeOf(f) < now - kept.For)) File.Delete(old);
    }

    /// <summary>Null for a file that is none of ours.</summary>
    static DateTimeOffset? TimeOf(string file) => DateTimeOffset.TryParseExact(
        Path.GetFileName(file)[Prefix.Length..^Suffix.Length], Stamp, CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal, out var time) ? time : null;
}

/// <summary>Where backups are kept, and for how long.</summary>
/// <param name="Folder">Open to its owner only.</param>
/// <param name="For">Older ones are deleted.</param>
public sealed record BackupSettings(string Folder, TimeSpan For);

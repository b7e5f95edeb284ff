using Hangfire;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Storage.Embedded;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Embedded.EmbeddedPostgresTests;

namespace MetaOpt.Service.Tests.Background;

/// <summary>The private database is backed up by a recurring job; only what can be restored counts.</summary>
public class BackupsTests
{
    [Fact]
    public async Task A_backup_is_written_verified_and_kept_for_so_many_days()
    {
        var api = new ApiFixture();
        var options = NewOptions() with { DataFolder = api.Home };
        var database = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var folder = TestFolders.New("kept");
        await api.StartAsync(database, 0, "--METAOPT_BACKUP_DAYS=7", $"--METAOPT_BACKUP_FOLDER={folder}");
        foreach (var days in new[] { 6, 8, 30 })
            await File.WriteAllTextAsync(
                Path.Combine(folder, $"metaopt-{DateTimeOffset.UtcNow.AddDays(-days):yyyyMMdd-HHmmss}.dump"), "old");
        await File.WriteAllTextAsync(Path.Combine(folder, "metaopt-mine.dump"), "not ours");
        var run = await api.SubmitAsync();

        await BackgroundTests.RecurringAsync(api, "backup");
        await BackgroundTests.DoneAsync(api, api.App.Services.GetRequiredService<IRecurringJobManagerV2>().TriggerJob("backup"));

        var kept = Directory.GetFiles(folder).Select(Path.GetFileName).Order().ToList();
        Assert.Equal(3, kept.Count);
        Assert.Contains("metaopt-mine.dump", kept);
        var backup = Path.Combine(folder, kept.Single(f => new FileInfo(Path.Combine(folder, f!)).Length > 100)!);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(backup));
        Assert.Equal(false, await AskAsync(database, "select exists (select from pg_database where datname like '%verifying%')"));
        await api.DisposeAsync();

        var elsewhere = NewOptions();
        await EmbeddedPostgres.RestoreAsync(elsewhere, backup, replace: false, default);
        var restored = await EmbeddedPostgres.EnsureStartedAsync(elsewhere, default);
        Assert.Equal(1L, await AskAsync(restored, $"select count(*) from runs where id = '{run}'"));
        // Hangfire's jobs come along: the schema is there, and the next start brings it up to date.
        Assert.Equal(true, await AskAsync(restored, "select exists (select from hangfire.job)"));
    }

    [Fact]
    public async Task A_backup_that_cannot_be_restored_gets_no_name()
    {
        var options = NewOptions();
        var database = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        // A database without the service's tables: what is restored holds no runs to count.
        await AskAsync(database, "create table other (x int)");
        var file = Path.Combine(TestFolders.New("kept"), "metaopt.dump");
        await Assert.ThrowsAsync<PostgresException>(() => EmbeddedPostgres.BackupVerifiedAsync(options, file, default));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(file)!));
        Assert.Equal(false, await AskAsync(database, "select exists (select from pg_database where datname like '%verifying%')"));
    }

    [Fact]
    public async Task A_database_of_the_operators_own_is_left_alone()
    {
        var options = NewOptions();
        await EmbeddedPostgres.EnsureStartedAsync(options, default);
        Assert.False(await EmbeddedPostgres.IsReachedByAsync(options, "Host=127.0.0.1;Database=metaopt", default));
        Assert.False(await EmbeddedPostgres.IsReachedByAsync(NewOptions(), "Host=127.0.0.1;Database=metaopt", default));
    }
}

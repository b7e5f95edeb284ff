using MetaOpt.Storage.Embedded;
using Npgsql;
using Xunit;
using static MetaOpt.Service.Tests.Embedded.EmbeddedPostgresTests;

namespace MetaOpt.Service.Tests.Embedded;

public class BackupTests
{
    [Fact]
    public async Task A_backup_brings_back_what_was_there_also_under_open_connections()
    {
        var options = NewOptions();
        var file = Path.Combine(TestFolders.New("backup"), "file");
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        await AskAsync(connection, "create table kept (x int primary key); insert into kept select generate_series(1, 1000)");
        await EmbeddedPostgres.BackupAsync(options, file, default);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        await AskAsync(connection, "delete from kept; create table later (x int)");

        await using var source = NpgsqlDataSource.Create(connection);
        await using var open = await source.OpenConnectionAsync();
        var refused =
            await Assert.ThrowsAsync<EmbeddedPostgresException>(
                () => EmbeddedPostgres.RestoreAsync(options, file, replace: false, default));
        Assert.Contains("--yes", refused.Message);
        Assert.Equal(0L, await AskAsync(connection, "select count(*) from kept"));

        await EmbeddedPostgres.RestoreAsync(options, file, replace: true, default);
        Assert.Equal(500_500L, await AskAsync(connection, "select sum(x) from kept"));
        Assert.Equal(false, await AskAsync(connection, "select exists (select from pg_tables where tablename = 'later')"));
        await AskAsync(connection, "alter table kept add column y int; insert into kept values (0, 0)");
    }

    [Fact]
    public async Task A_backup_is_restored_in_an_empty_data_folder_without_asking()
    {
        var options = NewOptions();
        var file = Path.Combine(TestFolders.New("backup"), "file");
        await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default),
            "create table kept (x int); insert into kept values (7)");
        await EmbeddedPostgres.BackupAsync(options, file, default);
        await EmbeddedPostgres.StopAsync(options, default);

        var elsewhere = NewOptions();
        await EmbeddedPostgres.RestoreAsync(elsewhere, file, replace: false, default);
        Assert.Equal(7, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(elsewhere, default), "select x from kept"));
    }

    [Fact]
    public async Task A_broken_backup_leaves_the_database_as_it_was()
    {
        var options = NewOptions();
        var file = Path.Combine(TestFolders.New("backup"), "file");
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        await AskAsync(connection, "create table kept (x int); insert into kept values (7)");
        await EmbeddedPostgres.BackupAsync(options, file, default);
        await using (var half = File.OpenWrite(file))
            half.SetLength(half.Length / 2);

        await Assert.ThrowsAsync<EmbeddedPostgresException>(
            () => EmbeddedPostgres.RestoreAsync(options, file, replace: true, default));
        Assert.Equal(7, await AskAsync(connection, "select x from kept"));
    }

    [Fact]
    public async Task A_file_that_is_no_backup_is_refused_and_none_is_overwritten()
    {
        var options = NewOptions();
        await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var file = Path.Combine(TestFolders.New("backup"), "file");
        await File.WriteAllTextAsync(file, "hello");
        var error = await Assert.ThrowsAsync<EmbeddedPostgresException>(
            () => EmbeddedPostgres.RestoreAsync(options, file, replace: true, default));
        Assert.Contains("is no backup", error.Message);
        error = await Assert.ThrowsAsync<EmbeddedPostgresException>(() => EmbeddedPostgres.BackupAsync(options, file, default));
        Assert.Contains("exists already", error.Message);
        Assert.Equal("hello", await File.ReadAllTextAsync(file));
    }
}

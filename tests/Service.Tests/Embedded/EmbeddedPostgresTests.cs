using System.Diagnostics;
using MetaOpt.Storage.Embedded;
using Npgsql;
using Xunit;

namespace MetaOpt.Service.Tests.Embedded;

public class EmbeddedPostgresTests
{
    /// <summary>A cluster of the test's own, of the binaries that the environment names.</summary>
    public static EmbeddedOptions NewOptions(string name = "embedded") => EmbeddedOptions.FromEnvironment() with
    {
        DataFolder = TestFolders.New(name),
        Settings = new Dictionary<string, string> { ["fsync"] = "off" },
    };

    public static async Task<object?> AskAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    static async Task<int> ProcessIdAsync(EmbeddedOptions options) =>
        (await EmbeddedPostgres.StatusAsync(options, default)).ProcessId
            ?? throw new InvalidOperationException("The server does not run.");

    [Fact]
    public async Task The_second_start_reuses_the_running_server()
    {
        var options = NewOptions();
        var first = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var process = await ProcessIdAsync(options);
        Assert.Equal(first, await EmbeddedPostgres.EnsureStartedAsync(options, default));
        Assert.Equal(process, await ProcessIdAsync(options));
    }

    [Fact]
    public async Task Stopping_ends_the_server_and_keeps_the_data()
    {
        var options = NewOptions();
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        await AskAsync(connection, "create table kept (x int); insert into kept values (7)");

        Assert.True(await EmbeddedPostgres.StopAsync(options, default));
        Assert.Null((await EmbeddedPostgres.StatusAsync(options, default)).ProcessId);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => AskAsync(connection, "select 1"));
        Assert.False(await EmbeddedPostgres.StopAsync(options, default));

        Assert.Equal(7, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select x from kept"));
    }

    [Fact]
    public async Task Starters_in_several_processes_at_once_get_one_server()
    {
        var options = NewOptions();
        var starters = Enumerable.Range(0, 3).Select(_ =>
        {
            var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "metaopt-cli.dll"), "db", "start"])
            {
                RedirectStandardOutput = true,
            };
            start.Environment["METAOPT_HOME"] = options.DataFolder;
            start.Environment.Remove("METAOPT_DATABASE_URL");
            return Process.Start(start)!;
        }).ToArray();
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);

        var state = $"running (process {await ProcessIdAsync(options)})";
        foreach (var starter in starters)
        {
            Assert.Contains(state, await starter.StandardOutput.ReadToEndAsync());
            await starter.WaitForExitAsync();
            Assert.Equal(0, starter.ExitCode);
        }
        Assert.Equal(1, await AskAsync(connection, "select 1"));
    }

    [Fact]
    public async Task A_killed_server_comes_back_with_all_that_was_committed()
    {
        var options = NewOptions();
        await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default),
            "create table kept (x int); insert into kept values (7)");
        using (var server = Process.GetProcessById(await ProcessIdAsync(options)))
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
        Assert.Equal(7, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select x from kept"));
    }

    [Fact]
    public async Task A_pid_file_that_names_another_process_does_not_stand_in_the_way()
    {
        var options = NewOptions();
        await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var pidFile = Path.Combine((await EmbeddedPostgres.StatusAsync(options, default)).Folder, "cluster/postmaster.pid");
        var lines = await File.ReadAllLinesAsync(pidFile);
        await EmbeddedPostgres.StopAsync(options, default);
        await File.WriteAllLinesAsync(pidFile, [Environment.ProcessId.ToString(), .. lines[1..]]);

        Assert.Null((await EmbeddedPostgres.StatusAsync(options, default)).ProcessId);
        Assert.Equal(1, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select 1"));
    }

    [Fact]
    public async Task Nobody_else_can_reach_the_server_and_it_is_not_root()
    {
        var options = NewOptions();
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var status = await EmbeddedPostgres.StatusAsync(options, default);
        Assert.Equal("", await AskAsync(connection, "show listen_addresses"));
        Assert.Equal("on", await AskAsync(connection, "show data_checksums"));
        Assert.Equal("off", await AskAsync(connection, "show is_superuser"));
        var owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(owner | UnixFileMode.UserExecute, File.GetUnixFileMode(new NpgsqlConnectionStringBuilder(connection).Host!));
        Assert.Equal(owner | UnixFileMode.UserExecute, File.GetUnixFileMode(status.Folder));
        Assert.Equal(owner, File.GetUnixFileMode(Path.Combine(status.Folder, "password")));
        var user = (await File.ReadAllLinesAsync($"/proc/{status.ProcessId}/status"))
            .Single(l => l.StartsWith("Uid:", StringComparison.Ordinal));
        Assert.NotEqual("0", user.Split('\t')[1]);
        var wrong = new NpgsqlConnectionStringBuilder(connection) { Password = "guessed" }.ConnectionString;
        Assert.Equal("28P01", (await Assert.ThrowsAsync<PostgresException>(() => AskAsync(wrong, "select 1"))).SqlState);
    }

    [Fact]
    public async Task A_data_folder_with_a_long_path_works()
    {
        var options = NewOptions(new string('x', 120));
        Assert.Equal(1, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select 1"));
        await EmbeddedPostgres.StopAsync(options, default);
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        Assert.Equal(1, await AskAsync(connection, "select 1"));
        await EmbeddedPostgres.StopAsync(options, default);
        Assert.False(Directory.Exists(new NpgsqlConnectionStringBuilder(connection).Host));
    }

    [Fact]
    public async Task Root_keeps_the_cluster_outside_a_folder_that_the_server_cannot_enter()
    {
        if (!Environment.IsPrivilegedProcess)
            return;
        var options = NewOptions();
        File.SetUnixFileMode(options.DataFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var outside = "/var/lib/metaopt/" + options.DataFolder.Trim('/').Replace('/', '-');
        try
        {
            Assert.Equal(1, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select 1"));
            Assert.StartsWith(outside + "/", (await EmbeddedPostgres.StatusAsync(options, default)).Folder);
        }
        finally
        {
            await EmbeddedPostgres.StopAsync(options, default);
            Directory.Delete(outside, recursive: true);
        }
    }

    [Fact]
    public async Task Data_of_another_major_version_is_refused()
    {
        var options = NewOptions();
        Directory.CreateDirectory(Path.Combine(options.DataFolder, "postgres/99/cluster"));
        var error = await Assert.ThrowsAsync<EmbeddedPostgresException>(
            () => EmbeddedPostgres.EnsureStartedAsync(options, default));
        Assert.Contains("made by PostgreSQL 99", error.Message);
        Assert.Contains("postgresql-99", error.Message);
    }

    [Fact]
    public async Task A_folder_without_the_programs_is_refused_by_name()
    {
        var options = NewOptions() with { Binaries = "/etc" };
        var error = await Assert.ThrowsAsync<EmbeddedPostgresException>(
            () => EmbeddedPostgres.EnsureStartedAsync(options, default));
        Assert.Contains("METAOPT_PG_BIN is '/etc'", error.Message);
    }
}

using System.Diagnostics;
using MetaOpt.Service.Tests.Workers;
using MetaOpt.Storage.Embedded;
using Xunit;
using static MetaOpt.Service.Tests.Embedded.EmbeddedPostgresTests;

namespace MetaOpt.Service.Tests.Embedded;

/// <summary>
/// Which server is the folder's own: also from another container, after a crash, and when process ids are given anew.
/// </summary>
public class ServerIdentityTests
{
    const int SigKill = 9, SigStop = 19;

    /// <summary>
    /// As in a container of its own that shares the data folder: neither processes nor shared memory are seen from there.
    /// </summary>
    static async Task<(int ExitCode, string Output)> InOtherContainerAsync(EmbeddedOptions options, params string[] arguments)
    {
        var start = new ProcessStartInfo(TestNamespaces.Container[0], [.. TestNamespaces.Container.Skip(1),
            "dotnet", Path.Combine(AppContext.BaseDirectory, "metaopt-cli.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["METAOPT_HOME"] = options.DataFolder;
        start.Environment.Remove("METAOPT_DATABASE_URL");
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    [Fact]
    public async Task A_server_of_another_container_is_used_and_neither_doubled_nor_stopped()
    {
        if (!await TestNamespaces.WorkAsync(TestNamespaces.Container)) return;
        var options = NewOptions();
        var connection = await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var started = await AskAsync(connection, "select pg_postmaster_start_time()");

        var (startCode, startOutput) = await InOtherContainerAsync(options, "db", "start");
        Assert.True(startCode == 0, startOutput);
        Assert.Contains("in another container", startOutput);
        var (stopCode, stopOutput) = await InOtherContainerAsync(options, "db", "stop");
        Assert.Equal(1, stopCode);
        Assert.Contains("Stop it there", stopOutput);

        Assert.Equal(started, await AskAsync(connection, "select pg_postmaster_start_time()"));
        Assert.True(
            File.Exists(Path.Combine((await EmbeddedPostgres.StatusAsync(options, default)).Folder, "cluster/postmaster.pid")));
        Assert.True(await EmbeddedPostgres.StopAsync(options, default));
    }

    [Fact]
    public async Task A_killed_servers_id_does_not_mean_the_server_that_has_it_now()
    {
        var (options, others) = (NewOptions(), NewOptions());
        await EmbeddedPostgres.EnsureStartedAsync(options, default);
        var other = await EmbeddedPostgres.EnsureStartedAsync(others, default);
        await KillAsync(options);
        var (folder, otherStatus) = ((await EmbeddedPostgres.StatusAsync(options, default)).Folder,
            await EmbeddedPostgres.StatusAsync(others, default));
        var pidFile = Path.Combine(folder, "cluster/postmaster.pid");
        await File.WriteAllLinesAsync(pidFile, [$"{otherStatus.ProcessId}", .. (await File.ReadAllLinesAsync(pidFile))[1..]]);
        // A copied data folder names the other one's socket too.
        File.Copy(Path.Combine(otherStatus.Folder, "server.json"), Path.Combine(folder, "server.json"), overwrite: true);

        Assert.Equal(EmbeddedState.Crashed, (await EmbeddedPostgres.StatusAsync(options, default)).State);
        Assert.False(await EmbeddedPostgres.StopAsync(options, default));
        Assert.Equal(1, await AskAsync(other, "select 1"));
        Assert.Equal(1, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select 1"));
    }

    [Fact]
    public async Task A_crashed_server_counts_as_crashed_until_a_start_succeeds()
    {
        var options = NewOptions();
        await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default),
            "create table kept (x int); insert into kept values (7)");
        var server = (await EmbeddedPostgres.StatusAsync(options, default)).ProcessId;
        var child = int.Parse((await File.ReadAllTextAsync($"/proc/{server}/task/{server}/children")).Split(' ')[0]);
        WorkerProcess.SignalProcess(child, SigStop);
        try
        {
            await KillAsync(options);
            // One of its children has not noticed yet: a second server would write to the same files.
            var tooSoon = await Assert.ThrowsAsync<EmbeddedPostgresException>(
                () => EmbeddedPostgres.EnsureStartedAsync(options with { Patience = TimeSpan.Zero }, default));
            Assert.Contains("on this machine", tooSoon.Message);
            Assert.Equal(EmbeddedState.Busy, (await EmbeddedPostgres.StatusAsync(options, default)).State);
        }
        finally
        {
            WorkerProcess.SignalProcess(child, SigKill);
        }
        var wrong = options with { Settings = new Dictionary<string, string> { ["shared_buffers"] = "much" } };
        var failed =
            await Assert.ThrowsAsync<EmbeddedPostgresException>(() => EmbeddedPostgres.EnsureStartedAsync(wrong, default));
        Assert.Contains("shared_buffers", failed.Message);
        Assert.Equal(EmbeddedState.Crashed, (await EmbeddedPostgres.StatusAsync(options, default)).State);

        Assert.Equal(7, await AskAsync(await EmbeddedPostgres.EnsureStartedAsync(options, default), "select x from kept"));
        await EmbeddedPostgres.StopAsync(options, default);
        Assert.Equal(EmbeddedState.Stopped, (await EmbeddedPostgres.StatusAsync(options, default)).State);
    }

    static async Task KillAsync(EmbeddedOptions options)
    {
        using var server = Process.GetProcessById((await EmbeddedPostgres.StatusAsync(options, default)).ProcessId!.Value);
        server.Kill();
        await server.WaitForExitAsync();
    }
}

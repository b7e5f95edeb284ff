using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Services;
using MetaOpt.Service.Tests.Workers;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>Services that <c>up</c> started, on a machine whose proxy answers nothing.</summary>
public class UpFixture : IAsyncLifetime
{
    readonly string[] _options = [];
    readonly TcpListener _proxy = new(IPAddress.Loopback, 0);
    string _database = "";

    public UpFixture() { }

    protected UpFixture(params string[] options) => _options = options;

    public string Home { get; } = TestFolders.New("up");

    public string Up { get; private set; } = "";

    /// <summary>Whether anybody asked the proxy; it leaves them waiting.</summary>
    public bool ProxyWasAsked => _proxy.Pending();

    public async Task InitializeAsync()
    {
        _proxy.Start();
        _database = await PostgresFixture.CreateDatabaseAsync();
        var (code, output) = await RunAsync(["up", "--port", $"{LocalServices.FreePort()}", .. _options]);
        Assert.True(code == 0, output);
        Up = output;
    }

    public ProcessStartInfo Command(params string[] words)
    {
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Home,
        };
        start.Environment["METAOPT_HOME"] = Home;
        start.Environment["METAOPT_DATABASE_URL"] = _database;
        foreach (var name in (string[])["METAOPT_URL", "METAOPT_TOKEN", "NO_PROXY"]) start.Environment.Remove(name);
        start.Environment["no_proxy"] = "";
        foreach (var name in (string[])["http_proxy", "all_proxy"]) start.Environment[name] = $"http://{_proxy.LocalEndpoint}";
        return start;
    }

    public static string Program { get; } = typeof(ApiClient).Assembly.Location;

    public Task<(int Code, string Output)> RunAsync(params string[] arguments) => RunAsync(Array.Empty<string>(), arguments);

    public async Task<(int Code, string Output)> RunAsync(IReadOnlyList<string> prefix, params string[] arguments)
    {
        using var process = Process.Start(Command([.. prefix, "dotnet", Program, .. arguments]))!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync() + await errors;
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    public async Task DisposeAsync()
    {
        await RunAsync("down");
        _proxy.Dispose();
    }
}

/// <summary>Commands for services in the background, as a shell sees them.</summary>
public sealed class UpTests(UpFixture up) : IClassFixture<UpFixture>
{
    const string Training = Api.ApiFixture.Training;

    [Fact]
    public async Task Loopback_is_never_asked_through_a_proxy()
    {
        Assert.Contains("ready", up.Up, StringComparison.Ordinal);
        foreach (var command in (string[])["status", "runs", "whoami"])
        {
            var (code, output) = await up.RunAsync(command);
            Assert.True(code == 0, output);
        }
        Assert.False(up.ProxyWasAsked);
    }

    [Fact]
    public async Task A_worker_over_libtorch_is_not_added_to_services_that_run()
    {
        var (code, output) = await up.RunAsync("up", "--torch");
        Assert.Equal(1, code);
        Assert.Contains("stop them first: ./metaopt down", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Services_of_another_container_are_seen_and_not_stopped_from_here()
    {
        if (!await TestNamespaces.WorkAsync(TestNamespaces.Container)) return;
        var (code, output) = await up.RunAsync(TestNamespaces.Container, "down");
        Assert.True(code == 1, output);
        Assert.Contains("in another container", output, StringComparison.Ordinal);
        (code, output) = await up.RunAsync("up");
        Assert.True(code == 0, output);
        Assert.Contains("Already up.", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("server-logs", "-f", "api")]
    [InlineData("server-logs", "-f", "supervisor")]
    public async Task What_prints_for_ever_ends_with_its_reader(params string[] arguments)
    {
        // The shell waits for both ends of the pipe, and the left one's status counts.
        var words = string.Join(' ', arguments);
        var line = $"timeout 600 dotnet '{UpFixture.Program}' {words} | head -n 1; exit ${{PIPESTATUS[0]}}";
        using var pipe = Process.Start(up.Command("bash", "-c", line))!;
        var output = await pipe.StandardOutput.ReadToEndAsync();
        await pipe.WaitForExitAsync();
        Assert.Equal((141, ""), (pipe.ExitCode, await pipe.StandardError.ReadToEndAsync()));
        Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Signals_end_a_command_without_a_word()
    {
        using var logs = Process.Start(up.Command("dotnet", UpFixture.Program, "server-logs", "-f", "api"))!;
        Assert.NotNull(await logs.StandardOutput.ReadLineAsync());
        // As timeout and a supervisor send them: more than one.
        while (!logs.HasExited)
        {
            WorkerProcess.SignalProcess(logs.Id, 15);
            await Task.Delay(1);
        }
        await logs.WaitForExitAsync();
        Assert.Equal((130, ""), (logs.ExitCode, await logs.StandardError.ReadToEndAsync()));
    }

    [Fact]
    public async Task A_byte_order_mark_before_a_document_is_no_part_of_it()
    {
        using var validate = Process.Start(up.Command("dotnet", UpFixture.Program, "validate", "-"))!;
        await validate.StandardInput.BaseStream.WriteAsync(
            (byte[])[.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(Training)]);
        validate.StandardInput.Close();
        var errors = validate.StandardError.ReadToEndAsync();
        await validate.StandardOutput.ReadToEndAsync();
        await validate.WaitForExitAsync();
        Assert.Equal((0, ""), (validate.ExitCode, await errors));
    }

    [Fact]
    public async Task An_ended_run_is_not_cancelled_again()
    {
        await File.WriteAllTextAsync(Path.Combine(up.Home, "run.json"), Training.Insert(1, "\"pool\":\"none\","));
        var id = (await up.RunAsync("submit", "run.json")).Output.Trim();
        Assert.Equal((0, "cancelled\n"), await up.RunAsync("cancel", id));
        var (code, output) = await up.RunAsync("cancel", id);
        Assert.Equal(1, code);
        Assert.Contains("409", output, StringComparison.Ordinal);
    }
}

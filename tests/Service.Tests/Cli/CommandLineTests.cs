using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MetaOpt.Cli.Client;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>The program as a shell sees it: what it prints and what it exits with.</summary>
public sealed class CommandLineTests : IDisposable
{
    readonly string home = Directory.CreateTempSubdirectory("metaopt-test-").FullName;

    [Theory]
    [InlineData(2, "frobnicate", "frobnicate")]
    [InlineData(2, "submit", "metaopt submit --help")]
    [InlineData(2, "demo imagenet", "imagenet")]
    [InlineData(2, "demo --seed x", "x")]
    [InlineData(2, "demo --seed -1", "0 to 9007199254740991")]
    [InlineData(2, "up --port 70000", "1 to 65535")]
    [InlineData(2, "server-logs kitchen", "kitchen")]
    [InlineData(2, "data fetch cifar", "cifar")]
    [InlineData(2, "submit no-such-file.json", "no-such-file.json")]
    [InlineData(3, "runs", "./metaopt up")]
    public async Task A_mistake_gets_its_exit_code_and_is_named(int exitCode, string arguments, string named)
    {
        var (code, _, errors) = await RunAsync(arguments);
        Assert.Equal(exitCode, code);
        Assert.Contains(named, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("demo --help")]
    [InlineData("submit --help")]
    [InlineData("watch --help")]
    [InlineData("download --help")]
    [InlineData("data fetch --help")]
    [InlineData("up --port 70 --help")]
    [InlineData("down --help")]
    [InlineData("db stop --help")]
    [InlineData("db restore file --yes --help")]
    public async Task Help_is_on_standard_output(string arguments)
    {
        var (code, output, _) = await RunAsync(arguments);
        Assert.Equal(0, code);
        Assert.Contains("Usage:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_of_the_server_is_a_failure_and_not_a_crash()
    {
        var command = new System.CommandLine.Command("test");
        command.SetAction((_, _) => Task.FromException(new ApiException(HttpStatusCode.NotFound, "{}")));
        Assert.Equal(1, await MetaOpt.Cli.Terminal.RunAsync(command, [], default));
    }

    [Fact]
    public async Task Up_on_a_taken_port_says_so_and_starts_nothing()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var (code, _, errors) = await RunAsync($"up --port {port}");

        Assert.Equal(1, code);
        Assert.Contains($"Port {port}", errors, StringComparison.Ordinal);
        Assert.Contains("--port", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(home, "postgres")));
    }

    [Fact]
    public async Task Status_of_a_fresh_data_folder_says_what_to_do()
    {
        var (code, output, _) = await RunAsync("status");
        Assert.Equal(1, code);
        Assert.Contains("./metaopt up", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_problem_document_becomes_a_line_for_each_field()
    {
        var text = ApiException.Render(HttpStatusCode.UnprocessableEntity, """
            {"type":"about:blank","title":"Invalid run","status":422,"detail":"2 fields are wrong.",
             "errors":[{"pointer":"/spec/training/horizon","detail":"0 is out of range 1 to 100000."},{"pointer":"","detail":"is too large."}]}
            """);
        Assert.Equal(
            ["422 Invalid run: 2 fields are wrong.", "  /spec/training/horizon  0 is out of range 1 to 100000.",
                "  (the document)  is too large."],
            text.Split('\n'));
    }

    [Fact]
    public void A_refused_token_says_where_tokens_come_from() =>
        Assert.Contains("METAOPT_TOKEN", ApiException.Render(HttpStatusCode.Unauthorized, """{"title":"Unauthorized"}"""),
            StringComparison.Ordinal);

    [Fact]
    public void An_answer_that_is_no_problem_document_is_quoted() =>
        Assert.Equal("502 BadGateway: <h1>proxy</h1>", ApiException.Render(HttpStatusCode.BadGateway, "<h1>proxy</h1>\n"));

    [Fact]
    public void Progress_is_one_readable_line()
    {
        var status = new RunStatus("running", null, "train", 500, 2000, 41.23, 85.2, 0.51234);
        Assert.Equal("train  500 of 2,000 (25 %)  meta-loss 0.5123  41.2 steps/s  1:25 min left", ProgressLine.Render(status));
        Assert.Equal("waiting: no worker of pool gpu",
            ProgressLine.Render(status with { State = "queued", Waiting = "no worker of pool gpu" }));
    }

    async Task<(int Code, string Output, string Errors)> RunAsync(string arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ApiClient).Assembly.Location, .. arguments.Split(' ')])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = home,
        };
        start.Environment["METAOPT_HOME"] = home;
        // Nobody listens on port 1.
        start.Environment["METAOPT_URL"] = "http://127.0.0.1:1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }

    public void Dispose() => Directory.Delete(home, recursive: true);
}

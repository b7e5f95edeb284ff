using System.Diagnostics;
using MetaOpt.Service.Tests.Api;
using MetaOpt.Service.Tests.Cli;
using MetaOpt.Service.Tests.Workers;
using Xunit;

namespace MetaOpt.Service.Tests.Python;

/// <summary>
/// The Python package against the real API and a real worker: signed in by the CLI, from a submission to a loaded checkpoint.
/// </summary>
public sealed class PythonPackageTests(ApiFixture api) : IClassFixture<ApiFixture>
{
    [Fact]
    public async Task The_package_submits_waits_reads_and_loads_what_was_learned()
    {
        var home = TestFolders.New("python");
        var login = $"login {api.App.Urls.First()}";
        var (code, output) = await CommandLine.RunAsync(home, api.ConnectionString, login, api.AdminToken);
        Assert.True(code == 0, output);
        var workers = WorkerFixture.On(api.ConnectionString);
        try
        {
            workers.Start("cpu");
            var (status, printed) = await WalkAsync(home);
            Assert.True(status == 0 && printed.Contains("done", StringComparison.Ordinal), printed);
        }
        finally
        {
            await workers.DisposeAsync();
        }
    }

    /// <summary>Without the CLI's file, with a token of the environment that the server refuses.</summary>
    [Fact]
    public async Task A_refused_token_is_a_problem_that_says_what_to_do()
    {
        var url = api.App.Urls.First();
        var (status, printed) = await WalkAsync(TestFolders.New("python"), ("METAOPT_URL", url), ("METAOPT_TOKEN", "mo_wrong"));
        Assert.NotEqual(0, status);
        Assert.Contains("ApiError: 401", printed, StringComparison.Ordinal);
        Assert.Contains("./metaopt login", printed, StringComparison.Ordinal);
    }

    /// <summary>Runs the script. It must not ask the dead proxy of its environment.</summary>
    static async Task<(int Status, string Printed)> WalkAsync(string home, params (string Name, string Value)[] environment)
    {
        var script = Path.Combine(Checkout.Folder, "clients/python/tests/against_a_server.py");
        // Debian's, which has PyTorch where it is installed, before one that somebody put in front of it.
        var python = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
        var start = new ProcessStartInfo(python, [script, home]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in (string[])["METAOPT_URL", "METAOPT_TOKEN"]) start.Environment.Remove(name);
        start.Environment["METAOPT_HOME"] = home;
        start.Environment["http_proxy"] = start.Environment["HTTP_PROXY"] = "http://127.0.0.1:9";
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync().WaitAsync(Patience.Limit);
            return (process.ExitCode, await output + await errors);
        }
        finally
        {
            process.Kill();
        }
    }
}

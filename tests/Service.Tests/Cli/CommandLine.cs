using System.Diagnostics;
using MetaOpt.Cli.Client;

namespace MetaOpt.Service.Tests.Cli;

/// <summary>The real program as a process.</summary>
static class CommandLine
{
    /// <summary>Runs it in <paramref name="home"/>, which is its data folder too; what it printed, errors last.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string home, string connectionString, string arguments,
        string? input = null)
    {
        using var process = Start(home, connectionString, arguments);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        var said = await output + await errors;
        await File.WriteAllTextAsync(TestLogs.NewFile("command.log"),
            $"metaopt {arguments}\n{said}\nexit code {process.ExitCode}\n");
        return (process.ExitCode, said);
    }

    /// <summary>The same, and goes on.</summary>
    public static Process Start(string home, string connectionString, string arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ApiClient).Assembly.Location, .. arguments.Split(' ')])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = home,
        };
        start.Environment["METAOPT_HOME"] = home;
        start.Environment["METAOPT_DATABASE_URL"] = connectionString;
        start.Environment.Remove("METAOPT_TOKEN");
        return Process.Start(start)!;
    }
}

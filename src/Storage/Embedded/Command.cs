using System.ComponentModel;
using System.Diagnostics;

namespace MetaOpt.Storage.Embedded;

/// <summary>Runs a program to its end, away from the caller's folder, locale and PG* settings.</summary>
static class Command
{
    public sealed record Outcome(int ExitCode, string Output)
    {
        public bool Ok => ExitCode == 0;
    }

    /// <summary>Exit status and both outputs together; 127 when there is no such program.</summary>
    public static async Task<Outcome> RunAsync(
        IEnumerable<string> words, CancellationToken cancellationToken, params (string Name, string Value)[] environment)
    {
        var all = words.ToArray();
        var start = new ProcessStartInfo(all[0], all[1..])
        {
            // The account a root process drops to may not be able to enter the current folder.
            WorkingDirectory = "/",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("PG", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        // C is the one locale every machine has; messages are also matched against English text.
        start.Environment["LC_ALL"] = "C";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception missing)
        {
            return new(127, $"{all[0]}: {missing.Message}");
        }
        process.StandardInput.Close();
        try
        {
            var texts = await Task.WhenAll(
                process.StandardOutput.ReadToEndAsync(cancellationToken),
                process.StandardError.ReadToEndAsync(cancellationToken));
            await process.WaitForExitAsync(cancellationToken);
            return new(process.ExitCode, string.Concat(texts).Trim());
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>The output.</summary>
    /// <exception cref="EmbeddedPostgresException">The program failed: says how.</exception>
    public static async Task<string> RequireAsync(
        IEnumerable<string> words, CancellationToken cancellationToken, params (string Name, string Value)[] environment)
    {
        var all = words.ToArray();
        var outcome = await RunAsync(all, cancellationToken, environment);
        return outcome.Ok
            ? outcome.Output
            : throw new EmbeddedPostgresException(
                $"'{string.Join(' ', all)}' ended with status {outcome.ExitCode}:\n{outcome.Output}");
    }
}

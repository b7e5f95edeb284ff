using System.CommandLine;
using System.Data.Common;
using System.Globalization;
using System.Net.Sockets;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Services;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;

namespace MetaOpt.Cli;

/// <summary>Exit codes of all commands.</summary>
public static class ExitCode
{
    /// <summary>Done; for <c>watch</c>, the run succeeded.</summary>
    public const int Success = 0;
    /// <summary>Refused or failed; the reason is on standard error.</summary>
    public const int Failure = 1;
    /// <summary>The command line itself is wrong.</summary>
    public const int Usage = 2;
    /// <summary>No server answered.</summary>
    public const int Unreachable = 3;
    /// <summary>Stopped with Ctrl-C.</summary>
    public const int Interrupted = 130;
    /// <summary>Nobody reads standard output any more; what other programs end with by SIGPIPE.</summary>
    public const int Unread = 141;
}

/// <summary>The command cannot go on; the message is for the user, and says what to do.</summary>
public class CommandException(string message, int exitCode = ExitCode.Failure) : Exception(message)
{
    /// <summary>The exit code.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>Runs a command line and turns every expected failure into one readable message and an exit code.</summary>
public static class Terminal
{
    /// <summary>Somebody is looking: output goes to a terminal.</summary>
    public static bool IsInteractive => !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not "dumb";

    /// <summary>
    /// Parses and invokes until it is done or <paramref name="stop"/> fires; never throws for a user's mistake.
    /// </summary>
    public static async Task<int> RunAsync(Command root, string[] args, CancellationToken stop)
    {
        // Not @FILE: a cron expression may be @daily.
        var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                Console.Error.WriteLine(error.Message);
            Console.Error.WriteLine($"See: metaopt {string.Join(' ', Path(parsed.CommandResult.Command, root))} --help".Replace(
                "  ", " "));
            return ExitCode.Usage;
        }
        var settings = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            // The library's own handler of signals fails when another one comes while the command ends.
            ProcessTerminationTimeout = null,
        };
        try
        {
            return await parsed.InvokeAsync(settings, stop);
        }
        catch (CommandException e)
        {
            Console.Error.WriteLine(e.Message);
            return e.ExitCode;
        }
        catch (DatabaseUrlException e)
        {
            Console.Error.WriteLine(e.Message);
            return ExitCode.Usage;
        }
        catch (HttpRequestException e)
        {
            Console.Error.WriteLine(
                $"No answer from the server: {e.Message} Start one with: ./metaopt up   (or set METAOPT_URL)");
            return ExitCode.Unreachable;
        }
        catch (Exception e) when (e is ApiException or EmbeddedPostgresException or DbException
            or IOException or UnauthorizedAccessException or SocketException)
        {
            Console.Error.WriteLine(e.Message);
            return ExitCode.Failure;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    }

    /// <summary>
    /// Does something that prints until it is cancelled. It ends, with <see cref="ExitCode.Unread"/>, also when nobody reads
    /// standard output any more, as in <c>metaopt server-logs -f | head</c>.
    /// </summary>
    public static async Task<int> WhileReadAsync(Func<CancellationToken, Task<int>> print, CancellationToken cancel)
    {
        var unread = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        new Thread(() =>
        {
            Signals.WaitUntilOutputIsUnread();
            unread.Cancel();
        })
        { IsBackground = true, Name = "reader of standard output" }.Start();
        try
        {
            return await print(unread.Token);
        }
        catch (OperationCanceledException) when (unread.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            return ExitCode.Unread;
        }
    }

    static IEnumerable<string> Path(Command command, Command root) => command == root
        ? []
        : command.Parents.OfType<Command>().Take(1).SelectMany(parent => Path(parent, root)).Append(command.Name);

    /// <summary>Refuses numbers outside of the range; what is no number at all, the parser refuses.</summary>
    public static Option<T> Between<T>(this Option<T> option, T min, T max)
        where T : struct, IParsable<T>, IComparable<T>
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && T.TryParse(token.Value, CultureInfo.InvariantCulture, out var value)
                && (value.CompareTo(min) < 0 || value.CompareTo(max) > 0))
                result.AddError($"{option.Name} is {token.Value}; give a number from {min} to {max}.");
        });
        return option;
    }
}

using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;

namespace MetaOpt.Bench;

/// <summary>The measurement cannot be made; the message is for the user, and says what to do.</summary>
public sealed class BenchException(string message, int exitCode = 1) : Exception(message)
{
    /// <summary>What the process exits with: 1 a failure, 2 a wrong argument.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary><c>./metaopt bench</c>: the list of subcommands and what they share.</summary>
public static partial class BenchCommand
{
    /// <summary>Runs a command line: 0 done, 1 refused or failed, 2 a wrong argument; the error output says what.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        var root = new Command("bench", "Measure how fast this machine learns optimizers.")
        {
            new HelpOption(), Peak.Create(), KernelsBench.Create(),
            MetaStep.Create(), InnerStep.Create(), Scale.Create(), Peers.Create(), Predictions.Create(),
        };
        AddFlavour(root);
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var message in parsed.Errors) error.WriteLine(message.Message);
            var command = parsed.CommandResult.Command;
            error.WriteLine($"See: metaopt bench {(command == root ? "" : command.Name + " ")}--help");
            return 2;
        }
        try
        {
            return parsed.Invoke(new() { EnableDefaultExceptionHandler = false, Output = output, Error = error });
        }
        catch (BenchException e)
        {
            error.WriteLine(e.Message);
            return e.ExitCode;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SpecException)
        {
            error.WriteLine(e.Message);
            return 1;
        }
    }

    /// <summary>What only a build with libtorch has.</summary>
    static partial void AddFlavour(Command root);

    /// <summary>A subcommand whose action is <paramref name="measure"/>; it gets <c>--json</c> and <c>--seconds</c>.</summary>
    internal static Command Subcommand(
        string name, string description, double defaultSeconds, Action<ParseResult, Bench> measure, params Option[] options)
    {
        var json = new Option<string?>("--json") { Description = "Write the rows to this file too." };
        var seconds = Number("--seconds", "How long each measurement takes, warm-up apart.", defaultSeconds, 0.01, 600);
        var command = new Command(name, description) { json, seconds };
        foreach (var option in options) command.Add(option);
        command.SetAction(arguments =>
        {
            // A place that cannot be written to is known before the work.
            if (arguments.GetValue(json) is { } file) File.WriteAllText(file, "[]\n");
            var io = arguments.InvocationConfiguration;
            measure(arguments, new Bench(io.Output, io.Error, arguments.GetValue(json), arguments.GetValue(seconds)));
        });
        return command;
    }

    /// <summary><c>--threads</c>, all cores by default.</summary>
    internal static Option<int> Threads() => Number("--threads", "Threads that compute.", Environment.ProcessorCount, 1, 1024);

    /// <summary>A number with a default and a range; what is outside, or no number at all, is refused.</summary>
    internal static Option<T> Number<T>(string name, string description, T value, T min, T max)
        where T : struct, IParsable<T>, IComparable<T>
    {
        var option = new Option<T>(name) { Description = description, DefaultValueFactory = _ => value };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && T.TryParse(token.Value, CultureInfo.InvariantCulture, out var given)
                && !(given.CompareTo(min) >= 0 && given.CompareTo(max) <= 0))
                result.AddError($"{name} is {token.Value}; give a number from {min} to {max}.");
        });
        return option;
    }
}

/// <summary>What every subcommand gets: where to print, and how long to measure.</summary>
/// <param name="Output">The table.</param>
/// <param name="Log">Progress.</param>
/// <param name="Json">File for the rows, or null.</param>
/// <param name="Seconds">For each measurement.</param>
sealed record Bench(TextWriter Output, TextWriter Log, string? Json, double Seconds);

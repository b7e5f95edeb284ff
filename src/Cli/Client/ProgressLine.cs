using System.Diagnostics;
using System.Text;
using static System.FormattableString;

namespace MetaOpt.Cli.Client;

/// <summary>
/// Shows a run's progress: on a terminal one line that updates itself, elsewhere a new line every few seconds, so that a
/// log stays short.
/// </summary>
public sealed class ProgressLine(TextWriter output, bool interactive)
{
    static readonly TimeSpan EveryInteractive = TimeSpan.FromMilliseconds(200), EveryPlain = TimeSpan.FromSeconds(5);
    readonly Stopwatch _sinceShown = new();
    string _shown = "";

    /// <summary>Shows <paramref name="status"/>, unless the last one was shown a moment ago.</summary>
    public void Show(RunStatus status)
    {
        if (_sinceShown.IsRunning && _sinceShown.Elapsed < (interactive ? EveryInteractive : EveryPlain))
            return;
        Write(Render(status));
        _sinceShown.Restart();
    }

    /// <summary>The last line of this run; what follows starts on a new one.</summary>
    public void Finish(RunStatus status)
    {
        Write(Render(status));
        if (interactive)
            output.WriteLine();
        _shown = "";
    }

    /// <summary>One line: state or phase, units done, meta-loss, speed, time left.</summary>
    public static string Render(RunStatus status)
    {
        if (status.State == "queued")
            return $"waiting{(status.Waiting is { } reason ? $": {reason}" : "")}";
        var text = new StringBuilder(status.State == "running" ? status.Phase : status.State);
        if (status.Total > 0)
            text.Append(Invariant($"  {status.Done:N0} of {status.Total:N0} ({100.0 * status.Done / status.Total:F0} %)"));
        if (status.Loss is { } loss)
            text.Append(Invariant($"  meta-loss {loss:G4}"));
        if (status.State == "running" && status.Rate is > 0 and var rate)
            text.Append(rate < 100 ? Invariant($"  {rate:G3} steps/s") : Invariant($"  {rate:N0} steps/s"));
        if (status.State == "running" && status.SecondsLeft is { } left)
            text.Append($"  {Duration(left)} left");
        return text.ToString();
    }

    /// <summary>85 is <c>1:25 min</c>, 8 is <c>8 s</c>.</summary>
    public static string Duration(double seconds) => seconds switch
    {
        < 60 => Invariant($"{Math.Ceiling(seconds):F0} s"),
        < 3600 => Invariant($"{(int)seconds / 60}:{(int)seconds % 60:D2} min"),
        _ => Invariant($"{(int)seconds / 3600}:{(int)seconds / 60 % 60:D2} h"),
    };

    void Write(string text)
    {
        if (!interactive)
        {
            if (text != _shown)
                output.WriteLine($"  {text}");
        }
        else
        {
            // A line longer than the terminal would wrap, and could not be overwritten.
            var width = Math.Max(20, Console.WindowWidth) - 3;
            output.Write($"\r  {(text.Length > width ? text[..width] : text)}\u001b[K");
        }
        _shown = text;
    }
}

using System.Diagnostics;
using System.Globalization;

namespace MetaOpt.Cli.Demo;

/// <summary>
/// How long the parts of the whole command took, from the start of the script: it tells in environment variables when it
/// began, when set-up ended and when the build ended.
/// </summary>
public sealed class PhaseClock
{
    readonly List<(string Name, double Seconds)> _phases = [];
    double _last;

    PhaseClock(double start) => (Start, _last) = (start, start);

    /// <summary>When the command began, in seconds since 1970.</summary>
    public double Start { get; }

    /// <summary>The finished parts, in order.</summary>
    public IReadOnlyList<(string Name, double Seconds)> Phases => _phases;

    /// <summary>Seconds since the command began.</summary>
    public double Elapsed => Now - Start;

    /// <summary>A clock that knows what the script did before this program; by itself, from the start of this process.</summary>
    public static PhaseClock FromEnvironment()
    {
        var process = Process.GetCurrentProcess().StartTime.ToUniversalTime();
        var clock = new PhaseClock(Variable("METAOPT_STARTED") ?? (process - DateTime.UnixEpoch).TotalSeconds);
        clock.End("setup", Variable("METAOPT_SET_UP"));
        clock.End("build", Variable("METAOPT_BUILT"));
        return clock;
    }

    /// <summary>The current part ends now and was <paramref name="name"/>.</summary>
    public void End(string name) => End(name, Now);

    void End(string name, double? at)
    {
        _phases.Add((name, Math.Max(0, (at ?? _last) - _last)));
        _last = Math.Max(_last, at ?? _last);
    }

    static double Now => (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds;

    static double? Variable(string name) =>
        double.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var seconds) ? seconds : null;
}

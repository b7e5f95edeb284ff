using System.Diagnostics;
using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Workers.Supervision;

/// <summary>Smoothed steps per second and the time left, from one observation after another.</summary>
sealed class SpeedMeter
{
    // Half of what is shown comes from about the last seven seconds.
    const double TimeConstant = 10;

    (string Phase, long Done, long At)? _last;
    double _weight, _sum;

    /// <summary>Takes an observation, and says what to show.</summary>
    public RunProgress Observe(RunEvent.Progress progress) => Observe(progress, Stopwatch.GetTimestamp());

    internal RunProgress Observe(RunEvent.Progress progress, long now)
    {
        if (_last is not var (phase, done, at) || phase != progress.Phase || progress.Done < done)
        {
            (_last, _weight, _sum) = ((progress.Phase, progress.Done, now), 0, 0);
        }
        else if (Stopwatch.GetElapsedTime(at, now).TotalSeconds is > 0 and var seconds)
        {
            // Weighted by time, so that a short interval counts little; the weight corrects the start from nothing.
            var fade = Math.Exp(-seconds / TimeConstant);
            _sum = fade * _sum + (1 - fade) * (progress.Done - done) / seconds;
            _weight = fade * _weight + (1 - fade);
            _last = (progress.Phase, progress.Done, now);
        }
        var speed = _weight > 0 ? _sum / _weight : 0;
        return new(progress.Phase, progress.Done, progress.Total, speed,
            speed > 0 ? (progress.Total - progress.Done) / speed : null);
    }
}

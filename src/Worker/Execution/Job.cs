using System.Text.Json;

namespace MetaOpt.Workers.Execution;

/// <summary>The child's job: the JSON of the first frame.</summary>
/// <param name="Kind">Kind of the run.</param>
/// <param name="Spec">Its specification.</param>
/// <param name="Threads">Threads that compute.</param>
/// <param name="DataFolder">Where datasets lie.</param>
/// <param name="ResumeSeconds">Seconds between two resume points that are sent.</param>
/// <param name="SilenceSeconds">The child exits when it hears nothing for so long.</param>
sealed record Job(string Kind, JsonElement Spec, int Threads, string DataFolder, double ResumeSeconds, double SilenceSeconds)
{
    static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    /// <summary>The first frame.</summary>
    public Frame ToFrame() => new(FrameKind.Job, [.. Frame.Magic, .. JsonSerializer.SerializeToUtf8Bytes(this, s_json)]);

    /// <exception cref="InvalidDataException">Another kind of frame, another version, or not a job.</exception>
    public static Job Parse(Frame? frame)
    {
        if (frame is not { Kind: FrameKind.Job } first || !first.Payload.AsSpan().StartsWith(Frame.Magic))
            throw new InvalidDataException(
                "The input does not begin with a job of this version; worker and child are of different builds.");
        return JsonSerializer.Deserialize<Job>(first.Payload.AsSpan(Frame.Magic.Length), s_json)
            ?? throw new InvalidDataException("The job is null.");
    }
}

/// <summary>How the child ends. Anything else, signals included, is a death.</summary>
static class ChildExit
{
    /// <summary>A result or a user's error was sent.</summary>
    public const int Done = 0;
    /// <summary>A fault, sent and logged.</summary>
    public const int Fault = 1;
    /// <summary>Stopped by SIGTERM; the last resume point was sent.</summary>
    public const int Stopped = 10;
    /// <summary>The worker is gone: its pipe ended, or it was silent for too long.</summary>
    public const int Abandoned = 11;
}

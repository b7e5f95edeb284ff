using System.Text.Json.Nodes;

namespace MetaOpt.Runs;

/// <summary>An event of an executing run. Events in order are its only output.</summary>
public abstract record RunEvent
{
    RunEvent() { }

    /// <summary>
    /// One point of a named trajectory. Steps of one series strictly increase over the whole run, resumes included.
    /// </summary>
    public sealed record Point(string Series, long Step, double Value) : RunEvent;

    /// <summary>
    /// <paramref name="Done"/> of <paramref name="Total"/> units of work (meta-steps in training); <paramref name="Phase"/> says
    /// which.
    /// </summary>
    public sealed record Progress(string Phase, long Done, long Total) : RunEvent;

    /// <summary>
    /// Execution can continue from here, bit for bit. <paramref name="Step"/> is how many steps are done: the points stored
    /// before it are exactly those of steps up to it. The bytes are made only when asked for.
    /// </summary>
    public sealed record ResumePoint(long Step, Func<byte[]> Bytes) : RunEvent;

    /// <summary>A stored result: safetensors bytes that are a function of specification and seed alone.</summary>
    public sealed record Checkpoint(string Name, long Step, byte[] Bytes) : RunEvent;

    /// <summary>Facts about this attempt: kernel set, vector width, threads, estimator, data hashes.</summary>
    public sealed record Metadata(JsonObject Facts) : RunEvent;

    /// <summary>The run's result document. Once, at the end.</summary>
    public sealed record Result(RunResult Document) : RunEvent;
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;

namespace MetaOpt.Workers.Execution;

/// <summary>Why an execution ended without a result.</summary>
enum FailureKind
{
    /// <summary>The specification asks for something impossible: not retried.</summary>
    User,
    /// <summary>The run's values are no longer finite: not retried.</summary>
    Diverged,
    /// <summary>Ours or the machine's: a death.</summary>
    Fault,
}

/// <summary>An execution that ended without a result.</summary>
sealed record Failure(FailureKind Kind, string Detail);

/// <summary>Run events as frames, and back.</summary>
static class Messages
{
    static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    public static Frame Points(IReadOnlyList<RunEvent.Point> points) => Make(FrameKind.Points, writer =>
    {
        writer.Write(points.Count);
        foreach (var point in points)
        {
            writer.Write(point.Series);
            writer.Write(point.Step);
            writer.Write(point.Value);
        }
    });

    public static IReadOnlyList<RunEvent.Point> ReadPoints(Frame frame)
    {
        using var reader = Reader(frame);
        var points = new List<RunEvent.Point>();
        for (var left = reader.ReadInt32(); left > 0; left--)
            points.Add(new(reader.ReadString(), reader.ReadInt64(), reader.ReadDouble()));
        return points;
    }

    public static Frame Progress(RunEvent.Progress progress) => Make(FrameKind.Progress, writer =>
    {
        writer.Write(progress.Phase);
        writer.Write(progress.Done);
        writer.Write(progress.Total);
    });

    public static RunEvent.Progress ReadProgress(Frame frame)
    {
        using var reader = Reader(frame);
        return new(reader.ReadString(), reader.ReadInt64(), reader.ReadInt64());
    }

    public static Frame ResumePoint(long step, byte[] bytes) => Make(FrameKind.ResumePoint, writer =>
    {
        writer.Write(step);
        writer.Write(bytes);
    });

    public static (long Step, byte[] Bytes) ReadResumePoint(Frame frame)
    {
        using var reader = Reader(frame);
        return (reader.ReadInt64(), Rest(reader));
    }

    public static Frame Checkpoint(RunEvent.Checkpoint checkpoint) => Make(FrameKind.Checkpoint, writer =>
    {
        writer.Write(checkpoint.Step);
        writer.Write(checkpoint.Name);
        writer.Write(checkpoint.Bytes);
    });

    public static RunEvent.Checkpoint ReadCheckpoint(Frame frame)
    {
        using var reader = Reader(frame);
        var step = reader.ReadInt64();
        return new(reader.ReadString(), step, Rest(reader));
    }

    public static Frame Input(Guid id, byte[] bytes) => new(FrameKind.Input, [.. id.ToByteArray(), .. bytes]);

    public static (Guid Id, byte[] Bytes) ReadInput(Frame frame) => (new(frame.Payload.AsSpan(0, 16)), frame.Payload[16..]);

    public static Frame Document(FrameKind kind, JsonObject document) =>
        new(kind, Encoding.UTF8.GetBytes(document.ToJsonString()));

    public static JsonObject ReadDocument(Frame frame) => JsonNode.Parse(frame.Payload) as JsonObject
        ?? throw new InvalidDataException($"A {frame.Kind} frame must hold a JSON object.");

    public static Frame Failed(Failure failure) => new(FrameKind.Failed, JsonSerializer.SerializeToUtf8Bytes(failure, s_json));

    public static Failure ReadFailed(Frame frame) => JsonSerializer.Deserialize<Failure>(frame.Payload, s_json)
        ?? throw new InvalidDataException("A Failed frame must hold a failure.");

    static Frame Make(FrameKind kind, Action<BinaryWriter> write)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        write(writer);
        return new(kind, memory.ToArray());
    }

    static BinaryReader Reader(Frame frame) => new(new MemoryStream(frame.Payload));

    static byte[] Rest(BinaryReader reader) =>
        reader.ReadBytes((int)(reader.BaseStream.Length - reader.BaseStream.Position));
}

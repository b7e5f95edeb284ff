using System.Buffers.Binary;

namespace MetaOpt.Workers.Execution;

/// <summary>The content of a frame. Job to KeepAlive go to the child, the others come from it.</summary>
enum FrameKind : byte
{
    /// <summary>First frame of the input: magic, then the job as JSON.</summary>
    Job = 1,
    /// <summary>Bytes of the resume point to go on from.</summary>
    Resume = 2,
    /// <summary>A checkpoint the run reads: 16 bytes of id, then its bytes.</summary>
    Input = 3,
    /// <summary>All input was sent: execute.</summary>
    Start = 4,
    /// <summary>The worker is alive. Empty.</summary>
    KeepAlive = 5,
    /// <summary>First frame of the output: magic.</summary>
    Hello = 16,
    /// <summary>A batch of points.</summary>
    Points = 17,
    /// <summary>Phase, done, total.</summary>
    Progress = 18,
    /// <summary>Step, then bytes.</summary>
    ResumePoint = 19,
    /// <summary>Step, name, then bytes.</summary>
    Checkpoint = 20,
    /// <summary>JSON object.</summary>
    Metadata = 21,
    /// <summary>JSON object: the result document.</summary>
    Result = 22,
    /// <summary>JSON object: whose fault, and what.</summary>
    Failed = 23,
}

/// <summary>
/// A message between worker and child: length of what follows the length (4 bytes, little-endian), kind (1 byte), payload.
/// </summary>
readonly record struct Frame(FrameKind Kind, byte[] Payload)
{
    /// <summary>Begins the first frame of either direction; its last byte is the protocol's version.</summary>
    public static ReadOnlySpan<byte> Magic => "MOX\x01"u8;

    /// <summary>Longest payload of a frame with checkpoint or resume bytes.</summary>
    public const int LongestBlob = 1 << 30;

    /// <summary>Longest payload of any other frame.</summary>
    public const int LongestMessage = 16 << 20;

    const int Header = 5;

    /// <summary>Longest payload of <paramref name="kind"/>.</summary>
    public static int Longest(FrameKind kind) =>
        kind is FrameKind.Resume or FrameKind.Input or FrameKind.ResumePoint or FrameKind.Checkpoint
            ? LongestBlob
            : LongestMessage;

    /// <summary>Null at the end of the stream between two frames.</summary>
    /// <exception cref="InvalidDataException">An unknown kind, or a length out of bounds.</exception>
    /// <exception cref="EndOfStreamException">The stream ends within a frame.</exception>
    public static async ValueTask<Frame?> ReadAsync(Stream stream, CancellationToken cancel)
    {
        var header = new byte[Header];
        var got = await stream.ReadAtLeastAsync(header, Header, throwOnEndOfStream: false, cancel);
        if (got == 0) return null;
        if (got < Header) throw new EndOfStreamException($"The stream ended after {got} of {Header} header bytes.");
        var payload = new byte[PayloadLength(header)];
        await stream.ReadExactlyAsync(payload, cancel);
        return new((FrameKind)header[4], payload);
    }

    /// <summary>The same, blocking.</summary>
    public static Frame? Read(Stream stream)
    {
        Span<byte> header = stackalloc byte[Header];
        var got = stream.ReadAtLeast(header, Header, throwOnEndOfStream: false);
        if (got == 0) return null;
        if (got < Header) throw new EndOfStreamException($"The stream ended after {got} of {Header} header bytes.");
        var payload = new byte[PayloadLength(header)];
        stream.ReadExactly(payload);
        return new((FrameKind)header[4], payload);
    }

    /// <summary>Writes it in one piece.</summary>
    public async ValueTask WriteAsync(Stream stream, CancellationToken cancel)
    {
        await stream.WriteAsync(Bytes(), cancel);
        await stream.FlushAsync(cancel);
    }

    /// <summary>The same, blocking.</summary>
    public void Write(Stream stream)
    {
        stream.Write(Bytes());
        stream.Flush();
    }

    static int PayloadLength(ReadOnlySpan<byte> header)
    {
        var (length, kind) = (BinaryPrimitives.ReadUInt32LittleEndian(header), (FrameKind)header[4]);
        if (!Enum.IsDefined(kind)) throw new InvalidDataException($"{(byte)kind} is not a kind of frame.");
        if (length < 1 || length - 1 > Longest(kind))
            throw new InvalidDataException($"A {kind} frame of {length} bytes is not within 1 and {Longest(kind) + 1L}.");
        return (int)(length - 1);
    }

    byte[] Bytes()
    {
        if (Payload.Length > Longest(Kind))
            throw new InvalidDataException($"A {Kind} frame holds at most {Longest(Kind)} bytes, not {Payload.Length}.");
        var bytes = new byte[Header + Payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)Payload.Length + 1);
        bytes[4] = (byte)Kind;
        Payload.CopyTo(bytes, Header);
        return bytes;
    }
}

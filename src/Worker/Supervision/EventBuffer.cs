using System.Threading.Channels;
using MetaOpt.Workers.Execution;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// Frames that a child sent and nobody stored yet, at most about <paramref name="limit"/> bytes: beyond that the producer waits,
/// the pipe fills, and the child waits too. One producer, one consumer.
/// </summary>
sealed class EventBuffer(long limit)
{
    // What a frame costs besides its payload.
    const int Overhead = 64;

    readonly Channel<Frame> _frames = Channel.CreateUnbounded<Frame>(new() { SingleReader = true, SingleWriter = true });
    readonly SemaphoreSlim _room = new(0);
    long _held;

    /// <summary>Adds a frame once there is room; a frame larger than the limit is let in when nothing else is held.</summary>
    public async ValueTask AddAsync(Frame frame, CancellationToken cancel)
    {
        var size = frame.Payload.Length + Overhead;
        while (Interlocked.Read(ref _held) is var held && held > 0 && held + size > limit) await _room.WaitAsync(cancel);
        Interlocked.Add(ref _held, size);
        _frames.Writer.TryWrite(frame);
    }

    /// <summary>Nothing more comes; with the reason when it is not the regular end.</summary>
    public void Complete(Exception? reason = null) => _frames.Writer.TryComplete(reason);

    /// <summary>True when there is a frame, false at the end.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancel) => _frames.Reader.WaitToReadAsync(cancel);

    /// <summary>Takes the next frame if there is one. It counts as held until <see cref="Release"/>.</summary>
    public bool TryTake(out Frame frame) => _frames.Reader.TryRead(out frame);

    /// <summary>The frame was stored or is no longer needed.</summary>
    public void Release(Frame frame)
    {
        Interlocked.Add(ref _held, -(frame.Payload.Length + Overhead));
        if (_room.CurrentCount == 0) _room.Release();
    }
}

using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using MetaOpt.Workers.Execution;
using Microsoft.Extensions.Logging;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// Stores what a child sends, in order: points in batches of about a second, everything else after the points before it.
/// A database that is away is waited for.
/// </summary>
sealed class Recorder(LeasedRun run, Heartbeat heartbeat, ILogger log)
{
    const int LargestBatch = 20_000;
    static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan s_retry = TimeSpan.FromMilliseconds(250);

    readonly List<RunEvent.Point> _points = [];
    readonly List<Frame> _kept = [];
    readonly SpeedMeter _speed = new();
    RunEvent.Progress? _progress;

    /// <summary>The result document, once it came.</summary>
    public JsonObject? Result { get; private set; }

    /// <summary>Why there is none.</summary>
    public Failure? Failure { get; private set; }

    /// <summary>Stores everything until the buffer ends.</summary>
    public async Task RecordAsync(EventBuffer buffer, CancellationToken cancel)
    {
        Task? due = null;
        Task<bool>? more = null;
        while (true)
        {
            more ??= buffer.WaitAsync(cancel).AsTask();
            // The clock is asked first: a child that always has more to say must be heard too.
            if (due is not null && await Task.WhenAny(due, more) == due)
            {
                await FlushAsync(buffer, cancel);
                due = null;
                continue;
            }
            if (!await more) break;
            more = null;
            while (_points.Count < LargestBatch && due is not { IsCompleted: true } && buffer.TryTake(out var frame))
                await TakeAsync(frame, buffer, cancel);
            if (_points.Count >= LargestBatch) await FlushAsync(buffer, cancel);
            due = _kept.Count == 0 ? null : due ?? Task.Delay(s_interval, cancel);
        }
        await FlushAsync(buffer, cancel);
    }

    async Task TakeAsync(Frame frame, EventBuffer buffer, CancellationToken cancel)
    {
        switch (frame.Kind)
        {
            case FrameKind.Points:
                _points.AddRange(Messages.ReadPoints(frame));
                _kept.Add(frame);
                return;
            case FrameKind.Progress:
                _progress = Messages.ReadProgress(frame);
                _kept.Add(frame);
                return;
            case FrameKind.ResumePoint:
                await FlushAsync(buffer, cancel);
                var (step, bytes) = Messages.ReadResumePoint(frame);
                await StoreAsync(c => run.SaveResumePointAsync(step, bytes, c), cancel);
                break;
            case FrameKind.Checkpoint:
                await FlushAsync(buffer, cancel);
                var checkpoint = Messages.ReadCheckpoint(frame);
                await StoreAsync(c => run.SaveCheckpointAsync(checkpoint.Name, checkpoint.Step, checkpoint.Bytes, c), cancel);
                break;
            case FrameKind.Metadata:
                var facts = Messages.ReadDocument(frame);
                await StoreAsync(c => run.AddFactsAsync(facts, c), cancel);
                break;
            case FrameKind.Result:
                Result = Messages.ReadDocument(frame);
                break;
            case FrameKind.Failed:
                Failure = Messages.ReadFailed(frame);
                break;
            case FrameKind.Hello when frame.Payload.AsSpan().SequenceEqual(Frame.Magic):
                break;
            default:
                throw new InvalidDataException($"A child must not send a {frame.Kind} frame of {frame.Payload.Length} bytes.");
        }
        buffer.Release(frame);
    }

    async Task FlushAsync(EventBuffer buffer, CancellationToken cancel)
    {
        if (_points.Count > 0) await StoreAsync(c => run.AppendPointsAsync(_points, c), cancel);
        if (_progress is { } progress)
        {
            var shown = _speed.Observe(progress);
            await StoreAsync(c => run.SetProgressAsync(shown, c), cancel);
        }
        foreach (var frame in _kept) buffer.Release(frame);
        _points.Clear();
        _kept.Clear();
        _progress = null;
    }

    /// <summary>Does a fenced write while the lease certainly holds, again and again while the database is away.</summary>
    /// <exception cref="LeaseLostException">The run is no longer ours.</exception>
    public async Task<T> StoreAsync<T>(Func<CancellationToken, Task<T>> write, CancellationToken cancel)
    {
        for (var troubled = false; ; troubled = true)
        {
            await heartbeat.HoldsAsync(cancel);
            try
            {
                return await write(cancel);
            }
            catch (Exception trouble) when (run.Database.IsAway(trouble) && !cancel.IsCancellationRequested)
            {
                if (!troubled) log.StoreFailed(run.Lease.RunId, trouble.Message);
                await Task.Delay(s_retry, cancel);
            }
        }
    }

    /// <summary>The same for a write without an answer.</summary>
    public Task StoreAsync(Func<CancellationToken, Task> write, CancellationToken cancel) => StoreAsync(async c =>
    {
        await write(c);
        return true;
    }, cancel);
}

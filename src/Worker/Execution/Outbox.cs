using System.Diagnostics;
using MetaOpt.Runs;

namespace MetaOpt.Workers.Execution;

/// <summary>
/// The child's output: run events in order, points in batches, progress now and then, the bytes of a resume point only when
/// the last one sent is old enough. A full pipe blocks, which stops the computation until the worker has caught up.
/// </summary>
sealed class Outbox(Stream output, TimeSpan resumeInterval, CancellationToken stopping)
{
    const int LargestBatch = 4096;
    static readonly TimeSpan s_batchInterval = TimeSpan.FromMilliseconds(200);

    readonly List<RunEvent.Point> _points = [];
    RunEvent.Progress? _progress;
    long _flushed, _resumed = Stopwatch.GetTimestamp();

    /// <summary>First frame.</summary>
    public void Hello() => new Frame(FrameKind.Hello, Frame.Magic.ToArray()).Write(output);

    /// <summary>Sends or keeps <paramref name="runEvent"/>.</summary>
    public void Send(RunEvent runEvent)
    {
        switch (runEvent)
        {
            case RunEvent.Point point:
                _points.Add(point);
                break;
            case RunEvent.Progress progress:
                _progress = progress;
                break;
            case RunEvent.ResumePoint point:
                if (stopping.IsCancellationRequested || Stopwatch.GetElapsedTime(_resumed) >= resumeInterval)
                {
                    Flush();
                    Messages.ResumePoint(point.Step, point.Bytes()).Write(output);
                    _resumed = Stopwatch.GetTimestamp();
                }
                return;
            case RunEvent.Checkpoint checkpoint:
                Flush();
                Messages.Checkpoint(checkpoint).Write(output);
                return;
            case RunEvent.Metadata metadata:
                Messages.Document(FrameKind.Metadata, metadata.Facts).Write(output);
                return;
            case RunEvent.Result result:
                Flush();
                Messages.Document(FrameKind.Result, result.Document.ToJson()).Write(output);
                return;
        }
        if (_points.Count >= LargestBatch || Stopwatch.GetElapsedTime(_flushed) >= s_batchInterval) Flush();
    }

    /// <summary>Sends why there is no result.</summary>
    public void Fail(FailureKind kind, string detail)
    {
        Flush();
        Messages.Failed(new(kind, detail.Length <= 8000 ? detail : detail[..8000])).Write(output);
    }

    /// <summary>Sends what was kept.</summary>
    public void Flush()
    {
        if (_points.Count > 0) Messages.Points(_points).Write(output);
        if (_progress is not null) Messages.Progress(_progress).Write(output);
        _points.Clear();
        _progress = null;
        _flushed = Stopwatch.GetTimestamp();
    }
}

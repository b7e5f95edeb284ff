using System.Diagnostics;
using MetaOpt.Storage;
using Microsoft.Extensions.Logging;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// Keeps one lease alive from a thread of its own, every third of its duration. Without success for 0.8 of it the lease is in
/// doubt: nothing may be written until a beat succeeds again. Only the database's word ends it.
/// </summary>
sealed class Heartbeat : IDisposable
{
    readonly RunQueue _queue;
    readonly Lease _lease;
    readonly TimeSpan _ttl;
    readonly ILogger _log;
    readonly CancellationTokenSource _end = new(), _lost = new(), _cancelRequested = new(), _yieldRequested = new(),
        _outOfTime = new();
    readonly SemaphoreSlim _wake = new(0);
    readonly Thread _thread;
    TaskCompletionSource _renewed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long _asked;

    /// <param name="queue">On connections of its own, so that a long write never delays a beat.</param>
    /// <param name="lease">The lease.</param>
    /// <param name="claimed">Stopwatch time just before it was asked for.</param>
    /// <param name="ttl">Its duration.</param>
    /// <param name="log">Hears of trouble.</param>
    public Heartbeat(RunQueue queue, Lease lease, long claimed, TimeSpan ttl, ILogger log)
    {
        (_queue, _lease, _ttl, _log, _asked) = (queue, lease, ttl, log, claimed);
        _thread = new Thread(Beat) { IsBackground = true, Name = "heartbeat" };
        _thread.Start();
    }

    /// <summary>The run is no longer ours.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Somebody wants it cancelled.</summary>
    public CancellationToken CancelRequested => _cancelRequested.Token;

    /// <summary>It is to be handed back at its next resume point.</summary>
    public CancellationToken YieldRequested => _yieldRequested.Token;

    /// <summary>It has used up its time.</summary>
    public CancellationToken OutOfTime => _outOfTime.Token;

    // Measured from before the last successful beat was asked for: the database's clock cannot have started later.
    bool InDoubt => Stopwatch.GetElapsedTime(Interlocked.Read(ref _asked)) > 0.8 * _ttl;

    /// <summary>Beats at once: something about the run changed.</summary>
    public void Wake() => _wake.Release();

    /// <summary>Returns when the lease certainly holds.</summary>
    /// <exception cref="OperationCanceledException">It is lost, or <paramref name="cancel"/> fired.</exception>
    public async Task HoldsAsync(CancellationToken cancel)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, Lost);
        while (true)
        {
            var renewed = Volatile.Read(ref _renewed).Task;
            either.Token.ThrowIfCancellationRequested();
            if (!InDoubt) return;
            await renewed.WaitAsync(either.Token);
        }
    }

    /// <summary>
    /// After the loss, of a child that was well: it was the database that could not be reached, and the run is not to blame.
    /// </summary>
    public async Task ReportCutOffAsync() => await _queue.ReportCutOffAsync(_lease, _end.Token);

    void Beat()
    {
        var (interval, troubled) = (_ttl / 3, false);
        while (true)
        {
            try
            {
                // After a failure sooner: what is left of the lease is short.
                _wake.Wait(troubled ? interval / 4 : interval, _end.Token);
                var asked = Stopwatch.GetTimestamp();
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
                patience.CancelAfter(interval);
                var beat = _queue.HeartbeatAsync(_lease, _ttl, patience.Token).GetAwaiter().GetResult();
                if (beat == MetaOpt.Storage.Beat.Lost)
                {
                    _lost.Cancel();
                    return;
                }
                Interlocked.Exchange(ref _asked, asked);
                Interlocked.Exchange(ref _renewed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
                if (troubled) _log.DatabaseBack(_lease.RunId);
                troubled = false;
                (beat switch
                {
                    MetaOpt.Storage.Beat.CancelRequested => _cancelRequested,
                    MetaOpt.Storage.Beat.YieldRequested => _yieldRequested,
                    MetaOpt.Storage.Beat.OutOfTime => _outOfTime,
                    _ => null,
                })?.Cancel();
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
                return;
            }
            catch (Exception trouble)
            {
                _queue.Database.IsAway(trouble);
                if (!troubled) _log.BeatFailed(_lease.RunId, trouble.Message);
                troubled = true;
            }
        }
    }

    /// <summary>Stops beating; the lease then ends by itself, unless it was given up.</summary>
    public void Dispose()
    {
        _end.Cancel();
        _thread.Join();
        _end.Dispose();
    }
}

using System.Collections.Concurrent;
using MetaOpt.Storage;

namespace MetaOpt.Api.Runs;

/// <summary>One listening connection for the whole process, fanned out to the streams that wait for a run.</summary>
sealed class RunChanges(RunQueue queue) : BackgroundService
{
    readonly ConcurrentDictionary<Guid, ConcurrentDictionary<SemaphoreSlim, byte>> _waiting = new();

    /// <summary>Completes when the run changed state, or after <paramref name="atMost"/>.</summary>
    public async Task WaitAsync(Guid run, TimeSpan atMost, CancellationToken cancel)
    {
        using var signal = new SemaphoreSlim(0);
        var waiters = _waiting.GetOrAdd(run, _ => new());
        waiters[signal] = 0;
        try
        {
            await signal.WaitAsync(atMost, cancel);
        }
        finally
        {
            waiters.TryRemove(signal, out _);
            if (waiters.IsEmpty) _waiting.TryRemove(new(run, waiters));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var change in queue.ListenAsync(stoppingToken))
            if (_waiting.TryGetValue(change.RunId, out var waiters))
                foreach (var signal in waiters.Keys)
                    try
                    {
                        signal.Release();
                    }
                    catch (ObjectDisposedException)
                    {
                        // It stopped waiting just now.
                    }
    }
}

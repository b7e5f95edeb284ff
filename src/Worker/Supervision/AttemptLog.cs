using System.Collections.Concurrent;

namespace MetaOpt.Workers.Supervision;

/// <summary>What an attempt has to say and nobody stored yet: the child's lines and the worker's own. Bounded.</summary>
sealed class AttemptLog
{
    const int MostLines = 1000;
    static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    readonly ConcurrentQueue<string> _lines = new();
    int _said;

    /// <summary>Keeps a line; beyond the bound it is dropped, and the log says so once.</summary>
    public void Say(string line)
    {
        var said = Interlocked.Increment(ref _said);
        if (said <= MostLines) _lines.Enqueue(line);
        else if (said == MostLines + 1) _lines.Enqueue($"(more than {MostLines} lines: the rest of this attempt's is left out)");
    }

    /// <summary>Stores what there is about every second until <paramref name="stop"/>.</summary>
    public async Task KeepStoringAsync(Func<IReadOnlyList<string>, Task> store, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(s_interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop)) await StoreAsync(store);
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Stores what there is.</summary>
    public async Task StoreAsync(Func<IReadOnlyList<string>, Task> store)
    {
        var lines = new List<string>();
        while (_lines.TryDequeue(out var line)) lines.Add(line);
        if (lines.Count > 0) await store(lines);
    }
}

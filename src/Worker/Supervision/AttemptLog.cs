using System.Collections.Concurrent;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// Lines of an attempt's log that are not stored yet: the child's, which are bounded, and the worker's own few.
/// </summary>
sealed class AttemptLog
{
    const int MostLines = 1000;
    static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    readonly ConcurrentQueue<string> _lines = new();
    int _printed;

    /// <summary>
    /// Keeps a line of the worker's own: how an attempt began and ended is in its log however much the child printed.
    /// </summary>
    public void Say(string line) => _lines.Enqueue(line);

    /// <summary>
    /// Keeps a line of the child's; beyond the bound it is dropped and the answer is false, and the log says so once.
    /// </summary>
    public bool Print(string line)
    {
        var printed = Interlocked.Increment(ref _printed);
        if (printed <= MostLines) _lines.Enqueue(line);
        else if (printed == MostLines + 1)
            _lines.Enqueue($"(more than {MostLines} lines: the rest of this attempt's is left out)");
        return printed <= MostLines;
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

using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace MetaOpt.Compute;

/// <summary>
/// Persistent threads that share the chunks of one job at a time. One 64-bit ticket holds the job's number and how many
/// chunks are unclaimed; a chunk is claimed by lowering it with compare-and-swap, so a thread that wakes late can never
/// take a chunk of another job than the one it read. Threads spin briefly for the next job, then block.
/// </summary>
sealed unsafe class WorkerPool : IDisposable
{
    const int Spins = 2000;
    readonly Thread[] _workers;
    readonly SemaphoreSlim _wake = new(0);
    readonly ManualResetEventSlim _finished = new(false, 0);
    readonly Lock _start = new();
    long _ticket;
    delegate*<void*, int, void> _invoke;
    void* _job;
    int _chunks;
    int _done;
    int _sleeping;
    int _callerWaits;
    volatile bool _stop;
    Exception? _error;

    [ThreadStatic]
    static bool s_inChunk;

    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Thread[threads - 1];
        for (var i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Thread(Work, 4 << 20) { IsBackground = true, Name = $"kernels {i + 1}" };
            _workers[i].Start();
        }
    }

    public int Threads { get; }

    public void Run<TJob>(int chunks, ref TJob job) where TJob : struct, IChunkJob
    {
        if (chunks <= 1 || _workers.Length == 0 || s_inChunk || !_start.TryEnter())
        {
            for (var chunk = 0; chunk < chunks; chunk++) job.Run(chunk);
            return;
        }
        try
        {
            // The job lies in the caller's frame, which does not move and outlives the chunks.
            Share(chunks, &Invoke<TJob>, Unsafe.AsPointer(ref job));
        }
        finally
        {
            _start.Exit();
        }
    }

    static void Invoke<TJob>(void* job, int chunk) where TJob : struct, IChunkJob => Unsafe.AsRef<TJob>(job).Run(chunk);

    void Share(int chunks, delegate*<void*, int, void> invoke, void* job)
    {
        _invoke = invoke;
        _job = job;
        _chunks = chunks;
        _error = null;
        Volatile.Write(ref _done, 0);
        Volatile.Write(ref _callerWaits, 0);
        Interlocked.Exchange(ref _ticket, ((_ticket >> 32) + 1) << 32 | (uint)chunks);
        WakeSleepers(chunks - 1);
        while (TakeChunk()) { }
        for (var spin = 0; Volatile.Read(ref _done) < chunks && spin < Spins; spin++) Thread.SpinWait(10);
        while (Volatile.Read(ref _done) < chunks)
        {
            _finished.Reset(); // a thread that was late with the previous job may have set it
            Interlocked.Exchange(ref _callerWaits, 1);
            if (Volatile.Read(ref _done) < chunks) _finished.Wait();
        }
        if (_error is { } error) ExceptionDispatchInfo.Throw(error);
    }

    bool TakeChunk()
    {
        while (true)
        {
            var ticket = Volatile.Read(ref _ticket);
            var unclaimed = (int)(uint)ticket;
            if (unclaimed == 0) return false;
            var invoke = _invoke;
            var job = _job;
            var chunks = _chunks;
            if (Interlocked.CompareExchange(ref _ticket, ticket - 1, ticket) != ticket) continue;
            RunChunk(invoke, job, chunks - unclaimed);
            if (Interlocked.Increment(ref _done) == chunks && Volatile.Read(ref _callerWaits) == 1) _finished.Set();
            return true;
        }
    }

    void RunChunk(delegate*<void*, int, void> invoke, void* job, int chunk)
    {
        s_inChunk = true;
        try
        {
            invoke(job, chunk);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _error, exception, null);
        }
        finally
        {
            s_inChunk = false;
        }
    }

    void Work()
    {
        while (!_stop)
        {
            if (TakeChunk()) continue;
            var found = false;
            for (var spin = 0; spin < Spins && !found && !_stop; spin++)
            {
                Thread.SpinWait(10);
                found = (uint)Volatile.Read(ref _ticket) != 0;
            }
            if (found || _stop) continue;
            Interlocked.Increment(ref _sleeping);
            if (((uint)Volatile.Read(ref _ticket) == 0 && !_stop) || ClaimSleepers(1) == 0) _wake.Wait();
        }
    }

    void WakeSleepers(int most)
    {
        var count = ClaimSleepers(most);
        if (count > 0) _wake.Release(count);
    }

    /// <summary>
    /// Takes up to <paramref name="most"/> threads off the count of sleepers: whoever does owes each of them a wake-up.
    /// </summary>
    int ClaimSleepers(int most)
    {
        while (true)
        {
            var sleeping = Volatile.Read(ref _sleeping);
            var count = Math.Min(sleeping, most);
            if (count <= 0) return 0;
            if (Interlocked.CompareExchange(ref _sleeping, sleeping - count, sleeping) == sleeping) return count;
        }
    }

    public void Dispose()
    {
        _stop = true;
        if (_workers.Length > 0) _wake.Release(_workers.Length);
        foreach (var worker in _workers) worker.Join();
        _wake.Dispose();
        _finished.Dispose();
    }
}

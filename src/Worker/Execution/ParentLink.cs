using System.Diagnostics;

namespace MetaOpt.Workers.Execution;

/// <summary>
/// The child's side of its input after the job: frames that say that the worker lives. At their end, or after too long a
/// silence, the process exits at once: whoever executes the run by then must not compete with it.
/// </summary>
sealed class ParentLink(Stream input, TimeSpan silence)
{
    long _heard = Stopwatch.GetTimestamp();

    /// <summary>Watches from now on, on threads of its own.</summary>
    public void Watch()
    {
        new Thread(Listen) { IsBackground = true, Name = "worker's pipe" }.Start();
        new Thread(Guard) { IsBackground = true, Name = "worker's silence" }.Start();
    }

    void Listen()
    {
        try
        {
            while (Frame.Read(input) is not null) Interlocked.Exchange(ref _heard, Stopwatch.GetTimestamp());
        }
        catch (Exception broken) when (broken is IOException or InvalidDataException)
        {
            Console.Error.WriteLine($"The worker's pipe broke: {broken.Message}");
        }
        Native.ExitNow(ChildExit.Abandoned);
    }

    void Guard()
    {
        // Twice in a row: after this process itself was stopped for a while, what it was sent meanwhile is heard first.
        for (var silent = 0; silent < 2;)
        {
            Thread.Sleep(silence / 8);
            silent = Stopwatch.GetElapsedTime(Interlocked.Read(ref _heard)) > silence ? silent + 1 : 0;
        }
        Console.Error.WriteLine($"The worker was silent for {silence.TotalSeconds:0.#} s.");
        Native.ExitNow(ChildExit.Abandoned);
    }
}

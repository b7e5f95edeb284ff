using System.Runtime.InteropServices;

namespace MetaOpt.Cli.Services;

/// <summary>Calls of the C library that .NET has no name for.</summary>
static class Signals
{
    const int SigTerm = 15, StandardOutput = 1;

    /// <summary>Asks a process to end.</summary>
    public static void Terminate(int process) => kill(process, SigTerm);

    /// <summary>
    /// Returns when nobody can read standard output any more: the other end of its pipe is closed, or its terminal. Never returns
    /// for a file. .NET ignores SIGPIPE and drops what is written to such a pipe, so that nothing else tells.
    /// </summary>
    public static void WaitUntilOutputIsUnread()
    {
        var output = new PollEntry { File = StandardOutput };
        // Without events it waits for errors and hang-ups only; a signal interrupts it.
        while (poll(ref output, 1, -1) < 1)
        {
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    struct PollEntry
    {
        public int File;
        public short Events, Found;
    }

    [DllImport("libc")]
    static extern int kill(int process, int signal);

    [DllImport("libc")]
    static extern int poll(ref PollEntry entries, nuint count, int timeoutMs);
}

using System.Runtime.InteropServices;

namespace MetaOpt.Workers;

/// <summary>What .NET does not offer of the operating system.</summary>
static partial class Native
{
    public const int SigTerm = 15;
    public const int SigKill = 9;

    /// <summary>Ends the process without waiting for anything, handlers and other threads included.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int code);

    /// <summary>Sends a signal; a process that is gone is none of our concern.</summary>
    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Signal(int process, int signal);
}

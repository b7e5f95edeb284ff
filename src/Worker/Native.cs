using System.Runtime.InteropServices;

namespace MetaOpt.Workers;

/// <summary>Calls of the operating system that .NET does not offer.</summary>
static partial class Native
{
    public const int SigTerm = 15;
    public const int SigKill = 9;

    /// <summary>Ends the process without waiting for anything, handlers and other threads included.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int code);

    /// <summary>
    /// Standard output as a stream that only the caller writes to: whatever else is printed there from now on, by native code
    /// too, goes to standard error, line by line.
    /// </summary>
    /// <exception cref="IOException">The descriptors cannot be changed.</exception>
    public static Stream TakeStandardOutput()
    {
        var output = Console.OpenStandardOutput(); // .NET duplicates the descriptor
        if (Duplicate(StandardError, StandardOutput) < 0)
            throw new IOException($"Standard output cannot be redirected: {Marshal.GetLastPInvokeErrorMessage()}");
        // C's own buffer would keep lines back until it is full.
        _ = SetBuffer(Marshal.ReadIntPtr(NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "stdout")), 0,
            LineBuffered, 0);
        return output;
    }

    const int StandardOutput = 1, StandardError = 2, LineBuffered = 1;

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "setvbuf")]
    private static partial int SetBuffer(nint stream, nint buffer, int mode, nuint size);

    /// <summary>Sends a signal; a process that is gone is none of our concern.</summary>
    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Signal(int process, int signal);
}

using System.Runtime.InteropServices;

// .NET looks for this name, outside of any namespace, in the assembly that DOTNET_STARTUP_HOOKS names.
#pragma warning disable CA1050

/// <summary>
/// Makes a child of the worker print, past .NET, from the time that it computes on, as native code in it would.
/// </summary>
static partial class StartupHook
{
    /// <summary>How many times it prints in each way.</summary>
    public const int Times = 40;

    const string EndOfLine = "\n";

    public static void Initialize()
    {
        var printing = new Thread(Print) { IsBackground = true };
        printing.Start();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => printing.Join();
    }

    static void Print()
    {
        while (!HasThread("worker's pipe")) Thread.Sleep(1);
        for (var i = 1; i <= Times; i++)
        {
            var line = System.Text.Encoding.ASCII.GetBytes($"written {i}{EndOfLine}");
            _ = write(1, line, line.Length);
            _ = puts($"put {i}");
            Thread.Sleep(1);
        }
    }

    /// <summary>The thread that the child starts when it has read its input.</summary>
    static bool HasThread(string name) => Directory.EnumerateDirectories("/proc/self/task").Any(task =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm")).TrimEnd() == name;
        }
        catch (IOException)
        {
            return false;
        }
    });

    [LibraryImport("libc")]
    private static partial nint write(int descriptor, byte[] bytes, nint count);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int puts(string line);
}

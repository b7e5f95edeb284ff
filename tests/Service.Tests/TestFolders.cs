using System.Diagnostics;

namespace MetaOpt.Service.Tests;

/// <summary>
/// Folders of this test process. However it ends, also by kill -9, a guard process then stops the database servers that were
/// started in them and removes all of it: its standard input ends when we do.
/// </summary>
public static class TestFolders
{
    const string Guard =
        """
        exec >/dev/null 2>&1
        cat
        for file in "$0"/*/postgres/*/cluster/postmaster.pid; do
          pid=$(head -n 1 "$file") && [ "/proc/$pid/cwd" -ef "${file%/*}" ] && kill -QUIT "$pid" && while [ -e "$file" ] && kill -0 "$pid"; do sleep 0.1; done
        done
        rm -rf "$0"
        """;

    // The guard is held, because a collected one would close its input: the guard's signal.
    static readonly Lazy<(string Folder, Process Guard)> s_root = new(MakeRoot);
    static int s_count;

    /// <summary>A new empty folder that other accounts may enter, as a dropped root needs.</summary>
    public static string New(string name) =>
        Directory.CreateDirectory(Path.Combine(s_root.Value.Folder, $"{name}-{Interlocked.Increment(ref s_count)}")).FullName;

    static (string, Process) MakeRoot()
    {
        var root = Path.Combine(Path.GetTempPath(), $"metaopt-tests-{Environment.ProcessId}");
        Directory.CreateDirectory(root, (UnixFileMode)0b111_101_101);
        var guard = new ProcessStartInfo("setsid", ["--fork", "sh", "-c", Guard, root]) { RedirectStandardInput = true };
        return (root, Process.Start(guard)!);
    }
}

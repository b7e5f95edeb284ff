using System.Diagnostics;
using System.Runtime.InteropServices;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>What a measurement was made on, and what the system says of this process.</summary>
static partial class Machine
{
    /// <summary>One line: processor, cores, kernel set and vector width, .NET, commit.</summary>
    public static string Describe()
    {
        using var kernels = KernelSets.Create("auto", 1);
        return $"{Processor()}, {Environment.ProcessorCount} cores, {kernels.Name} {kernels.VectorBits} bits, "
            + $".NET {Environment.Version}, commit {Commit()}";
    }

    static string Processor()
    {
        if (!File.Exists("/proc/cpuinfo")) return RuntimeInformation.ProcessArchitecture.ToString();
        var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':') + 1)..].Trim();
    }

    // "+" after it: the checkout has changes that the commit does not.
    static string Commit()
    {
        var commit = Git("rev-parse", "--short", "HEAD");
        return commit is null ? "unknown" : Git("status", "--porcelain", "--untracked-files=no") is "" ? commit : commit + "+";
    }

    static string? Git(params string[] arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["-C", AppContext.BaseDirectory, .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var output = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return git.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Bytes that a process may still take before the system has to swap (MemAvailable).</summary>
    public static long FreeBytes() => ReadKilobytes("/proc/meminfo", "MemAvailable:");

    /// <summary>The most memory this process ever had (VmHWM), bytes.</summary>
    public static long PeakBytes() => ReadKilobytes("/proc/self/status", "VmHWM:");

    static long ReadKilobytes(string file, string key)
    {
        var line = File.ReadLines(file).First(l => l.StartsWith(key, StringComparison.Ordinal));
        return 1024 * long.Parse(line[key.Length..^2], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Page faults of this process that needed no disk (getrusage, ru_minflt); reading it allocates nothing.</summary>
    public static unsafe long PageFaults()
    {
        var usage = stackalloc long[18];
        return ResourceUsage(0, usage) == 0 ? usage[8] : throw new InvalidOperationException("getrusage failed.");
    }

    /// <summary>Processor time of the calling thread, seconds.</summary>
    public static unsafe double ThreadSeconds()
    {
        var usage = stackalloc long[18];
        return ResourceUsage(1, usage) == 0 ? usage[0] + usage[2] + 1e-6 * (usage[1] + usage[3]) : double.NaN;
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static unsafe partial int ResourceUsage(int who, long* usage);
}

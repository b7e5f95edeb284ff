using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>A worker as a process, and its children.</summary>
public sealed partial class WorkerProcess : IDisposable
{
    public const int Kill = 9, Term = 15, Continue = 18, Stop = 19;

    public const string Secret = "a-secret-of-the-worker";

    readonly Process _process;
    readonly ConcurrentQueue<string> _log = new();

    public WorkerProcess(string name, string connectionString, IEnumerable<string> arguments, int nice = 0,
        string program = "metaopt-worker.dll")
    {
        Name = name;
        var start = new ProcessStartInfo("nice",
            ["-n", $"{nice}", "dotnet", Path.Combine(AppContext.BaseDirectory, program), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["METAOPT_DATABASE_URL"] = connectionString;
        // What its children must not see.
        start.Environment["METAOPT_TOKEN"] = start.Environment["PGPASSWORD"] = Secret;
        // Its input ends when the tests do, however they end.
        start.Environment["METAOPT_STOP_AT_END_OF_INPUT"] = "1";
        _process = Process.Start(start)!;
        var file = TestLogs.Open($"worker-{name}.log");
        void Hear(object sender, DataReceivedEventArgs e)
        {
            _log.Enqueue(e.Data ?? "");
            file.WriteLine(e.Data);
        }
        _process.OutputDataReceived += Hear;
        _process.ErrorDataReceived += Hear;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Name { get; }

    public string Log => string.Join('\n', _log);

    public bool HasExited => _process.HasExited;

    /// <summary>Process ids of the children that execute runs.</summary>
    public IReadOnlyList<int> Children => [.. Directory.EnumerateDirectories("/proc")
        .Select(d => int.TryParse(Path.GetFileName(d), out var id) ? id : 0).Where(id => id > 0 && IsChild(id))];

    public void Signal(int signal) => SignalProcess(_process.Id, signal);

    public static void SignalProcess(int process, int signal) => _ = kill(process, signal);

    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience.Limit);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            foreach (var child in Children) SignalProcess(child, Kill);
            Signal(Kill);
            _process.WaitForExit();
        }
    }

    bool IsChild(int id)
    {
        try
        {
            // Behind the name in parentheses: state, parent.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1]) == _process.Id
                && File.ReadAllText($"/proc/{id}/cmdline").TrimEnd('\0').EndsWith("execute", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}

using System.Collections.Concurrent;
using System.Diagnostics;

namespace MetaOpt.Service.Tests.Api;

/// <summary>The API as an operator starts it. Its input ends when the tests do, however they end.</summary>
public sealed class ApiProcess : IDisposable
{
    const string Listening = "Now listening on: ";

    readonly string _home = TestFolders.New("api-process");
    readonly Process _process;
    readonly ConcurrentQueue<string> _log = new();
    readonly TextWriter _file = TestLogs.Open("api.log");
    readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ApiProcess(string connectionString, params string[] arguments)
        : this([], connectionString, arguments)
    {
    }

    /// <summary>By a command that runs another one.</summary>
    public ApiProcess(IReadOnlyList<string> prefix, string connectionString, params string[] arguments)
    {
        string[] command = [.. prefix, "dotnet", Path.Combine(AppContext.BaseDirectory, "metaopt-api.dll"), .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["METAOPT_DATABASE_URL"] = connectionString;
        start.Environment["METAOPT_HOME"] = _home;
        start.Environment["METAOPT_STOP_AT_END_OF_INPUT"] = "1";
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, e) => Hear(e.Data ?? "");
        _process.ErrorDataReceived += (_, e) => Hear(e.Data ?? "");
        _process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException($"The API ended: {Log}"));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Where it listens, once it does.</summary>
    public Task<Uri> AddressAsync() => _address.Task.WaitAsync(Patience.Limit);

    /// <summary>Holds the administrator's token, once it listens.</summary>
    public string AdminTokenFile => Path.Combine(_home, "admin-token");

    public string Log => string.Join('\n', _log);

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    void Hear(string line)
    {
        _log.Enqueue(line);
        _file.WriteLine(line);
        if (line.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at)
            _address.TrySetResult(new Uri(line[(at + Listening.Length)..].Trim()));
    }
}

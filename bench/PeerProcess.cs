using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace MetaOpt.Bench;

/// <summary>The work that a peer reads: named float32 tensors as raw files, and a JSON index. The folder goes with it.</summary>
sealed class PeerFolder : IDisposable
{
    readonly JsonObject _tensors = [];

    /// <summary>A temporary folder.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("metaopt-bench-").FullName;

    /// <summary>Adds a tensor, row-major.</summary>
    public void Add(string name, ReadOnlySpan<float> values, params int[] shape)
    {
        using var file = File.Create($"{Path}/{name}.f32");
        file.Write(MemoryMarshal.AsBytes(values));
        _tensors[name] = new JsonArray([.. shape.Select(d => JsonValue.Create(d))]);
    }

    /// <summary>Writes the index: the settings and the tensors' shapes.</summary>
    public void Finish(JsonObject settings)
    {
        settings["tensors"] = _tensors;
        File.WriteAllText($"{Path}/index.json", settings.ToJsonString());
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>A Python process with PyTorch that answers one JSON line with another; see bench/peers/serve.py.</summary>
sealed class PeerProcess : IDisposable
{
    readonly Process _process;
    readonly List<string> _errors = [];

    /// <exception cref="BenchException">No Python on this machine has PyTorch, or the peer did not start.</exception>
    public PeerProcess(PeerFolder work)
    {
        var python = FindPython() ?? throw new BenchException(
            "PyTorch is missing. Install it with: sudo apt-get install -y python3-torch python3-numpy libopenblas0-pthread");
        _process = Start(python, $"{AppContext.BaseDirectory}/peers/serve.py", work.Path);
        _process.ErrorDataReceived += (_, line) => { if (line.Data is { } text) lock (_errors) _errors.Add(text); };
        _process.BeginErrorReadLine();
        Hello = Read();
    }

    /// <summary>What the peer says of itself: the versions of PyTorch and of its BLAS.</summary>
    public JsonObject Hello { get; }

    /// <summary>A Python whose <c>import torch</c> works, or null.</summary>
    public static string? FindPython() => new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(HasTorch);

    static bool HasTorch(string python)
    {
        try
        {
            using var process = Start(python, "-c", "import numpy, torch");
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    static Process Start(string python, params string[] arguments)
    {
        var start = new ProcessStartInfo(python, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // The peer sets its number of threads itself; it writes nothing next to the scripts.
        start.Environment.Remove("OMP_NUM_THREADS");
        start.Environment.Remove("OPENBLAS_NUM_THREADS");
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        return Process.Start(start)!;
    }

    /// <summary>One request, and its answer.</summary>
    /// <exception cref="BenchException">The peer is gone; the message holds its last words.</exception>
    public JsonObject Ask(JsonObject request)
    {
        try
        {
            _process.StandardInput.WriteLine(request.ToJsonString());
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // Read tells why.
        }
        return Read();
    }

    JsonObject Read()
    {
        if (_process.StandardOutput.ReadLine() is { } line) return JsonNode.Parse(line)!.AsObject();
        _process.WaitForExit();
        lock (_errors)
            throw new BenchException($"The PyTorch peer ended ({_process.ExitCode}):\n{string.Join('\n', _errors.TakeLast(5))}");
    }

    /// <summary>Processor time of all its threads so far, seconds.</summary>
    public double ProcessorSeconds()
    {
        _process.Refresh();
        return _process.TotalProcessorTime.TotalSeconds;
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(2000)) _process.Kill();
        _process.Dispose();
    }
}

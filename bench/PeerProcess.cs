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

/// <summary>
/// A program that does the same work elsewhere, and how to start it; what it is asked stands in bench/peers/serve.py.
/// </summary>
/// <param name="Name">What tables call it.</param>
/// <param name="Command">Program and arguments, before the folder with the work.</param>
sealed record Peer(string Name, IReadOnlyList<string> Command)
{
    /// <summary>PyTorch in the first Python that has it, or null.</summary>
    public static Peer? PyTorch() => new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(HasTorch) is { } python
        ? new("PyTorch", [python, $"{AppContext.BaseDirectory}/peers/serve.py"])
        : null;

    /// <summary>libtorch through TorchSharp, in the output of its own build (-p:Gpu=cpu), or null.</summary>
    public static Peer? LibTorch()
    {
        var here = new DirectoryInfo(AppContext.BaseDirectory);
        var output = here.Parent?.Parent?.Parent?.FullName ?? "/";
        var program = Path.Combine(output, "gpu-cpu", "bin", "MetaOpt.Bench.LibTorch", here.Name, "metaopt-peer-libtorch.dll");
        return File.Exists(program) ? new("libtorch", ["dotnet", program]) : null;
    }

    static bool HasTorch(string python)
    {
        try
        {
            using var process = Start([python, "-c", "import numpy, torch"]);
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    /// <summary>Starts it on the work of a folder.</summary>
    public Process StartOn(PeerFolder work) => Start([.. Command, work.Path]);

    static Process Start(IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
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
}

/// <summary>A peer that runs and answers one JSON line with another.</summary>
sealed class PeerProcess : IDisposable
{
    readonly Peer _peer;
    readonly Process _process;
    readonly List<string> _errors = [];

    /// <exception cref="BenchException">The peer did not start.</exception>
    public PeerProcess(Peer peer, PeerFolder work)
    {
        (_peer, _process) = (peer, peer.StartOn(work));
        _process.ErrorDataReceived += (_, line) => { if (line.Data is { } text) lock (_errors) _errors.Add(text); };
        _process.BeginErrorReadLine();
        Hello = Read();
    }

    /// <summary>What the peer says of itself: the versions of PyTorch and of its BLAS, and the variants that it knows.</summary>
    public JsonObject Hello { get; }

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
            throw new BenchException(
                $"The peer {_peer.Name} ended ({_process.ExitCode}):\n{string.Join('\n', _errors.TakeLast(5))}");
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

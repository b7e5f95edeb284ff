using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Workers.Data;
using MetaOpt.Workers.Supervision;

namespace MetaOpt.Workers.Execution;

/// <summary>
/// <c>metaopt-worker examine FOLDER NAME</c>: reads one network and writes what it is as JSON. It is a process of its own because
/// libtorch ends the process that loads certain damaged files.
/// </summary>
static class Examination
{
    const int KeptLines = 5;
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>The child: see <see cref="NetworkFolder.Examine"/>.</summary>
    public static int Run(string dataFolder, string name)
    {
        using var output = Native.TakeStandardOutput();
        Flavour.AddKernelSets();
        JsonSerializer.Serialize(output, new DataFolder(dataFolder, Flavour.ReadNetwork).Examine(name));
        return ChildExit.Done;
    }

    /// <summary>The worker's side: what the child wrote, or an <c>error</c> that says how it ended.</summary>
    public static async Task<JsonObject> StartAsync(string dataFolder, string name, CancellationToken cancel,
        string? program = null)
    {
        var start = ChildProcess.Prepare(program, "examine", dataFolder, name);
        start.Environment["CUDA_VISIBLE_DEVICES"] = "";
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var last = new Queue<string>();
        var printed = LogLines.ReadAsync(process.StandardError, line =>
        {
            last.Enqueue(line);
            if (last.Count > KeptLines) last.Dequeue();
        });
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(s_patience);
        try
        {
            var answer = await process.StandardOutput.ReadToEndAsync(patience.Token);
            await process.WaitForExitAsync(patience.Token);
            if (process.ExitCode == ChildExit.Done) return (JsonObject)JsonNode.Parse(answer)!;
            await printed.WaitAsync(patience.Token);
            return Failed(string.Join(" | ", last.Prepend(ChildProcess.Describe(process.ExitCode))));
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Failed($"it took more than {s_patience.TotalSeconds} seconds");
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }

        JsonObject Failed(string why) => new() { ["name"] = name, ["error"] = $"The file cannot be loaded: {why}" };
    }
}

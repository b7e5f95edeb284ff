using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using MetaOpt.Bench.LibTorch;
using static TorchSharp.torch;

// metaopt-peer-libtorch FOLDER: the protocol of ../peers/serve.py over libtorch. Work comes from FOLDER (index.json, raw float32
// files); each JSON line of the input is answered with another.
var folder = args[0];
var settings = JsonNode.Parse(File.ReadAllText($"{folder}/index.json"))!.AsObject();
var data = settings["tensors"]!.AsObject().ToDictionary(t => t.Key, t =>
{
    var values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes($"{folder}/{t.Key}.f32")).ToArray();
    return tensor(values).reshape([.. t.Value!.AsArray().GetValues<long>()]);
});
var works = new Dictionary<string, IWork>();
Answer(new()
{
    ["torch"] = __version__,
    ["blas"] = "libtorch's own",
    ["variants"] = new JsonArray("cell", "fused", "decoupled-loop")
});
while (Console.ReadLine() is { } line)
{
    var request = JsonNode.Parse(line)!;
    if ((string)request["do"]! == "peak")
    {
        var peak = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("VmHWM", StringComparison.Ordinal));
        Answer(new() { ["bytes"] = 1024 * long.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) });
        continue;
    }
    var variant = (string)request["variant"]!;
    if (!works.TryGetValue(variant, out var work))
        works[variant] = work = (string)settings["work"]! == "inner-step"
            ? new InnerStep(data, settings, variant)
            : new MetaStep(data, settings, variant);
    set_num_threads((int?)request["threads"] ?? 1);
    Answer((string)request["do"]! == "result"
        ? new()
        {
            ["result"] =
            new JsonArray([.. work.Result().Select(t => new JsonArray([.. t.Select(x => JsonValue.Create(x))]))])
        }
        : new() { ["seconds"] = Measure(work, (double)request["seconds"]!) });
}

static void Answer(JsonObject answer)
{
    Console.WriteLine(answer.ToJsonString());
    Console.Out.Flush();
}

// The mean of as many runs as fit, at least one.
static double Measure(IWork work, double seconds)
{
    var (runs, start) = (0, Stopwatch.GetTimestamp());
    while (runs == 0 || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
    {
        work.Run();
        runs++;
    }
    return Stopwatch.GetElapsedTime(start).TotalSeconds / runs;
}

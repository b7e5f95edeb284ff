using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace MetaOpt.Evaluation;

/// <summary>How one contestant did on the test instances.</summary>
sealed class Trial
{
    public required string Name { get; init; }
    public required bool Learned { get; init; }
    public required double? LearningRate { get; init; }

    /// <summary>The search that found <see cref="LearningRate"/>; null when it was given.</summary>
    public required IReadOnlyList<TunedRate>? Grid { get; init; }

    /// <summary>f(theta_1) .. f(theta_horizon) over instances: mean, median, p10, p90 at each step.</summary>
    public required double[][] Bands { get; init; }

    /// <summary>f(theta_horizon) of each instance.</summary>
    public required double[] Final { get; init; }

    /// <summary>Mean of f(theta_1) .. f(theta_horizon) of each instance.</summary>
    public required double[] Average { get; init; }

    public required int Diverged { get; init; }

    /// <summary>theta_horizon of the instances that are kept, one after the other.</summary>
    public required float[] Thetas { get; init; }

    /// <summary>Wall-clock time of one inner step of one instance: a measurement, never compared for equality.</summary>
    public required double SecondsPerStep { get; init; }

    /// <summary>The names of <see cref="Bands"/>.</summary>
    public static IReadOnlyList<string> BandNames { get; } = ["mean", "median", "p10", "p90"];

    /// <summary>All of it, exactly: part of a resume point.</summary>
    public JsonObject Save() => new()
    {
        ["name"] = Name,
        ["learned"] = Learned,
        ["learningRate"] = LearningRate,
        ["grid"] = Grid is null ? null : new JsonArray([.. Grid.Select(g => (JsonNode)Pack([g.LearningRate, g.Score, g.Instances, g.Diverged]))]),
        ["bands"] = new JsonArray([.. Bands.Select(b => (JsonNode)Pack(b))]),
        ["final"] = Pack(Final),
        ["average"] = Pack(Average),
        ["diverged"] = Diverged,
        ["thetas"] = Convert.ToBase64String(MemoryMarshal.AsBytes<float>(Thetas)),
        ["secondsPerStep"] = SecondsPerStep,
    };

    /// <summary>The inverse of <see cref="Save"/>.</summary>
    public static Trial Load(JsonNode saved) => new()
    {
        Name = (string)saved["name"]!,
        Learned = (bool)saved["learned"]!,
        LearningRate = (double?)saved["learningRate"],
        Grid = saved["grid"]?.AsArray().Select(g => Unpack(g!)).Select(g => new TunedRate(g[0], g[1], (int)g[2], (int)g[3])).ToList(),
        Bands = [.. saved["bands"]!.AsArray().Select(b => Unpack(b!))],
        Final = Unpack(saved["final"]!),
        Average = Unpack(saved["average"]!),
        Diverged = (int)saved["diverged"]!,
        Thetas = MemoryMarshal.Cast<byte, float>(Convert.FromBase64String((string)saved["thetas"]!)).ToArray(),
        SecondsPerStep = (double)saved["secondsPerStep"]!,
    };

    /// <summary>Doubles, infinities included, in a JSON text.</summary>
    public static string Pack(double[] values) => Convert.ToBase64String(MemoryMarshal.AsBytes<double>(values));

    /// <summary>The inverse of <see cref="Pack"/>.</summary>
    public static double[] Unpack(JsonNode text) => MemoryMarshal.Cast<byte, double>(Convert.FromBase64String((string)text!)).ToArray();
}

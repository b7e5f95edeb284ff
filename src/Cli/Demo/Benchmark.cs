using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Demo;

/// <summary>One contestant of an evaluation's result.</summary>
/// <param name="Name">Name in the report.</param>
/// <param name="Learned">False for a hand-designed baseline.</param>
/// <param name="LearningRate">The tuned rate; null for a learned optimizer.</param>
/// <param name="Final">Mean loss at the horizon; NaN when it diverged.</param>
/// <param name="FinalCi95">Its 95 % confidence interval.</param>
/// <param name="Average">Mean over steps 1 .. horizon; NaN when it diverged.</param>
/// <param name="AverageCi95">Its 95 % confidence interval.</param>
public sealed record Contestant(
    string Name, bool Learned, double? LearningRate, double Final, Interval FinalCi95, double Average, Interval AverageCi95)
{
    /// <summary>The name that a training's seeds share, see <see cref="TrainingOf"/>; a baseline's own name.</summary>
    public string Training => Learned ? TrainingOf(Name) : Name;

    /// <summary>Seeds of one training take part as "training/seed".</summary>
    public static string TrainingOf(string contestant) => contestant[..contestant.LastIndexOf('/')];

    internal static Contestant Read(JsonElement c) => new(
        c.Text("name") ?? "", c.Flag("learned"), c.Number("learningRate"),
        c.Number("finalMean") ?? double.NaN, Interval.Read(c.Field("finalMeanCi95")),
        c.Number("averageLoss") ?? double.NaN, Interval.Read(c.Field("averageLossCi95")));

    internal JsonObject Write() => new()
    {
        ["name"] = Name,
        ["learned"] = Learned,
        ["learningRate"] = LearningRate,
        ["meanAt100"] = Interval.Finite(Final),
        ["meanAt100Ci95"] = FinalCi95.Write(),
        ["averageLoss"] = Interval.Finite(Average),
        ["averageLossCi95"] = AverageCi95.Write(),
    };
}

/// <summary>A confidence interval; NaN where there is none.</summary>
public readonly record struct Interval(double Low, double High)
{
    internal static Interval Read(JsonElement? pair) =>
        pair is { ValueKind: JsonValueKind.Array } ends && ends.GetArrayLength() == 2
        ? new(Number(ends[0]), Number(ends[1]))
        : new(double.NaN, double.NaN);

    internal JsonArray Write() => [Finite(Low), Finite(High)];

    // JSON has no NaN; what diverged is null.
    internal static JsonNode? Finite(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;

    static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : double.NaN;
}

/// <summary>Result of an evaluation: who took part and how they did.</summary>
public sealed record Benchmark(int Horizon, int Instances, IReadOnlyList<Contestant> Contestants)
{
    /// <summary>
    /// Reads the <c>result</c> of an evaluation run; learned optimizers first, then the baselines, the best first.
    /// </summary>
    public static Benchmark Read(JsonElement result) => new(
        (int)(result.Number("horizon") ?? 0),
        (int)(result.Number("instances") ?? 0),
        [
            .. (result.Field("contestants") ?? default).Items().Select(Contestant.Read)
                .OrderByDescending(c => c.Learned).ThenBy(c => double.IsFinite(c.Final) ? c.Final : double.MaxValue),
        ]);

    /// <summary>Smallest mean loss at the horizon of a hand-designed optimizer.</summary>
    public double BestFinal => Baselines(c => c.Final).DefaultIfEmpty(double.NaN).Min();

    /// <summary>Smallest average loss of a hand-designed optimizer.</summary>
    public double BestAverage => Baselines(c => c.Average).DefaultIfEmpty(double.NaN).Min();

    IEnumerable<double> Baselines(Func<Contestant, double> score) =>
        Contestants.Where(c => !c.Learned).Select(score).Where(double.IsFinite);
}

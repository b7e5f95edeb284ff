using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Demo;

/// <summary>The files that a demonstration writes.</summary>
public static class DemoReport
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The document of <c>--json</c>.</summary>
    public static JsonObject Summarize(PhaseClock clock, double seconds, long seed, Benchmark contest)
    {
        var phases = new JsonObject();
        foreach (var (name, length) in clock.Phases)
            phases[name] = Math.Round(length, 3);
        return new()
        {
            ["seconds"] = Math.Round(seconds, 3),
            ["phases"] = phases,
            ["seed"] = seed,
            ["contestants"] = new JsonArray([.. contest.Contestants.Select(c => c.Write())]),
        };
    }

    /// <summary>Writes <paramref name="document"/> for people and programs.</summary>
    public static Task WriteAsync(string file, JsonObject document, CancellationToken cancel) =>
        File.WriteAllTextAsync(file, document.ToJsonString(Indented) + "\n", cancel);

    /// <summary>The loss curves of an evaluation run's contestants, from its series.</summary>
    public static async Task<IReadOnlyList<LossCurve>> ReadCurvesAsync(ApiClient api, string run, Benchmark contest,
        CancellationToken cancel)
    {
        var curves = new List<LossCurve>();
        foreach (var c in contest.Contestants)
            curves.Add(new LossCurve(
                c.Name, c.Learned, await Read("mean", c), await Read("median", c), await Read("p10", c), await Read("p90", c)));
        return curves;

        async Task<IReadOnlyList<CurvePoint>> Read(string statistic, Contestant contestant) =>
        [
            .. from point in await ResultCommands.ReadSeriesAsync(api, run, $"{contestant.Name}/{statistic}", 1000, cancel)
               let value = point.Number("value") ?? point.Number("mean")
               where value is not null
               select new CurvePoint(point.Number("step") ?? 0, value.Value),
        ];
    }
}

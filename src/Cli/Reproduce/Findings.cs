using System.Text.Json;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Demo;

namespace MetaOpt.Cli.Reproduce;

/// <summary>An evaluation that is over.</summary>
public sealed record Measured(ApiClient Api, string Run, string Name, string Title, Benchmark Benchmark, JsonElement Result)
{
    /// <summary>Names of a training's contestants, one a seed; a baseline's own name.</summary>
    public IEnumerable<string> Of(string name) => Benchmark.Contestants.Select(c => c.Name)
        .Where(c => c == name || (c.StartsWith(name, StringComparison.Ordinal) && c[name.Length..] is ['/', ..]))
        .Order(StringComparer.Ordinal);

    /// <summary>Mean loss at a step, or the average over all steps; infinite when it diverged.</summary>
    public async Task<double> LossAsync(string contestant, int? step, CancellationToken cancel)
    {
        var found = Benchmark.Contestants.Single(c => c.Name == contestant);
        if (step is null) return Finite(found.Average);
        if (step == Benchmark.Horizon) return Finite(found.Final);
        var path = string.Join('/', $"{contestant}/mean".Split('/').Select(Uri.EscapeDataString));
        var answer = await Api.GetAsync($"runs/{Run}/series/{path}?from={step}&to={step}", cancel);
        return Finite((answer.Field("points") ?? default).Items().Select(p => p.Number("value")).FirstOrDefault() ?? double.NaN);
    }

    /// <summary>
    /// The paired interval of a ratio of two contestants, where the evaluation worked it out: at the horizon and for the average.
    /// </summary>
    public Interval RatioInterval(string learned, string baseline, int? step) =>
        step is not null && step != Benchmark.Horizon
            ? new(double.NaN, double.NaN)
            : Interval.Read(Result.Field("comparisons")?.Items()
                .FirstOrDefault(c => c.Text("a") == learned && c.Text("b") == baseline)
                .Field(step is null ? "averageRatioCi95" : "finalRatioCi95"));

    static double Finite(double loss) => double.IsFinite(loss) ? loss : double.PositiveInfinity;
}

/// <summary>One seed's part of a claim: its loss over the best baseline's.</summary>
public sealed record SeedRatio(string Contestant, string Baseline, double Ratio, Interval Ci95);

/// <summary>The outcome of a claim.</summary>
/// <param name="Text">What it says, for people.</param>
/// <param name="Evaluation">Where.</param>
/// <param name="Step">At this step; null: on average.</param>
/// <param name="Ratio">Learned over best baseline.</param>
/// <param name="AtMost">The bound.</param>
/// <param name="Seeds">What it was made of.</param>
public sealed record ClaimResult(string Text, string Evaluation, int? Step, double Ratio, double AtMost,
    IReadOnlyList<SeedRatio> Seeds)
{
    /// <summary>Whether the bound holds.</summary>
    public bool Met => Ratio <= AtMost;
}

/// <summary>A published number next to ours; null where there is none.</summary>
public sealed record PublishedRow(string Title, string Contestant, int? Step, double? Paper, double? Code, double Ours);

/// <summary>The results of a preset, and how long at least one of its runs was at work.</summary>
public sealed record Findings(
    JsonElement Preset, IReadOnlyList<Measured> Evaluations, IReadOnlyList<MeasuredDiagnosis> Diagnoses,
    IReadOnlyList<ClaimResult> Claims, IReadOnlyList<PublishedRow> Published, double Seconds)
{
    /// <summary>Its name.</summary>
    public string Name => Preset.Text("name")!;

    /// <summary>Whether every claim holds.</summary>
    public bool Met => Claims.All(c => c.Met);

    /// <summary>Judges a preset's claims by its evaluations and diagnoses, and sets its published numbers beside ours.</summary>
    public static async Task<Findings> OfAsync(
        JsonElement preset, IReadOnlyList<Measured> measured, IReadOnlyList<MeasuredDiagnosis> diagnoses, double seconds,
        CancellationToken cancel)
    {
        var claims = new List<ClaimResult>();
        foreach (var claim in preset.Field("claims")!.Value.Items())
            claims.Add(await ClaimAsync(claim, measured.Single(m => m.Name == claim.Text("evaluation")), cancel));
        claims.AddRange(preset.Field("biasClaims")!.Value.Items().Select(claim => MeasuredDiagnosis.Judge(claim, diagnoses)));
        var published = new List<PublishedRow>();
        foreach (var row in preset.Field("published")!.Value.Items())
            published.Add(await PublishedAsync(row, measured.Single(m => m.Name == row.Text("evaluation")), cancel));
        return new(preset, measured, diagnoses, claims, published, seconds);
    }

    static async Task<ClaimResult> ClaimAsync(JsonElement claim, Measured measured, CancellationToken cancel)
    {
        var step = (int?)claim.Number("step");
        var (baseline, best) = ("", double.PositiveInfinity);
        foreach (var name in claim.Field("against")!.Value.Items().SelectMany(b => measured.Of(b.GetString()!)))
            if (await measured.LossAsync(name, step, cancel) is var loss && loss < best) (baseline, best) = (name, loss);
        var (ratio, seeds) = (double.PositiveInfinity, new List<SeedRatio>());
        foreach (var learned in claim.Field("learned")!.Value.Items().Select(l => l.GetString()!))
        {
            var ratios = new List<SeedRatio>();
            foreach (var name in measured.Of(learned))
                ratios.Add(new(name, baseline, Over(await measured.LossAsync(name, step, cancel), best),
                    measured.RatioInterval(name, baseline, step)));
            if (Together(claim.Text("seeds")!, [.. ratios.Select(r => r.Ratio)]) is var together
                && (together < ratio || seeds.Count == 0))
                (ratio, seeds) = (together, ratios);
        }
        return new(Describe(claim, step), measured.Title, step, ratio, claim.Number("atMost")!.Value, seeds);
    }

    /// <summary>A claim needs a baseline to be better than: where all diverged, it does not hold.</summary>
    static double Over(double loss, double best) => double.IsFinite(best) ? loss / best : double.PositiveInfinity;

    static double Together(string seeds, double[] ratios) => seeds switch
    {
        "worst" => ratios.Max(),
        "median" => ratios.Order().ElementAt(ratios.Length / 2),
        _ => ratios.Average(),
    };

    static string Describe(JsonElement claim, int? step)
    {
        string List(string field) => string.Join(", ", claim.Field(field)!.Value.Items().Select(i => i.GetString()));
        var where = step is null ? "average over all steps" : $"loss at step {step}";
        var one = claim.Field("learned")!.Value.GetArrayLength() > 1 ? "best of " : "";
        return $"{one}{List("learned")} / best of {List("against")}: {where}, {claim.Text("seeds")} of the seeds";
    }

    static async Task<PublishedRow> PublishedAsync(JsonElement row, Measured measured, CancellationToken cancel)
    {
        var (step, contestant) = ((int?)row.Number("step"), row.Text("contestant")!);
        var ours = new List<double>();
        foreach (var name in measured.Of(contestant)) ours.Add(await measured.LossAsync(name, step, cancel));
        return new(measured.Title, contestant, step, row.Number("paper"), row.Number("code"),
            ours.DefaultIfEmpty(double.NaN).Average() / row.Number("unit")!.Value);
    }
}

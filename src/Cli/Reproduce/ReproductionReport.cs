using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Demo;
using static System.FormattableString;

namespace MetaOpt.Cli.Reproduce;

/// <summary>Findings as text on the terminal, as Markdown with figures, and as JSON.</summary>
static class ReproductionReport
{
    /// <summary>
    /// Writes figures and <c>report.md</c> into <paramref name="folder"/>, and the section of the documentation.
    /// </summary>
    public static async Task WriteAsync(ApiClient api, Findings findings, string folder, string? docs, CancellationToken cancel)
    {
        var figures = new List<(string File, string Title)>();
        var prefix = findings.Preset.Text("size") == "full" ? $"{findings.Name}-full" : findings.Name;
        foreach (var measured in findings.Evaluations)
        {
            var file = $"{prefix}-{measured.Name}.svg";
            var curves = Curves(await DemoReport.ReadCurvesAsync(measured.Api, measured.Run, measured.Benchmark, cancel));
            await File.WriteAllTextAsync(Path.Combine(folder, file), LossCurves.Draw(measured.Title, curves), cancel);
            figures.Add((file, measured.Title));
            if (await ContactSheet.ReadAsync(measured, cancel) is not { } sheet) continue;
            file = $"{prefix}-{measured.Name}.png";
            await File.WriteAllBytesAsync(Path.Combine(folder, file), sheet.Picture.ToPng(), cancel);
            figures.Add((file, $"{measured.Title}: {string.Join(", ", sheet.Columns)}"));
        }
        foreach (var seeds in findings.Diagnoses.GroupBy(d => d.Name))
        {
            var file = $"{prefix}-{seeds.Key}.svg";
            await File.WriteAllTextAsync(Path.Combine(folder, file), BiasChart.Draw([.. seeds]), cancel);
            figures.Add((file, seeds.First().Title));
        }
        await File.WriteAllTextAsync(Path.Combine(folder, "report.md"), Markdown(findings, figures, "."), cancel);
        foreach (var claim in findings.Claims)
            Console.WriteLine(
                $"  {(claim.Met ? "met   " : "MISSED")}  {claim.Text}: {Show(claim.Ratio)}, at most {Show(claim.AtMost)}");
        Console.WriteLine(
            $"Report  {Path.Combine(folder, "report.md")}   (declared {findings.Preset.Text("minutes")} min, its runs "
            + $"took {ProgressLine.Duration(findings.Seconds)})");
        if (docs is null) return;
        Directory.CreateDirectory(Path.Combine(docs, "reproduction"));
        foreach (var (file, _) in figures)
            File.Copy(Path.Combine(folder, file), Path.Combine(docs, "reproduction", file), overwrite: true);
        var page = new ReproductionPage(Path.Combine(docs, "reproduction.md"));
        page.Put(findings, Markdown(findings, figures, "reproduction"));
        page.Write(await api.GetAsync("presets", cancel));
    }

    /// <summary>The document of <c>--json</c>.</summary>
    public static JsonObject Json(IReadOnlyList<Findings> all, IReadOnlyList<(string Name, string Why)> notRun) => new()
    {
        ["met"] = all.All(f => f.Met),
        ["notRun"] = new JsonArray([.. notRun.Select(n => new JsonObject { ["name"] = n.Name, ["why"] = n.Why })]),
        ["presets"] = new JsonArray([.. all.Select(f => new JsonObject
        {
            ["name"] = f.Name,
            ["size"] = f.Preset.Text("size"),
            ["minutes"] = f.Preset.Number("minutes"),
            ["seconds"] = Math.Round(f.Seconds, 1),
            ["met"] = f.Met,
            ["claims"] = new JsonArray([.. f.Claims.Select(c => new JsonObject
            {
                ["claim"] = c.Text,
                ["evaluation"] = c.Evaluation,
                ["ratio"] = Interval.Finite(c.Ratio),
                ["threshold"] = c.AtMost,
                ["met"] = c.Met,
                ["seeds"] = new JsonArray([.. c.Seeds.Select(s => new JsonObject
                {
                    ["contestant"] = s.Contestant,
                    ["baseline"] = s.Baseline,
                    ["ratio"] = Interval.Finite(s.Ratio),
                    ["ci95"] = s.Ci95.Write(),
                })]),
            })]),
            ["published"] = new JsonArray([.. f.Published.Select(p => new JsonObject
            {
                ["evaluation"] = p.Title,
                ["contestant"] = p.Contestant,
                ["step"] = p.Step,
                ["paper"] = p.Paper,
                ["code"] = p.Code,
                ["ours"] = Interval.Finite(p.Ours),
            })]),
        })]),
    };

    static string Markdown(Findings findings, IReadOnlyList<(string File, string Title)> figures, string folder)
    {
        var text = new StringBuilder();
        var preset = findings.Preset;
        text.Append(
            $"## {preset.Text("title")}\n\n{preset.Text("source")}. `./metaopt "
            + $"reproduce {findings.Name}{(preset.Text("size") == "full" ? " --full" : "")}`, ")
            .Append(Invariant(
                $"declared {preset.Text("minutes")} min on two cores; here its runs took {findings.Seconds / 60:F1}. {preset.Text("notes")}\n\n"));
        foreach (var (file, title) in figures) text.Append($"![{title}]({folder}/{file})\n");
        text.Append("\n| what must come out | each seed | ratio | at most | |\n|---|---|---|---|---|\n");
        foreach (var claim in findings.Claims)
            text.Append(
                $"| {claim.Text} ({claim.Seeds[0].Baseline}) | {string.Join(", ", claim.Seeds.Select(Seed))} | {Show(claim.Ratio)} | {Show(claim.AtMost)} | {(claim.Met ? "met" : "**missed**")} |\n");
        if (findings.Evaluations.Count > 1) AppendMatrix(text, findings.Evaluations);
        foreach (var measured in findings.Evaluations) AppendContest(text, measured);
        foreach (var seeds in findings.Diagnoses.GroupBy(d => d.Name)) AppendDiagnosis(text, [.. seeds]);
        if (findings.Published.Count > 0)
        {
            text.Append("\n| published | optimizer | step | paper | published code | ours |\n|---|---|---|---|---|---|\n");
            foreach (var row in findings.Published)
                text.Append(
                    $"| {row.Title} | {row.Contestant} | {row.Step?.ToString(CultureInfo.InvariantCulture) ?? "average"} | {Show(row.Paper)} | {Show(row.Code)} | {Show(row.Ours)} |\n");
        }
        return text.ToString();
    }

    /// <summary>
    /// How far what was learned in one place carries to the others: learned over best baseline, means of the seeds.
    /// </summary>
    static void AppendMatrix(StringBuilder text, IReadOnlyList<Measured> evaluations)
    {
        text.Append("\n| where | learned | at the last step | average | seeds that diverged |\n|---|---|---|---|---|\n");
        foreach (var measured in evaluations)
        {
            var contest = measured.Benchmark;
            foreach (var training in contest.Contestants.Where(c => c.Learned).GroupBy(c => c.Training))
                text.Append($"| {measured.Title} | {training.Key} | {Show(training.Average(c => c.Final) / contest.BestFinal)} ")
                    .Append($"| {Show(training.Average(c => c.Average) / contest.BestAverage)} | {training.Count(c => !double.IsFinite(c.Final))} |\n");
        }
    }

    static void AppendContest(StringBuilder text, Measured measured)
    {
        var contest = measured.Benchmark;
        text.Append(
            $"\n**{measured.Title}**, {contest.Instances} instances\n\n| optimizer | rate | loss at "
            + $"step {contest.Horizon} | 95 % interval | average | 95 % interval |\n|---|---|---|---|---|---|\n");
        foreach (var c in contest.Contestants)
            text.Append(
                $"| {c.Name}{(c.Learned ? " (learned)" : "")} | {Show(c.LearningRate)} | {Show(c.Final)} | {Show(c.FinalCi95)} | {Show(c.Average)} | {Show(c.AverageCi95)} |\n");
    }

    static void AppendDiagnosis(StringBuilder text, IReadOnlyList<MeasuredDiagnosis> seeds)
    {
        var first = seeds[0];
        text.Append(
            Invariant($"\n**{first.Title}**, horizon {first.Horizon}, unroll {first.Unroll}, {first.ReferencePairs:N0} pairs for the strategies' reference, "))
            .Append($"seeds {string.Join(", ", seeds.Select(s => s.Seed))}\n\n")
            .Append("| estimator | reference | relative bias | its standard error | variance of one estimate | cosine "
                + "|\n|---|---|---|---|---|---|\n");
        foreach (var row in first.Rows)
        {
            string Each(Func<EstimatorRow, double> value) =>
                string.Join(", ", seeds.Select(s => Show(value(s.Of(row.Estimator)))));
            text.Append(
                $"| {row.Estimator} | {row.Reference} | {Each(r => r.RelativeBias)} | {Each(r => r.RelativeStandardError)} ")
                .Append($"| {Each(r => r.Variance)} | {Each(r => r.Cosine)} |\n");
        }
    }

    /// <summary>Seeds of one training become one curve, their mean.</summary>
    static List<LossCurve> Curves(IReadOnlyList<LossCurve> curves)
    {
        static IReadOnlyList<CurvePoint> Mean(IEnumerable<IReadOnlyList<CurvePoint>> seeds) =>
            [.. seeds.SelectMany(s => s).GroupBy(p => p.Step).OrderBy(g => g.Key)
                .Select(g => new CurvePoint(g.Key, g.Average(p => p.Value)))];
        return [.. curves.GroupBy(c => c.Learned ? Contestant.TrainingOf(c.Name) : c.Name).Select(g => new LossCurve(
            g.Key, g.First().Learned, Mean(g.Select(c => c.Mean)), Mean(g.Select(c => c.Median)), Mean(g.Select(c => c.P10)),
            Mean(g.Select(c => c.P90))))];
    }

    static string Seed(SeedRatio seed) =>
        Show(seed.Ratio) + (double.IsFinite(seed.Ci95.Low) ? $" [{Show(seed.Ci95.Low)}, {Show(seed.Ci95.High)}]" : "");

    static string Show(Interval interval) =>
        double.IsFinite(interval.Low) ? $"{Show(interval.Low)} to {Show(interval.High)}" : "";

    static string Show(double? value) =>
        value is not { } number ? "" : double.IsFinite(number) ? number.ToString("G3", CultureInfo.InvariantCulture) : "diverged";
}

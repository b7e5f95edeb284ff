using System.Text.Json.Nodes;
using MetaOpt.Training;

namespace MetaOpt.Evaluation;

/// <summary>The result document of an evaluation.</summary>
static class Report
{
    public static JsonObject Write(EvaluationSpec spec, IReadOnlyList<Trial> trials)
    {
        var columns = trials.Select(t => t.Final).Concat(trials.Select(t => t.Average)).ToList();
        var means = Statistics.BootstrapMeans(columns, spec.BootstrapResamples, (ulong)spec.Seed);
        var averages = trials.Count;
        var contestants = new JsonArray();
        for (var i = 0; i < trials.Count; i++) contestants.Add(Contestant(spec, trials[i], means, i, averages + i));
        var comparisons = new JsonArray();
        for (var a = 0; a < trials.Count; a++)
            for (var b = 0; b < trials.Count; b++)
                if (trials[a].Learned && !trials[b].Learned) comparisons.Add(Comparison(trials, means, a, b));
        return new JsonObject
        {
            ["kind"] = "evaluation",
            ["horizon"] = spec.Horizon,
            ["instances"] = spec.Instances,
            ["seed"] = spec.Seed,
            ["contestants"] = contestants,
            ["comparisons"] = comparisons,
        };
    }

    static JsonObject Contestant(EvaluationSpec spec, Trial trial, double[][] means, int final, int average) => new()
    {
        ["name"] = trial.Name,
        ["learned"] = trial.Learned,
        ["learningRate"] = trial.LearningRate,
        ["tuning"] = trial.Grid is null ? null : new JsonObject
        {
            ["criterion"] = spec.Tuning.Criterion == Criterion.Final ? "final" : "average",
            ["instances"] = spec.Tuning.Instances,
            ["grid"] = new JsonArray([.. trial.Grid.Select(g => new JsonObject { ["learningRate"] = g.LearningRate, ["score"] = Number(g.Score), ["diverged"] = g.Diverged })]),
        },
        ["finalMean"] = Number(Statistics.Mean(trial.Final)),
        ["finalMeanCi95"] = Interval(means.Select(m => m[final])),
        ["finalMedian"] = Number(Statistics.Quantile([.. trial.Final.Order()], 0.5)),
        ["averageLoss"] = Number(Statistics.Mean(trial.Average)),
        ["averageLossCi95"] = Interval(means.Select(m => m[average])),
        ["diverged"] = trial.Diverged,
        ["secondsPerStep"] = trial.SecondsPerStep,
    };

    static JsonObject Comparison(IReadOnlyList<Trial> trials, double[][] means, int a, int b)
    {
        var (first, second, count) = (trials[a], trials[b], trials.Count);
        return new JsonObject
        {
            ["a"] = first.Name,
            ["b"] = second.Name,
            ["finalRatio"] = Number(Statistics.Mean(first.Final) / Statistics.Mean(second.Final)),
            ["finalRatioCi95"] = Interval(means.Select(m => m[a] / m[b])),
            ["averageRatio"] = Number(Statistics.Mean(first.Average) / Statistics.Mean(second.Average)),
            ["averageRatioCi95"] = Interval(means.Select(m => m[count + a] / m[count + b])),
            ["winRate"] = first.Final.Zip(second.Final, (x, y) => x < y ? 1.0 : x == y ? 0.5 : 0).Average(),
        };
    }

    static JsonArray Interval(IEnumerable<double> values) =>
        Statistics.Interval95(values) is var (low, high) ? new JsonArray(Number(low), Number(high)) : [];

    /// <summary>JSON has no infinity: null, and the count of diverged instances says why.</summary>
    static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;
}

using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Api.Runs;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>
/// Several runs side by side: one series of each, what is different in their specifications, and how they ended. Runs that are
/// deleted are listed as missing, so that the others are still compared.
/// </summary>
static class CompareApi
{
    const int MostRuns = 8, DefaultPoints = 1000, MostPoints = 2000;

    public static void MapCompare(this RouteGroupBuilder v1) => v1.MapGet("/compare", CompareAsync).WithTags("Runs")
        .WithSummary(
            "Runs side by side. Query: runs (up to 8 ids, joined by commas), series (by default what most of them have), "
            + "maxPoints.");

    static async Task<IResult> CompareAsync(HttpRequest request, RunKinds kinds, MetaOptDb db, SeriesStore store,
        CancellationToken cancel)
    {
        request.AllowQuery("runs", "series", "maxPoints");
        var ids = ReadIds(request);
        var most = (int)(request.QueryNumber("maxPoints", 1, MostPoints) ?? DefaultPoints);
        var wanted = request.QueryText("series");
        var found = await db.Runs.AsNoTracking().Where(r => ids.Contains(r.Id)).ToListAsync(cancel);
        var runs = ids.Select(id => found.Find(r => r.Id == id)).OfType<Run>().ToList();
        var missing = ids.Except(runs.Select(r => r.Id)).ToList();
        if (runs.Count == 0)
            throw ProblemException.NotFound(ids.Count == 1
                ? $"run {ids[0]}"
                : $"run with any of the ids {string.Join(", ", ids)}");
        var series = await Task.WhenAll(runs.Select(r => store.ListAsync(r.Id, cancel)));
        var name = wanted ?? Shared(series);
        var data = await Task.WhenAll(runs.Select(async (run, i) =>
            series[i].Any(s => s.Name == name) ? await store.ReadAsync(run.Id, name!, null, null, most, cancel) : null));
        return Results.Json(new JsonObject
        {
            ["series"] = name,
            ["names"] = new JsonArray(
                [.. series.SelectMany(s => s).Select(s => s.Name).Distinct().Order(StringComparer.Ordinal)
                    .Select(n => (JsonNode)n)]),
            ["runs"] = new JsonArray(
                [.. runs.Select((run, i) => Column(run, kinds, data[i], series[i].FirstOrDefault(s => s.Name == name)))]),
            ["missing"] = new JsonArray([.. missing.Select(id => (JsonNode)id.ToString())]),
            ["differences"] = new JsonArray(
                [.. SpecDifference.Of([.. runs.Select(r => JsonNode.Parse(r.Spec.GetRawText()))]).Select(d => new JsonObject
            {
                ["pointer"] = d.Pointer,
                ["values"] = new JsonArray([.. d.Values.Select(v => v?.DeepClone())]),
            })]),
        });
    }

    static List<Guid> ReadIds(HttpRequest request)
    {
        var parts = request.Query["runs"].ToString().Split(',', StringSplitOptions.TrimEntries);
        var ids = parts.Take(MostRuns + 1).Select(p => Guid.TryParseExact(p, "D", out var id) ? id : Guid.Empty).Distinct()
            .ToList();
        return parts.Length <= MostRuns && !ids.Contains(Guid.Empty) && ids.Count == parts.Length
            ? ids
            : throw ProblemException.BadParameter("runs", $"must be 1 to {MostRuns} different ids of runs, joined by commas.");
    }

    /// <summary>Chooses the series that most runs have, means of contestants and the training's own loss before others.</summary>
    static string? Shared(IReadOnlyList<SeriesInfo>[] series) => series.SelectMany(s => s).GroupBy(s => s.Name)
        .OrderByDescending(g => g.Count())
        .ThenBy(g => g.Key is "meta-loss" ? 0 : g.Key.EndsWith("/mean", StringComparison.Ordinal) ? 1 : 2)
        .ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;

    static JsonObject Column(Run run, RunKinds kinds, SeriesData? data, SeriesInfo? info)
    {
        var column = RunDocument.Brief(run, kinds);
        column["raw"] = data?.Raw ?? true;
        column["points"] = new JsonArray([.. (data?.Buckets ?? []).Select(b => SeriesApi.Point(b, data!.Raw))]);
        column["statistics"] = data is null ? null : Statistics(data.Buckets, info!);
        return column;
    }

    /// <summary>Exact also where the curve is summarised: a bucket has the count and the mean of its values.</summary>
    static JsonObject Statistics(IReadOnlyList<SeriesBucket> buckets, SeriesInfo info)
    {
        var finite = buckets.Sum(b => b.Count - b.Diverged);
        return new()
        {
            ["count"] = info.Count,
            ["diverged"] = info.Diverged,
            ["lastStep"] = info.LastStep,
            ["final"] = info.LastValue,
            ["lowest"] = buckets.Min(b => b.Min),
            ["average"] = finite == 0 ? null : buckets.Sum(b => (b.Mean ?? 0) * (b.Count - b.Diverged)) / finite,
        };
    }
}

using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Runs;

/// <summary>Trajectories, downsampled by the server.</summary>
static class SeriesApi
{
    const int DefaultPoints = 1000, MostPoints = 10_000;

    public static void MapSeries(this RouteGroupBuilder v1)
    {
        var series = v1.MapGroup("/runs/{id:guid}/series").WithTags("Runs");
        series.MapGet("",
            (Guid id, HttpRequest request, MetaOptDb db, SeriesStore store, CancellationToken cancel) =>
                request.Query.ContainsKey("name")
            ? ReadAsync(id, request.QueryText("name")!, request, store, cancel)
            : ListAsync(id, request, db, store, cancel))
            .WithSummary("The run's series; with the query's name, that one, as below. Every name can be given so.");
        series.MapGet("/{*name}", (Guid id, string name, HttpRequest request, SeriesStore store, CancellationToken cancel) =>
            ReadAsync(id, request.PathEnd("/series/"), request, store, cancel))
            .WithSummary("One series, as JSON or (Accept: text/csv) CSV. Query: from, to, maxPoints.");
    }

    static async Task<IResult> ListAsync(Guid id, HttpRequest request, MetaOptDb db, SeriesStore series, CancellationToken cancel)
    {
        request.AllowQuery();
        if (!await db.Runs.AnyAsync(r => r.Id == id, cancel)) throw ProblemException.NotFound($"run {id}");
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray(
                [.. (await series.ListAsync(id, cancel)).OrderBy(s => s.Name, StringComparer.Ordinal).Select(s => new JsonObject
            {
                ["name"] = s.Name,
                ["count"] = s.Count,
                ["diverged"] = s.Diverged,
                ["lastStep"] = s.LastStep,
                ["lastValue"] = Finite(s.LastValue),
            })]),
        });
    }

    static async Task<IResult> ReadAsync(Guid id, string name, HttpRequest request, SeriesStore series, CancellationToken cancel)
    {
        request.AllowQuery("name", "from", "to", "maxPoints");
        var from = request.QueryNumber("from", 0, long.MaxValue);
        var to = request.QueryNumber("to", 0, long.MaxValue);
        var most = (int)(request.QueryNumber("maxPoints", 1, MostPoints) ?? DefaultPoints);
        var data = name.Contains('\0') ? null : await series.ReadAsync(id, name, from, to, most, cancel);
        if (data is null) throw ProblemException.NotFound($"series \"{name}\" of run {id}");
        return request.GetTypedHeaders().Accept.Any(a => a.MediaType == "text/csv")
            ? Results.Text(Csv(data), "text/csv")
            : Results.Json(new JsonObject
            {
                ["name"] = data.Name,
                ["raw"] = data.Raw,
                ["points"] = new JsonArray([.. data.Buckets.Select(b => Point(b, data.Raw))])
            });
    }

    /// <summary>
    /// A point {step, value}, or a bucket {step, lastStep, min, max, mean, count}; <c>diverged</c> where values were no numbers.
    /// </summary>
    public static JsonObject Point(SeriesBucket bucket, bool raw)
    {
        var point = raw
            ? new JsonObject { ["step"] = bucket.Step, ["value"] = bucket.Mean }
            : new JsonObject
            {
                ["step"] = bucket.Step,
                ["lastStep"] = bucket.LastStep,
                ["min"] = bucket.Min,
                ["max"] = bucket.Max,
                ["mean"] = bucket.Mean,
                ["count"] = bucket.Count,
            };
        if (bucket.Diverged > 0) point["diverged"] = raw ? true : bucket.Diverged;
        return point;
    }

    static string Csv(SeriesData data)
    {
        var csv = new StringBuilder(data.Raw ? "step,value\n" : "step,last_step,min,max,mean,count,diverged\n");
        foreach (var b in data.Buckets)
            csv.Append(data.Raw
                ? FormattableString.Invariant($"{b.Step},{b.Mean ?? double.NaN}\n")
                : FormattableString.Invariant($"{b.Step},{b.LastStep},{b.Min},{b.Max},{b.Mean},{b.Count},{b.Diverged}\n"));
        return csv.ToString();
    }

    static double? Finite(double? value) => value is { } v && double.IsFinite(v) ? v : null;
}

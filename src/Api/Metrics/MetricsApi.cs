using System.Globalization;
using System.Text;
using System.Text.Json;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Metrics;

/// <summary>
/// <c>GET /metrics</c>: the service for Prometheus, in its text format 0.0.4. It asks for a token like everything else.
/// </summary>
static class MetricsApi
{
    static readonly TimeSpan s_alive = TimeSpan.FromMinutes(1);

    public static void MapMetrics(this WebApplication app) => app.MapGet("/metrics", ReadAsync)
        .RequireAuthorization(Scopes.RunsRead).WithTags("Health")
        .WithSummary("Queue, runs, attempts, workers and request times, for Prometheus.");

    static async Task<IResult> ReadAsync(HttpRequest request, MetaOptDb db, RequestTimes times, CancellationToken cancel)
    {
        request.AllowQuery();
        var text = new StringBuilder();
        var now = await db.NowAsync(cancel);

        var states = await db.Runs.GroupBy(r => r.State).Select(g => new { g.Key, Count = g.Count() }).ToListAsync(cancel);
        Family(text, "metaopt_runs", "gauge", "Runs by state.", Enum.GetValues<RunState>()
            .Select(s => (Label("state", s.ToString().ToLowerInvariant()), (double)(states.Find(x => x.Key == s)?.Count ?? 0))));

        var waiting = await db.Runs.Where(r => r.State == RunState.Queued).GroupBy(r => r.Pool)
            .Select(g => new { Pool = g.Key, Depth = g.Count(), Oldest = g.Min(r => r.CreatedAt) }).ToListAsync(cancel);
        Family(text, "metaopt_queue_depth", "gauge", "Runs that wait, by pool.",
            waiting.Select(w => (Label("pool", w.Pool), (double)w.Depth)));
        Family(text, "metaopt_queue_oldest_seconds", "gauge", "Age of the oldest run that waits, by pool.",
            waiting.Select(w => (Label("pool", w.Pool), (now - w.Oldest).TotalSeconds)));

        var running = await db.Runs.Where(r => r.State == RunState.Running).Select(r => new { r.Pool, r.Progress })
            .ToListAsync(cancel);
        Family(text, "metaopt_steps_per_second", "gauge", "Speed of the runs in progress, by pool.",
            running.GroupBy(r => r.Pool).Select(g => (Label("pool", g.Key), g.Sum(r => Speed(r.Progress)))));

        var outcomes = await db.Attempts.Where(a => a.Outcome != null).GroupBy(a => a.Outcome)
            .Select(g => new { g.Key, Count = g.Count() }).ToListAsync(cancel);
        Family(text, "metaopt_attempts_total", "counter",
            "Attempts that ended, by outcome; lost: the lease ran out; cut-off: no way to renew it.",
            ((string[])["succeeded", "failed", "cancelled", "handed-back", "died", "lost", "cut-off"])
                .Select(o => (Label("outcome", o), (double)(outcomes.Find(x => x.Key == o)?.Count ?? 0))));

        var since = now - s_alive;
        var workers = await db.Workers.Where(w => w.LastSeenAt > since).GroupBy(w => w.Pool)
            .Select(g => new { Pool = g.Key, Count = g.Count() }).ToListAsync(cancel);
        Family(text, "metaopt_workers", "gauge", "Workers seen in the last minute, by pool.",
            workers.Select(w => (Label("pool", w.Pool), (double)w.Count)));

        Family(text, "process_resident_memory_bytes", "gauge", "Memory of the API.", [("", Environment.WorkingSet)]);
        Family(text, "process_cpu_seconds_total", "counter", "Processor time of the API.",
            [("", Environment.CpuUsage.TotalTime.TotalSeconds)]);
        times.Write(text);
        return Results.Text(text.ToString(), "text/plain; version=0.0.4; charset=utf-8");
    }

    static double Speed(JsonElement? progress) =>
        progress is { ValueKind: JsonValueKind.Object } p && p.TryGetProperty("stepsPerSecond", out var speed)
            && speed.ValueKind == JsonValueKind.Number ? speed.GetDouble() : 0;

    static void Family(StringBuilder text, string name, string type, string help,
        IEnumerable<(string Labels, double Value)> values)
    {
        text.Append($"# HELP {name} {help}\n# TYPE {name} {type}\n");
        foreach (var (labels, value) in values) text.Append(CultureInfo.InvariantCulture, $"{name}{labels} {value}\n");
    }

    static string Label(string name, string value) => $"{{{name}=\"{Escape(value)}\"}}";

    /// <summary>A label's value.</summary>
    public static string Escape(string value) => value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
}

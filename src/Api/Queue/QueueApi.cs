using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Queue;

/// <summary>The queue: runs that run or wait, the reasons, and everybody's usage.</summary>
static class QueueApi
{
    const int Most = 200;

    // A date beyond it is a fault of what measured or predicted it.
    const double MostSeconds = 10 * 365 * 24 * 3600.0;

    public static void MapQueue(this RouteGroupBuilder v1)
    {
        v1.MapGet("/queue", QueueAsync).WithTags("Queue")
            .WithSummary(
                "Running and waiting runs, at most 200 of each: position, reason and estimated start; waiting runs of each "
                + "batch; the pools; usage by user. Query: perBatch (most waiting runs of one batch that are listed).");
        v1.MapWorkers();
        v1.MapQuotas();
    }

    static async Task<IResult> QueueAsync(HttpRequest request, RunKinds kinds, MetaOptDb db, RunQueue queue, QuotaStore quotas,
        CancellationToken cancel)
    {
        request.AllowQuery("perBatch");
        var perBatch = (int)(request.QueryNumber("perBatch", 1, Most) ?? Most);
        var running = await db.Runs.AsNoTracking().Where(r => r.State == RunState.Running).OrderBy(r => r.Id).Take(Most)
            .ToListAsync(cancel);
        var reasons = await queue.ListWaitingAsync(cancel);
        var batches = await db.Runs.Where(r => r.State == RunState.Queued && r.Batch != null)
            .Select(r => new { r.Id, Batch = r.Batch!.Value }).ToDictionaryAsync(r => r.Id, r => r.Batch, cancel);
        var shown = Shown(reasons.Select(r => r.Key), batches, perBatch);
        // The start of a run depends on those before it, listed or not; behind so many no start is estimated.
        var first = reasons.Take(Most).Select(r => r.Key).ToList();
        List<Guid> wanted = [.. shown.Union(first)];
        var waiting = await db.Runs.AsNoTracking().Where(r => wanted.Contains(r.Id) && r.State == RunState.Queued)
            .ToDictionaryAsync(r => r.Id, cancel);
        var now = await db.NowAsync(cancel);
        var slots = (await db.LiveWorkers.Where(w => !w.Draining).GroupBy(w => w.Pool)
            .Select(g => new { g.Key, Slots = g.Sum(w => w.Slots), Workers = g.Count() }).ToListAsync(cancel))
            .ToDictionary(g => g.Key);
        var starts = new Dictionary<Guid, double>();
        foreach (var pool in slots.Values)
        {
            var due = reasons.Take(Most)
                .Where(r => r.Value.IsDue && waiting.TryGetValue(r.Key, out var run) && run.Pool == pool.Key).Select(r => r.Key)
                .ToList();
            var left = running.Where(r => r.Pool == pool.Key).Select(r => SecondsLeft(r, kinds));
            foreach (var (id, start) in due.Zip(
                QueueForecast.Starts(pool.Slots, left, due.Select(id => SecondsLeft(waiting[id], kinds))))) starts[id] = start;
        }
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([
                .. running.Select(r => Document(r)),
                .. reasons.Where(r => shown.Contains(r.Key) && waiting.ContainsKey(r.Key))
                    .Select(r => Document(waiting[r.Key], r.Value,
                        starts.TryGetValue(r.Key, out var start) ? now.AddSeconds(start) : null)),
            ]),
            ["waiting"] = reasons.Count,
            ["batches"] = new JsonArray(
                [.. reasons.Where(r => batches.ContainsKey(r.Key)).CountBy(r => batches[r.Key]).Select(b => new JsonObject
            {
                ["id"] = b.Key.ToString(),
                ["waiting"] = b.Value,
            })]),
            ["pools"] = new JsonArray([.. slots.Values.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => new JsonObject
            {
                ["name"] = p.Key,
                ["workers"] = p.Workers,
                ["slots"] = p.Slots,
                ["running"] = running.Count(r => r.Pool == p.Key),
            })]),
            ["usage"] = new JsonArray(
                [.. (await quotas.UsageAsync(null, cancel)).Where(u => u.Running + u.Queued > 0 || u.Share > 0)
                    .Select(QuotasApi.Document)]),
        });
    }

    /// <summary>
    /// The runs to list, in order: at most <see cref="Most"/>, and of each batch at most <paramref name="perBatch"/>.
    /// </summary>
    static HashSet<Guid> Shown(IEnumerable<Guid> order, Dictionary<Guid, Guid> batches, int perBatch)
    {
        var (shown, taken) = (new HashSet<Guid>(), new Dictionary<Guid, int>());
        foreach (var id in order)
        {
            if (shown.Count == Most) break;
            if (!batches.TryGetValue(id, out var batch) || (taken[batch] = taken.GetValueOrDefault(batch) + 1) <= perBatch)
                shown.Add(id);
        }
        return shown;
    }

    /// <summary>As measured; before the first measurement as predicted, good to a factor of about two.</summary>
    static double SecondsLeft(Run run, RunKinds kinds)
    {
        if (run.Progress is { ValueKind: System.Text.Json.JsonValueKind.Object } progress
            && progress.TryGetProperty("secondsLeft", out var left)
            && left.ValueKind == System.Text.Json.JsonValueKind.Number)
            return Math.Clamp(left.GetDouble(), 0, MostSeconds);
        try
        {
            return Math.Clamp(kinds.Read(run.Kind, run.Spec).PredictCost().Seconds, 0, MostSeconds);
        }
        catch (SpecException)
        {
            // Submitted to an older version with other bounds: it fails at once.
            return 0;
        }
    }

    static JsonObject Document(Run run, WaitReason? reason = null, DateTimeOffset? start = null) => new()
    {
        ["id"] = run.Id.ToString(),
        ["name"] = run.Name,
        ["kind"] = run.Kind,
        ["owner"] = run.Owner,
        ["pool"] = run.Pool,
        ["priority"] = run.Priority,
        ["batch"] = run.Batch?.ToString(),
        ["state"] = Runs.RunDocument.StateName(run.State),
        ["worker"] = run.LeaseOwner,
        ["createdAt"] = run.CreatedAt,
        ["startedAt"] = run.StartedAt,
        ["progress"] = Runs.RunDocument.Node(run.Progress),
        ["waitingFor"] = reason is null ? null : Runs.RunDocument.Waiting(reason),
        ["estimatedStart"] = start,
    };
}

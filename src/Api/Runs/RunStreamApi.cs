using System.Text;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Runs;

/// <summary>
/// A run, live, as server-sent events: <c>state</c>, <c>progress</c>, <c>point</c> (new points of one series, downsampled when
/// they are many), <c>end</c>. The id of an event says how far each series was sent, so that Last-Event-ID continues without gap
/// or repetition, whatever process answers. Parameters of the query for clients that may not keep a connection:
/// <c>lastEventId</c> stands for the header where there is none, and with <c>once=true</c> the answer ends when everything new
/// was sent.
/// </summary>
static class RunStreamApi
{
    const int MostStreams = 200, MostStreamsOfUser = 20, MostPoints = 500;
    static readonly TimeSpan s_tick = TimeSpan.FromSeconds(1), s_heartbeat = TimeSpan.FromSeconds(15);

    // Of each user with whatever tokens, so that nobody takes the others' streams; and of all, which the database has to feed.
    static readonly PartitionedRateLimiter<Guid> s_ofUser = PartitionedRateLimiter.Create<Guid, Guid>(user =>
        RateLimitPartition.GetConcurrencyLimiter(user, _ => new() { PermitLimit = MostStreamsOfUser }));
    static readonly ConcurrencyLimiter s_all = new(new() { PermitLimit = MostStreams });

    public static void MapRunStream(this RouteGroupBuilder v1) =>
        v1.MapGet("/runs/{id:guid}/stream", StreamAsync).WithTags("Runs")
            .WithSummary(
                "The run as server-sent events; Last-Event-ID continues a lost stream. Query: lastEventId (instead of the "
                + "header), once (true: ends when everything new was sent).");

    static async Task StreamAsync(
        Guid id, HttpContext context, RunChanges changes, SeriesStore series, IDbContextFactory<MetaOptDb> databases,
        IHostApplicationLifetime lifetime, CancellationToken aborted)
    {
        context.Request.AllowQuery("lastEventId", "once");
        var once = context.Request.QueryChoice("once", ["true", "false"]) == "true";
        var lastId = context.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } header
            ? header
            : context.Request.Query["lastEventId"].ToString();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(aborted, lifetime.ApplicationStopping);
        if (await FindAsync(databases, id, stop.Token) is null) throw ProblemException.NotFound($"run {id}");
        using var own = s_ofUser.AttemptAcquire(context.CallerId());
        if (!own.IsAcquired)
            throw TooMany($"{context.CallerName()} has {MostStreamsOfUser} streams open, the most for one user; close one");
        using var seat = s_all.AttemptAcquire();
        if (!seat.IsAcquired) throw TooMany($"{MostStreams} streams are open on this server, the most there are");
        try
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            var position = StreamPosition.Parse(lastId);
            await FollowAsync(new Writer(context.Response, position), id, once, changes, series, databases, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The client left, or the server stops: the client comes back with its Last-Event-ID.
        }
    }

    static ProblemException TooMany(string what) =>
        new(429, "too-many-streams", $"{what}, or poll the run instead.") { RetryAfter = 5 };

    static async Task FollowAsync(
        Writer writer, Guid id, bool once, RunChanges changes, SeriesStore series, IDbContextFactory<MetaOptDb> databases,
        CancellationToken stop)
    {
        (string? State, string? Progress) sent = default;
        var quiet = TimeProvider.System.GetTimestamp();
        while (true)
        {
            // Asked before the points are read: a final run's points are then all there.
            var run = await FindAsync(databases, id, stop);
            if (run is null) return;
            var state = new JsonObject
            {
                ["state"] = RunDocument.StateName(run.State),
                ["attempt"] = run.Attempt,
                ["cancelRequested"] = run.CancelRequestedAt is not null
            }.ToJsonString();
            var wrote = state != sent.State;
            if (wrote) await writer.WriteAsync("state", state, stop);
            if (run.Progress is { } progress && progress.GetRawText() is var text && text != sent.Progress)
            {
                await writer.WriteAsync("progress", text, stop);
                (sent.Progress, wrote) = (text, true);
            }
            sent.State = state;
            wrote |= await WritePointsAsync(writer, id, series, stop);
            if (run.State.IsFinal())
            {
                await writer.WriteAsync("end", state, stop);
                return;
            }
            if (once) return;
            if (wrote) quiet = TimeProvider.System.GetTimestamp();
            else if (TimeProvider.System.GetElapsedTime(quiet) > s_heartbeat)
            {
                await writer.CommentAsync(stop);
                quiet = TimeProvider.System.GetTimestamp();
            }
            await changes.WaitAsync(id, s_tick, stop);
        }
    }

    static async Task<bool> WritePointsAsync(Writer writer, Guid id, SeriesStore series, CancellationToken stop)
    {
        var wrote = false;
        foreach (var (number, info) in (await series.ListAsync(id, stop)).Index())
        {
            var seen = writer.Sent[number];
            // A resumed attempt went back behind what was sent; the same points come again.
            if (info.LastStep is not { } last || last <= seen) continue;
            if (await series.ReadAsync(id, info.Name, seen + 1, null, MostPoints, stop) is not { Buckets: [.., var newest] } data)
                continue;
            writer.Sent[number] = newest.LastStep;
            var point = new JsonObject
            {
                ["series"] = info.Name,
                ["raw"] = data.Raw,
                ["points"] = new JsonArray([.. data.Buckets.Select(b => SeriesApi.Point(b, data.Raw))])
            };
            await writer.WriteAsync("point", point.ToJsonString(), stop);
            wrote = true;
        }
        return wrote;
    }

    static async Task<Run?> FindAsync(IDbContextFactory<MetaOptDb> databases, Guid id, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel);
    }

    sealed class Writer(HttpResponse response, StreamPosition sent)
    {
        /// <summary>How far each series was sent.</summary>
        public StreamPosition Sent => sent;

        public async Task WriteAsync(string type, string data, CancellationToken stop)
        {
            var id = sent.ToId() is { } position ? $"id: {position}\n" : "";
            await response.WriteAsync($"event: {type}\n{id}data: {data}\n\n", Encoding.UTF8, stop);
            await response.Body.FlushAsync(stop);
        }

        public async Task CommentAsync(CancellationToken stop)
        {
            await response.WriteAsync(": still here\n\n", stop);
            await response.Body.FlushAsync(stop);
        }
    }
}

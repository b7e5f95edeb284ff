using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;

namespace MetaOpt.Api.Checkpoints;

/// <summary>Stored learned optimizers; docs/checkpoint-format.md says what is in one.</summary>
static class CheckpointsApi
{
    public static void MapCheckpoints(this RouteGroupBuilder v1)
    {
        var group = v1.MapGroup("").WithTags("Checkpoints");
        group.MapGet("/runs/{id:guid}/checkpoints", ListAsync).WithSummary("The run's checkpoints.");
        group.MapGet("/checkpoints/{id:guid}", GetAsync).WithSummary("One checkpoint's size and SHA-256.");
        group.MapMethods("/checkpoints/{id:guid}/content", ["GET", "HEAD"], ContentAsync)
            .WithSummary("The bytes (safetensors); Range and If-None-Match work.");
    }

    static async Task<IResult> ListAsync(Guid id, HttpRequest request, MetaOptDb db, CheckpointStore checkpoints,
        CancellationToken cancel)
    {
        request.AllowQuery();
        if (!await db.Runs.AnyAsync(r => r.Id == id, cancel)) throw ProblemException.NotFound($"run {id}");
        return Results.Json(
            new JsonObject { ["items"] = new JsonArray([.. (await checkpoints.ListAsync(id, cancel)).Select(Document)]) });
    }

    static async Task<IResult> GetAsync(Guid id, HttpRequest request, CheckpointStore checkpoints, CancellationToken cancel)
    {
        request.AllowQuery();
        return Results.Json(Document(await FindAsync(checkpoints, id, cancel)));
    }

    /// <summary>A checkpoint's bytes, or a range of them.</summary>
    public static async Task ContentAsync(Guid id, HttpContext context, CheckpointStore checkpoints, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var header = await FindAsync(checkpoints, id, cancel);
        var (request, response) = (context.Request, context.Response);
        var etag = $"\"{header.Sha256}\"";
        response.Headers.ETag = etag;
        response.Headers.CacheControl = "private, immutable, max-age=31536000";
        response.Headers.AcceptRanges = "bytes";
        if (EntityTags.IsKnown(request, etag))
        {
            response.StatusCode = 304;
            return;
        }
        var (offset, length) = (0L, header.Size);
        if (RangeOf(request, etag) is { } range)
        {
            (offset, length) = Resolve(range, header.Size);
            if (length <= 0)
            {
                response.Headers.ContentRange = $"bytes */{header.Size}";
                throw new ProblemException(416, "range-not-satisfiable",
                    $"The checkpoint has {header.Size} bytes; the range asks for others.");
            }
            response.StatusCode = 206;
            response.Headers.ContentRange = $"bytes {offset}-{offset + length - 1}/{header.Size}";
        }
        response.ContentType = "application/octet-stream";
        response.ContentLength = length;
        response.Headers.ContentDisposition = $"attachment; filename=\"{id}.safetensors\"";
        if (HttpMethods.IsHead(request.Method)) return;
        await foreach (var part in checkpoints.OpenAsync(id, offset, length, cancel))
            await response.Body.WriteAsync(part, cancel);
    }

    /// <summary>One byte range; several, or a malformed header, are answered with the whole, as RFC 9110 allows.</summary>
    static RangeItemHeaderValue? RangeOf(HttpRequest request, string etag) =>
        RangeHeaderValue.TryParse(request.Headers.Range.ToString(), out var range) && range.Unit == "bytes"
            && range.Ranges.Count == 1
        && request.Headers.IfRange.ToString() is var condition && (condition.Length == 0 || condition == etag)
            ? range.Ranges.First()
            : null;

    static (long Offset, long Length) Resolve(RangeItemHeaderValue range, long size)
    {
        if (range.From is not { } from) return (Math.Max(0, size - range.To!.Value), Math.Min(size, range.To.Value));
        return (from, Math.Min(range.To ?? long.MaxValue - 1, size - 1) - from + 1);
    }

    static async Task<Checkpoint> FindAsync(CheckpointStore checkpoints, Guid id, CancellationToken cancel) =>
        await checkpoints.FindAsync(id, cancel) ?? throw ProblemException.NotFound($"checkpoint {id}");

    static JsonObject Document(Checkpoint checkpoint) => new()
    {
        ["id"] = checkpoint.Id.ToString(),
        ["runId"] = checkpoint.RunId.ToString(),
        ["name"] = checkpoint.Name,
        ["step"] = checkpoint.Step,
        ["size"] = checkpoint.Size,
        ["sha256"] = checkpoint.Sha256,
        ["createdAt"] = checkpoint.CreatedAt,
    };
}

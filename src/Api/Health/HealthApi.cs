using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Health;

/// <summary>Is the process alive, and can it serve? Without a token, for supervisors.</summary>
static class HealthApi
{
    public static void MapHealth(this WebApplication app)
    {
        var health = app.MapGroup("/healthz").AllowAnonymous().DisableRateLimiting().WithTags("Health");
        health.MapGet("/live", () => Results.Json(new { status = "live" })).WithSummary("The process answers.");
        health.MapGet("/ready", ReadyAsync).WithSummary("The database answers and has this program's schema.");
    }

    static async Task<IResult> ReadyAsync(MetaOptDb db, CancellationToken cancellationToken)
    {
        var pending = await db.Database.GetPendingMigrationsAsync(cancellationToken);
        return pending.Any()
            ? throw new ProblemException(503, "not-migrated", $"The database lacks {pending.Count()} migrations of this program.") { RetryAfter = 5 }
            : Results.Json(new { status = "ready" });
    }
}

using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Api.Health;

/// <summary>Is the process alive, and can it serve? Without a token, for supervisors.</summary>
static class HealthApi
{
    public static void MapHealth(this WebApplication app)
    {
        var health = app.MapGroup("/healthz").AllowAnonymous().DisableRateLimiting().WithTags("Health");
        // Before anybody is looked up: the process is alive also when a token comes along and the database hangs.
        health.MapGet("/live", () => Results.Json(new { status = "live" })).WithSummary("The process answers.").ShortCircuit();
        health.MapGet("/ready", ReadyAsync).WithSummary("The database answers, takes changes and has this program's schema.");
    }

    static async Task<IResult> ReadyAsync(MetaOptDb db, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        if (await database.IsReadOnlyAsync(cancellationToken))
            throw new ProblemException(503, "database-read-only",
                "The database takes no changes: it is a standby, or was made read-only.")
            { RetryAfter = 5 };
        var pending = await db.Database.GetPendingMigrationsAsync(cancellationToken);
        return pending.Any()
            ? throw new ProblemException(503, "not-migrated",
                $"The database lacks {pending.Count()} migrations of this program.")
            { RetryAfter = 5 }
            : Results.Json(new { status = "ready" });
    }
}

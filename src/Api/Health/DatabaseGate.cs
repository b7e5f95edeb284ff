using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Health;

/// <summary>Answers requests with 503 while the database hangs; the dashboard's files and the sign of life need none.</summary>
static class DatabaseGate
{
    public static void UseDatabaseGate(this WebApplication app)
    {
        var pulse = app.Services.GetRequiredService<DatabasePulse>();
        app.Use(async (context, next) =>
        {
            // Wherever it leads, the database says whose token came with it.
            if (!context.Request.Path.StartsWithSegments("/healthz/live") && !await pulse.BeatsAsync(context.RequestAborted))
                throw ProblemWriter.Unavailable();
            await next(context);
        });
    }
}

using MetaOpt.Storage;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;
using Npgsql;

namespace MetaOpt.Api.Problems;

/// <summary>Turns everything that goes wrong into a problem document; only faults of ours become a 500, and are logged.</summary>
static partial class ProblemWriter
{
    public static string Title(int status) => ReasonPhrases.GetReasonPhrase(status);

    public static void UseProblems(this WebApplication app)
    {
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetaOpt.Api");
        var database = app.Services.GetRequiredService<NpgsqlDataSource>();
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (Exception error) when (!context.Response.HasStarted)
            {
                if (error is OperationCanceledException && context.RequestAborted.IsCancellationRequested) return;
                var problem = Translate(error, database);
                if (problem.Status == 500) LogFault(logger, error, context.Request.Method, context.Request.Path);
                await WriteAsync(context, problem);
            }
        });
    }

    static ProblemException Translate(Exception error, NpgsqlDataSource database) => error switch
    {
        ProblemException problem => problem,
        SpecException spec => ProblemException.Invalid(spec),
        BadHttpRequestException { StatusCode: 413 } =>
            new(413, "body-too-large", $"The body may have {ApiSettings.MaxBodyBytes} bytes at most."),
        BadHttpRequestException bad => new(bad.StatusCode, "bad-request", bad.Message),
        _ when database.IsAway(error) => Unavailable(),
        _ => new(500, "fault", "This is a fault of the server; it was logged under the traceId."),
    };

    /// <summary>The database is away.</summary>
    public static ProblemException Unavailable() =>
        new(503, "database-unavailable",
            "The database does not answer or takes no changes now; try again in 5 seconds.")
        { RetryAfter = 5 };

    /// <summary>For answers without a body: unknown routes, wrong methods.</summary>
    public static Task WriteStatusAsync(StatusCodeContext context)
    {
        var http = context.HttpContext;
        if (Pages.IsMissing(http)) return Pages.WriteMissingAsync(http);
        var (code, detail) = http.Response.StatusCode switch
        {
            404 => ("not-found", $"There is nothing at {http.Request.Path}."),
            405 => ("method-not-allowed", $"{http.Request.Method} is not allowed here; allowed: {http.Response.Headers.Allow}."),
            429 => ("too-many-requests", "Too many requests; wait a second."),
            var status => ("http-error", Title(status)),
        };
        return WriteAsync(http, new ProblemException(http.Response.StatusCode, code, detail));
    }

    public static Task WriteAsync(HttpContext context, ProblemException problem)
    {
        var response = context.Response;
        response.StatusCode = problem.Status;
        if (problem.RetryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.ContentType = "application/problem+json";
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.WriteAsync(problem.ToJson(context.TraceIdentifier).ToJsonString(), context.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    static partial void LogFault(ILogger logger, Exception error, string method, string path);
}

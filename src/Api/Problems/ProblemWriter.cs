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
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (Exception error) when (!context.Response.HasStarted)
            {
                if (error is OperationCanceledException && context.RequestAborted.IsCancellationRequested) return;
                var problem = Translate(error);
                if (problem.Status == 500) LogFault(logger, error, context.Request.Method, context.Request.Path);
                await WriteAsync(context, problem);
            }
        });
    }

    static ProblemException Translate(Exception error) => error switch
    {
        ProblemException problem => problem,
        SpecException spec => ProblemException.Invalid(spec),
        BadHttpRequestException { StatusCode: 413 } => new(413, "body-too-large", $"The body may have {ApiSettings.MaxBodyBytes} bytes at most."),
        BadHttpRequestException bad => new(bad.StatusCode, "bad-request", bad.Message),
        NpgsqlException when IsUnavailable(error) => Unavailable(),
        InvalidOperationException { InnerException: NpgsqlException inner } when IsUnavailable(inner) => Unavailable(),
        TimeoutException => Unavailable(),
        _ => new(500, "fault", "This is a fault of the server; it was logged under the traceId."),
    };

    /// <summary>Connection trouble, or a server that starts, stops or is full: class 08, 53 and 57 of SQLSTATE.</summary>
    static bool IsUnavailable(Exception error) => error is PostgresException postgres
        ? postgres.SqlState is ['0', '8', ..] or ['5', '3', ..] or ['5', '7', ..] or "3D000"
        : error is NpgsqlException;

    static ProblemException Unavailable() => new(503, "database-unavailable", "The database does not answer; try again shortly.") { RetryAfter = 5 };

    /// <summary>For answers without a body: unknown routes, wrong methods.</summary>
    public static Task WriteStatusAsync(StatusCodeContext context)
    {
        var http = context.HttpContext;
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
        if (problem.RetryAfter is { } seconds) response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.ContentType = "application/problem+json";
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.WriteAsync(problem.ToJson(context.TraceIdentifier).ToJsonString(), context.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    static partial void LogFault(ILogger logger, Exception error, string method, string path);
}

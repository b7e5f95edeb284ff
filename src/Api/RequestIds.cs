namespace MetaOpt.Api;

/// <summary>
/// Every answer carries <c>X-Request-Id</c>: the caller's own when it sent a usable one, else one made here. Log lines of the
/// request have it, and so has a problem's <c>traceId</c>.
/// </summary>
static class RequestIds
{
    const string Header = "X-Request-Id";

    public static void UseRequestIds(this WebApplication app)
    {
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetaOpt.Api");
        app.Use(async (context, next) =>
        {
            if (context.Request.Headers[Header].ToString() is { Length: > 0 and <= 64 } sent
                && sent.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
                context.TraceIdentifier = sent;
            else
                context.TraceIdentifier = Guid.CreateVersion7().ToString("N");
            context.Response.Headers[Header] = context.TraceIdentifier;
            using (logger.BeginScope(new KeyValuePair<string, object>[] { new("RequestId", context.TraceIdentifier) }))
                await next(context);
        });
    }
}

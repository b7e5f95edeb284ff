using MetaOpt.Api.Background;

namespace MetaOpt.Api;

/// <summary>Headers that every answer carries.</summary>
static class SecurityHeaders
{
    public static void UseSecurityHeaders(this WebApplication app) => app.Use((context, next) =>
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers.ContentSecurityPolicy = context.Request.Path switch
        {
            var path when path.StartsWithSegments("/api") || path.StartsWithSegments("/healthz")
                || path.StartsWithSegments("/metrics") => Data,
            var path when path.StartsWithSegments("/swagger") => Swagger,
            var path when path.StartsWithSegments(BackgroundDashboard.Path) => Background,
            _ => Dashboard,
        };
        if (context.Request.Path.StartsWithSegments("/api")) headers.CacheControl = "no-store";
        return next(context);
    });

    const string Data = "default-src 'none'; frame-ancestors 'none'";

    // Swagger UI has inline styles and an inline script.
    const string Swagger =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        + "frame-ancestors 'none'";

    // Hangfire's pages have inline styles.
    const string Background =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    // Nothing inline and nothing from elsewhere; pictures that a page made itself are data: and blob:.
    const string Dashboard = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        + "img-src 'self' data: blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
}

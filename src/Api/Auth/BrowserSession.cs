using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Auth;

/// <summary>
/// Signing in with a browser. A session is a row next to the tokens, so it is listed, expires and is revoked as they are, also
/// when the token it was signed in with is revoked; nothing else has to be kept secret or in step between servers. Its cookie is
/// out of the reach of scripts (HttpOnly) and is not sent along from other sites (SameSite=Strict).
/// </summary>
static class BrowserSession
{
    /// <summary>Every change that comes with the cookie carries this header.</summary>
    public const string Header = "X-MetaOpt";

    const string Cookie = "metaopt-session";
    static readonly TimeSpan s_lifetime = TimeSpan.FromDays(30);

    /// <summary>The body of <c>POST /session</c>.</summary>
    public sealed record SignIn
    {
        /// <summary>A token's whole text.</summary>
        [Length(1, 200)]
        public required string Token { get; init; }
    }

    public static void MapBrowserSession(this RouteGroupBuilder v1)
    {
        var session = v1.MapGroup("/session").AllowAnonymous().WithTags("Account");
        session.MapPost("", SignInAsync)
            .WithSummary("Signs a browser in with a token: sets a cookie that does the same. Header X-MetaOpt: 1.");
        session.MapDelete("", SignOutAsync).WithSummary("Signs the browser out. Header X-MetaOpt: 1.");
    }

    /// <summary>Reads the session's cookie; null without one.</summary>
    public static string? Read(HttpRequest request) => request.Cookies[Cookie] is { Length: > 0 } secret ? secret : null;

    /// <summary>
    /// Lets nobody else's page make a browser change something: only our own pages may set the header, since no other origin is
    /// allowed to, and browsers say where a request comes from. SameSite alone would trust every host below the same domain.
    /// </summary>
    public static void RefuseForgery(HttpRequest request)
    {
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)) return;
        var (site, origin) = (request.Headers["Sec-Fetch-Site"].ToString(), request.Headers.Origin.ToString());
        if (request.Headers[Header] != "1")
            throw new ProblemException(403, "missing-header", $"A change from a browser needs the header {Header}: 1.");
        // Older browsers send Origin only.
        if (site.Length > 0 ? site != "same-origin" : origin.Length > 0 && origin != $"{request.Scheme}://{request.Host}")
            throw new ProblemException(403, "other-origin", "The change comes from a page of another origin.");
    }

    static async Task<IResult> SignInAsync(HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        RefuseForgery(context.Request);
        var token = (await context.Request.ReadAsync<SignIn>()).Token.Trim();
        var caller = await users.VerifyAsync(token, cancel)
            ?? throw new ProblemException(401, "unauthorized", "The token is unknown, expired or revoked.");
        var session = await users.CreateSessionAsync(caller, s_lifetime, new AuditEvent(caller.Name, "session.begin"), cancel);
        context.Response.Cookies.Append(Cookie, session.Text, Options(context.Request, session.Token.ExpiresAt));
        return Results.Json(new { name = caller.Name, role = caller.Role.ToString().ToLowerInvariant(), scopes = caller.Scopes },
            statusCode: 201);
    }

    static async Task<IResult> SignOutAsync(HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        RefuseForgery(context.Request);
        if (context.CallerSession() is { } id)
            await users.RevokeTokenAsync(context.CallerId(), id, context.AuditEvent("session.end", id), cancel);
        context.Response.Cookies.Delete(Cookie, Options(context.Request, null));
        return Results.NoContent();
    }

    static CookieOptions Options(HttpRequest request, DateTimeOffset? expires) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Secure = request.IsHttps,
        IsEssential = true,
        Path = "/",
        Expires = expires,
    };
}

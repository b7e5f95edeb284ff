using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using MetaOpt.Api.Background;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace MetaOpt.Api.Auth;

/// <summary>
/// Authentication of the caller: a program with a bearer token, or a browser with the cookie of its session. On by default; a
/// policy of a scope's name asks for that scope.
/// </summary>
static class Authentication
{
    public const string TokenClaim = "token";

    /// <summary>Policy for one's own tokens: a token that may write, or any of somebody who may only look.</summary>
    public const string OwnTokens = "own-tokens";

    const string Scheme = "Token", ScopeClaim = "scope", SessionClaim = "session";

    public static void AddTokens(this IServiceCollection services)
    {
        services.AddAuthentication(Scheme).AddScheme<AuthenticationSchemeOptions, Handler>(Scheme, null);
        var authorization = services.AddAuthorizationBuilder();
        foreach (var scope in Scopes.All) authorization.AddPolicy(scope, policy => policy.RequireClaim(ScopeClaim, scope));
        authorization.AddPolicy(OwnTokens, policy => policy.RequireAssertion(c =>
            c.User.HasClaim(ScopeClaim, Scopes.RunsWrite) || c.User.IsInRole(nameof(UserRole.Viewer))));
    }

    /// <summary>Name of the user who sent the request.</summary>
    public static string CallerName(this HttpContext context) => context.User.Identity!.Name!;

    /// <summary>The caller's action, for the audit trail.</summary>
    public static AuditEvent AuditEvent(this HttpContext context, string action, object? subject = null,
        JsonObject? detail = null) =>
        new(context.CallerName(), action, subject?.ToString() ?? "", detail);

    public static Guid CallerId(this HttpContext context) => Guid.Parse(context.User.FindFirstValue(ClaimTypes.NameIdentifier)!);

    public static bool IsAdmin(this HttpContext context) => context.User.HasClaim(ScopeClaim, Scopes.Admin);

    public static IReadOnlyList<string> CallerScopes(this HttpContext context) =>
        [.. context.User.FindAll(ScopeClaim).Select(c => c.Value)];

    /// <summary>The token behind the request's session, or null when it came with a bearer token or with nothing.</summary>
    public static string? CallerSession(this HttpContext context) =>
        context.User.HasClaim(c => c.Type == SessionClaim) ? context.User.FindFirstValue(TokenClaim) : null;

    /// <summary>Members change what is their own; administrators everything.</summary>
    public static void RequireOwner(this HttpContext context, string owner)
    {
        if (context.CallerName() != owner && !context.IsAdmin())
            throw new ProblemException(403, "not-yours",
                $"This belongs to {owner}; only {owner} or an administrator may change it.");
    }

    /// <summary>The caller as requests carry it.</summary>
    public static ClaimsPrincipal Principal(Caller caller, IEnumerable<System.Security.Claims.Claim> more) =>
        new(new ClaimsIdentity(
        [
            new(ClaimTypes.Name, caller.Name), new(ClaimTypes.NameIdentifier, caller.UserId.ToString()),
            new(ClaimTypes.Role, caller.Role.ToString()),
            new(TokenClaim, caller.TokenId), .. caller.Scopes.Select(s => new System.Security.Claims.Claim(ScopeClaim, s)),
            .. more,
        ], Scheme));

    sealed class Handler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder,
        UserStore users)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            var header = Request.Headers.Authorization.ToString();
            if (header.Length > 0)
            {
                const string prefix = "Bearer ";
                return header.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
                    && await users.VerifyAsync(header[prefix.Length..].Trim(), Context.RequestAborted) is { } bearer
                    ? Success(bearer, [])
                    : AuthenticateResult.Fail("The token is unknown, expired or revoked.");
            }
            if (BrowserSession.Read(Request) is not { } secret) return AuthenticateResult.NoResult();
            if (Request.Path != BackgroundDashboard.Statistics) BrowserSession.RefuseForgery(Request);
            return await users.VerifySessionAsync(secret, Context.RequestAborted) is { } caller
                ? Success(caller, [new(SessionClaim, "")])
                : AuthenticateResult.Fail("The session ended.");
        }

        static AuthenticateResult Success(Caller caller, IEnumerable<System.Security.Claims.Claim> more) =>
            AuthenticateResult.Success(new AuthenticationTicket(Principal(caller, more), Authentication.Scheme));

        protected override Task HandleChallengeAsync(AuthenticationProperties properties)
        {
            Response.Headers.WWWAuthenticate = "Bearer realm=\"MetaOpt\"";
            return ProblemWriter.WriteAsync(Context, new ProblemException(401, "unauthorized",
                "Send \"Authorization: Bearer mo_...\" with a valid token, or sign in; the first token is in the file "
                + "admin-token of the server's data folder."));
        }

        protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => ProblemWriter.WriteAsync(Context,
            new ProblemException(403, "forbidden",
                $"The token lacks the scope this needs; it has: {string.Join(", ", Context.CallerScopes())}."));
    }
}

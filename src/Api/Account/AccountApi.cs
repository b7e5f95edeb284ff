using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Account;

/// <summary>The caller and the caller's tokens.</summary>
static class AccountApi
{
    public static void MapAccount(this RouteGroupBuilder v1)
    {
        var me = v1.MapGroup("/me").WithTags("Account");
        me.MapGet("", Me).WithSummary("Who the token belongs to, and what it allows.");
        me.MapGet("/tokens", ListAsync)
            .WithSummary("The caller's tokens and browser sessions, newest first, without their secrets.");
        me.MapPost("/tokens", CreateAsync).RequireAuthorization(Authentication.OwnTokens)
            .WithSummary("Makes a token; its text is shown this once.");
        me.MapDelete("/tokens/{id}", RevokeAsync).RequireAuthorization(Authentication.OwnTokens)
            .WithSummary("Revokes one of the caller's tokens.");
    }

    static IResult Me(HttpContext context)
    {
        context.Request.AllowQuery();
        return Results.Json(new JsonObject
        {
            ["name"] = context.CallerName(),
            ["role"] = context.User.FindFirst(System.Security.Claims.ClaimTypes.Role)!.Value.ToLowerInvariant(),
            ["scopes"] = new JsonArray([.. context.CallerScopes().Select(s => (JsonNode)s)]),
        });
    }

    static async Task<IResult> ListAsync(HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        return Results.Json(TokenDocument.List(await users.ListTokensAsync(context.CallerId(), cancel)));
    }

    static async Task<IResult> CreateAsync(HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var request = await context.Request.ReadAsync<TokenRequest>();
        var token = await request.CreateAsync(
            context, users, context.CallerId(), context.CallerName(), context.CallerScopes(), "of the caller's own token",
            cancel);
        return Results.Json(TokenDocument.New(token), statusCode: 201);
    }

    static async Task<IResult> RevokeAsync(string id, HttpContext context, UserStore users, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        if (!await users.RevokeTokenAsync(context.CallerId(), id,
            context.AuditEvent("token.revoke", id, new() { ["user"] = context.CallerName() }), cancel))
            throw ProblemException.NotFound("such token of yours, or it is revoked already");
        return Results.NoContent();
    }
}

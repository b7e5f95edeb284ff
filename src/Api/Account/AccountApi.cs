using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Account;

/// <summary>The caller and the caller's tokens.</summary>
static class AccountApi
{
    /// <summary>What <c>POST /me/tokens</c> takes.</summary>
    public sealed record TokenRequest
    {
        /// <summary>What its owner calls it.</summary>
        [Length(1, 100)]
        public required string Name { get; init; }

        /// <summary>What it may be used for; by default what the caller's own token may.</summary>
        [Length(1, 3), Bounds(1, 20)]
        public IReadOnlyList<string>? Scopes { get; init; }

        /// <summary>Refused after so many days; null for never.</summary>
        [Bounds(1, 3650)]
        public int? ExpiresInDays { get; init; }
    }

    public static void MapAccount(this RouteGroupBuilder v1)
    {
        var me = v1.MapGroup("/me").WithTags("Account");
        me.MapGet("", (HttpContext context) => Results.Json(new JsonObject
        {
            ["name"] = context.CallerName(),
            ["role"] = context.User.FindFirst(System.Security.Claims.ClaimTypes.Role)!.Value.ToLowerInvariant(),
            ["scopes"] = Texts(context.CallerScopes()),
        })).WithSummary("Who the token belongs to, and what it allows.");
        me.MapGet("/tokens", async (HttpContext context, UserStore users, CancellationToken cancel) => Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. (await users.ListTokensAsync(context.CallerId(), cancel)).Select(Document)]),
        })).WithSummary("The caller's tokens, newest first, without their secrets.");
        me.MapPost("/tokens", CreateAsync).RequireAuthorization(Scopes.RunsWrite).WithSummary("Makes a token; its text is shown this once.");
        me.MapDelete("/tokens/{id}", RevokeAsync).RequireAuthorization(Scopes.RunsWrite).WithSummary("Revokes one of the caller's tokens.");
    }

    static async Task<IResult> CreateAsync(HttpContext context, UserStore users, AuditLog audit, CancellationToken cancel)
    {
        var request = await context.Request.ReadAsync<TokenRequest>();
        var own = context.CallerScopes();
        IReadOnlyList<string> scopes = request.Scopes ?? own;
        for (var i = 0; i < scopes.Count; i++)
            if (!own.Contains(scopes[i]))
                throw ProblemException.Invalid(new SpecException($"/scopes/{i}", $"\"{scopes[i]}\" must be a scope of the caller's own token: {string.Join(", ", own)}."));
        DateTimeOffset? expiry = request.ExpiresInDays is { } days ? TimeProvider.System.GetUtcNow().AddDays(days) : null;
        var token = await users.CreateTokenAsync(context.CallerId(), request.Name, [.. scopes.Distinct()], expiry, cancel);
        await audit.AppendAsync(context.CallerName(), "token.create", token.Token.Id, null, cancel);
        var document = Document(token.Token);
        document["token"] = token.Text;
        return Results.Json(document, statusCode: 201);
    }

    static async Task<IResult> RevokeAsync(string id, HttpContext context, UserStore users, AuditLog audit, CancellationToken cancel)
    {
        if ((await users.ListTokensAsync(context.CallerId(), cancel)).All(t => t.Id != id) || !await users.RevokeTokenAsync(id, cancel))
            throw ProblemException.NotFound("such token of yours, or it is revoked already");
        await audit.AppendAsync(context.CallerName(), "token.revoke", id, null, cancel);
        return Results.NoContent();
    }

    static JsonObject Document(Token token) => new()
    {
        ["id"] = token.Id,
        ["name"] = token.Name,
        ["session"] = token.SessionOf is not null,
        ["scopes"] = Texts(token.Scopes),
        ["createdAt"] = token.CreatedAt,
        ["expiresAt"] = token.ExpiresAt,
        ["revokedAt"] = token.RevokedAt,
        ["lastUsedAt"] = token.LastUsedAt,
    };

    static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode)t)]);
}

using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Account;

/// <summary>The body of <c>POST /me/tokens</c> and <c>POST /users/{name}/tokens</c>.</summary>
public sealed record TokenRequest
{
    /// <summary>The name that its owner gives it.</summary>
    [Length(1, 100)]
    public required string Name { get; init; }

    /// <summary>Scopes of the token; all that its owner may have by default.</summary>
    [Length(1, 3), Bounds(1, 20)]
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>Refused after so many days; null for never.</summary>
    [Bounds(1, 3650)]
    public int? ExpiresInDays { get; init; }

    /// <summary>Makes the token, with scopes among those that are <paramref name="possible"/>.</summary>
    internal async Task<NewToken> CreateAsync(
        HttpContext context, UserStore users, Guid userId, string user, IReadOnlyList<string> possible, string whose,
        CancellationToken cancel)
    {
        var scopes = Scopes ?? possible;
        for (var i = 0; i < scopes.Count; i++)
            if (!possible.Contains(scopes[i]))
                throw ProblemException.Invalid(new SpecException($"/scopes/{i}",
                    $"\"{scopes[i]}\" must be a scope {whose}: {string.Join(", ", possible)}."));
        string[] granted = [.. scopes.Distinct()];
        var audit = context.AuditEvent("token.create", detail: new()
        {
            ["user"] = user,
            ["name"] = Name,
            ["scopes"] = TokenDocument.Texts(granted),
        });
        return await users.CreateTokenAsync(userId, Name, granted, ExpiresInDays is { } days ? TimeSpan.FromDays(days) : null,
            audit, cancel);
    }
}

/// <summary>A token as clients see it: without its secret, but for the answer that makes it.</summary>
static class TokenDocument
{
    public static JsonObject Of(Token token) => new()
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

    public static JsonObject New(NewToken token)
    {
        var document = Of(token.Token);
        document["token"] = token.Text;
        return document;
    }

    public static JsonObject List(IEnumerable<Token> tokens) => new() { ["items"] = new JsonArray([.. tokens.Select(Of)]) };

    public static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode)t)]);
}

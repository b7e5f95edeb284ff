using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>A new token. <paramref name="Text"/> is what the bearer sends; it is not stored and cannot be shown again.</summary>
public sealed record NewToken(string Text, Token Token);

/// <summary>The sender of a request, with the token's scopes.</summary>
public sealed record Caller(Guid UserId, string Name, UserRole Role, string TokenId, IReadOnlyList<string> Scopes);

/// <summary>
/// Users and their bearer tokens: <c>mo_</c>, 8 characters that name it, <c>_</c>, 32 random bytes as 43 base64url characters.
/// </summary>
public sealed partial class UserStore(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    const string Prefix = "mo_";
    const int IdLength = 8, SecretLength = 43;
    const string IdAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

    // Any constant will do, as long as nobody else in the database uses it.
    const long UsersLock = 0x6d6574616f707403;

    /// <summary>Name of the user that the first start makes.</summary>
    public const string AdminName = "admin";

    /// <summary>
    /// On a database without users: makes <see cref="AdminName"/> and a token with all scopes that does not expire, which is kept
    /// (<paramref name="keep"/>) before it counts. Null otherwise, and for all but one of several processes that start at once.
    /// </summary>
    public async Task<NewToken?> BootstrapAdminAsync(Action<NewToken> keep, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.Database.ExecuteSqlAsync($"select pg_advisory_xact_lock({UsersLock})", cancel);
        if (await db.Users.AnyAsync(cancel))
            return null;
        var admin = new User { Id = Guid.CreateVersion7(), Name = AdminName, Role = UserRole.Admin };
        var token = Make(admin.Id, "bootstrap", Scopes.All, null);
        db.Add(admin);
        db.Add(token.Token);
        await db.SaveChangesAsync(cancel);
        keep(token);
        await transaction.CommitAsync(cancel);
        return token;
    }

    /// <summary>
    /// Makes a token for a user, refused after <paramref name="lifetime"/>; null: never. The audit event tells when that is.
    /// </summary>
    public async Task<NewToken> CreateTokenAsync(
        Guid userId, string name, IReadOnlyList<string> scopes, TimeSpan? lifetime, AuditEvent audit, CancellationToken cancel)
    {
        if (scopes.Except(Scopes.All).ToList() is [var unknown, ..])
            throw new ArgumentException($"Scope '{unknown}' is unknown; known: {string.Join(", ", Scopes.All)}.", nameof(scopes));
        await using var db = await databases.CreateDbContextAsync(cancel);
        var token = Make(userId, name, scopes, lifetime is { } time ? await db.NowAsync(cancel) + time : null);
        audit.Detail?.Add("expiresAt", token.Token.ExpiresAt);
        db.Add(token.Token);
        db.Add((audit with { Subject = token.Token.Id }).Entry);
        await db.SaveChangesAsync(cancel);
        return token;
    }

    /// <summary>Whose token it is, or null when it is malformed, unknown, wrong, expired, revoked or its user disabled.</summary>
    public Task<Caller?> VerifyAsync(string text, CancellationToken cancel) => VerifyAsync(text, session: false, cancel);

    /// <summary>The same for the secret of a browser session. Neither is accepted in the other's place.</summary>
    public Task<Caller?> VerifySessionAsync(string text, CancellationToken cancel) => VerifyAsync(text, session: true, cancel);

    /// <summary>
    /// Signs a browser in: a token with the caller's scopes that is accepted as a session only, for <paramref name="lifetime"/>
    /// and not beyond the life of the token behind it.
    /// </summary>
    public async Task<NewToken> CreateSessionAsync(Caller caller, TimeSpan lifetime, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        var session = Make(caller.UserId, "browser session", caller.Scopes, await db.NowAsync(cancel) + lifetime, caller.TokenId);
        db.Add(session.Token);
        db.Add((audit with { Subject = session.Token.Id }).Entry);
        await db.SaveChangesAsync(cancel);
        return session;
    }

    async Task<Caller?> VerifyAsync(string text, bool session, CancellationToken cancel)
    {
        if (!TryParse(text, out var id, out var secret))
            return null;
        Caller caller;
        await using (var find = dataSource.Command(Sql.FindToken, ("id", id), ("session", session)))
        await using (var reader = await find.ExecuteReaderAsync(cancel))
        {
            if (!await reader.ReadAsync(cancel)
                || !CryptographicOperations.FixedTimeEquals(SHA256.HashData(secret), reader.GetFieldValue<byte[]>(0)))
                return null;
            var role = Enum.Parse<UserRole>(reader.GetString(3), true);
            // A role that was taken back takes the scopes of old tokens with it.
            caller = new(reader.GetGuid(1), reader.GetString(2), role, id,
                [.. reader.GetFieldValue<string[]>(4).Intersect(Scopes.Of(role))]);
            if (!reader.GetBoolean(5))
                return caller;
        }
        try
        {
            await using var touch = dataSource.Command("update tokens set last_used_at = now() where id = @id", ("id", id));
            await touch.ExecuteNonQueryAsync(cancel);
        }
        catch (NpgsqlException away) when (dataSource.IsAway(away))
        {
            // A server that takes no writes still answers reads, and the time of use is good to a minute only.
        }
        return caller;
    }

    /// <summary>A user's tokens, newest first; revoked and expired ones too.</summary>
    public async Task<IReadOnlyList<Token>> ListTokensAsync(Guid userId, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Tokens.AsNoTracking().Where(t => t.UserId == userId).OrderByDescending(t => t.CreatedAt)
            .ToListAsync(cancel);
    }

    /// <summary>Refuses the user's token from now on; false when there is none, or it is revoked already.</summary>
    public Task<bool> RevokeTokenAsync(Guid userId, string tokenId, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel,
            "update tokens set revoked_at = now() where id = @id and user_id = @user and revoked_at is null",
            ("id", tokenId), ("user", userId));

    static NewToken Make(Guid userId, string name, IReadOnlyList<string> scopes, DateTimeOffset? expiresAt,
        string? sessionOf = null)
    {
        var (id, secret) = (RandomNumberGenerator.GetString(IdAlphabet, IdLength), RandomNumberGenerator.GetBytes(32));
        var token = new Token
        {
            Id = id,
            UserId = userId,
            Name = name,
            SessionOf = sessionOf,
            SecretSha256 = SHA256.HashData(secret),
            Scopes = [.. scopes],
            ExpiresAt = expiresAt,
        };
        return new($"{Prefix}{id}_{Base64Url.EncodeToString(secret)}", token);
    }

    static bool TryParse(string text, out string id, out byte[] secret)
    {
        (id, secret) = ("", new byte[32]);
        if (text.Length != Prefix.Length + IdLength + 1 + SecretLength || !text.StartsWith(Prefix, StringComparison.Ordinal)
            || text[Prefix.Length + IdLength] != '_')
            return false;
        id = text.Substring(Prefix.Length, IdLength);
        var encoded = text.AsSpan(Prefix.Length + IdLength + 1);
        return Base64Url.DecodeFromChars(encoded, secret, out _, out var written) == OperationStatus.Done
            && written == secret.Length;
    }
}

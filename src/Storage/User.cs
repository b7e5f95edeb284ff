using System.Text.Json;

namespace MetaOpt.Storage;

/// <summary>The rights of a user.</summary>
public enum UserRole
{
    /// <summary>Everything.</summary>
    Admin,
    /// <summary>Reads all runs, changes its own.</summary>
    Member,
    /// <summary>Reads all runs.</summary>
    Viewer,
}

/// <summary>Somebody who submits runs.</summary>
public sealed class User
{
    /// <summary>UUIDv7.</summary>
    public Guid Id { get; init; }
    /// <summary>Unique; runs carry it as their owner.</summary>
    public required string Name { get; init; }
    /// <summary>Their rights.</summary>
    public UserRole Role { get; set; }
    /// <summary>Share of the machines relative to the others' weights.</summary>
    public double Weight { get; set; } = 1;
    /// <summary>When they were added.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>Their tokens stop working from here on.</summary>
    public DateTimeOffset? DisabledAt { get; set; }
}

/// <summary>A bearer token, without its secret: that is shown once and kept only as SHA-256.</summary>
public sealed class Token
{
    /// <summary>The 8 characters after <c>mo_</c>.</summary>
    public required string Id { get; init; }
    /// <summary>Whose it is.</summary>
    public Guid UserId { get; init; }
    /// <summary>Whose it is.</summary>
    public User User { get; init; } = null!;
    /// <summary>The name that its owner gives it.</summary>
    public required string Name { get; init; }
    /// <summary>SHA-256 of the 32 secret bytes. They are random, so a slow password hash would add nothing.</summary>
    public required byte[] SecretSha256 { get; init; }
    /// <summary>Of a browser session: the token it was signed in with, and ends with. Null for a token of its own.</summary>
    public string? SessionOf { get; init; }
    /// <summary>Its scopes; see <see cref="Scopes"/>.</summary>
    public List<string> Scopes { get; init; } = [];
    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>Refused from here on; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
    /// <summary>Refused from here on.</summary>
    public DateTimeOffset? RevokedAt { get; set; }
    /// <summary>Good to a minute.</summary>
    public DateTimeOffset? LastUsedAt { get; set; }
}

/// <summary>Scopes of tokens.</summary>
public static class Scopes
{
    /// <summary>See runs, series and checkpoints.</summary>
    public const string RunsRead = "runs:read";
    /// <summary>Submit, change, cancel and delete runs.</summary>
    public const string RunsWrite = "runs:write";
    /// <summary>Users, their tokens, and everybody's runs.</summary>
    public const string Admin = "admin";
    /// <summary>All there are.</summary>
    public static IReadOnlyList<string> All { get; } = [RunsRead, RunsWrite, Admin];

    /// <summary>The most that tokens of somebody with this role may be used for.</summary>
    public static IReadOnlyList<string> Of(UserRole role) => role switch
    {
        UserRole.Admin => All,
        UserRole.Member => [RunsRead, RunsWrite],
        _ => [RunsRead],
    };
}

/// <summary>A worker process as it last reported.</summary>
public sealed class Worker
{
    /// <summary>Unique.</summary>
    public required string Name { get; init; }
    /// <summary>It takes runs of this pool.</summary>
    public required string Pool { get; set; }
    /// <summary>Datasets it has.</summary>
    public List<string> Datasets { get; set; } = [];
    /// <summary>Runs it executes at once.</summary>
    public int Slots { get; set; } = 1;
    /// <summary>It claims no more runs.</summary>
    public bool Draining { get; set; }
    /// <summary>Host, cores, versions.</summary>
    public JsonElement Facts { get; set; }
    /// <summary>First registration.</summary>
    public DateTimeOffset FirstSeenAt { get; init; }
    /// <summary>Last registration, claim or heartbeat, good to a few seconds.</summary>
    public DateTimeOffset LastSeenAt { get; set; }
}

/// <summary>One line of the audit trail; never changed.</summary>
public sealed class AuditEntry
{
    /// <summary>Ascending.</summary>
    public long Id { get; init; }
    /// <summary>When.</summary>
    public DateTimeOffset At { get; init; }
    /// <summary>The user's name.</summary>
    public required string Actor { get; init; }
    /// <summary>The action, for example <c>run.cancel</c>.</summary>
    public required string Action { get; init; }
    /// <summary>To what: an id or a name.</summary>
    public required string Subject { get; init; }
    /// <summary>More about it.</summary>
    public JsonElement Detail { get; init; }
}

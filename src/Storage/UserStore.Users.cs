using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Storage;

/// <summary>Changes to a user; a field that is null stays as it is.</summary>
public sealed record UserChange(UserRole? Role, double? Weight, bool? Disabled);

/// <summary>The change would leave nobody who may look after users.</summary>
public sealed class LastAdminException(string name)
    : Exception($"{name} is the only administrator who is not disabled; make somebody else one first.");

public sealed partial class UserStore
{
    /// <summary>Adds a user.</summary>
    /// <exception cref="DbUpdateException">There is one of that name.</exception>
    public async Task<User> CreateUserAsync(string name, UserRole role, double weight, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        var user = new User { Id = Guid.CreateVersion7(), Name = name, Role = role, Weight = weight };
        db.Add(user);
        db.Add(Entry(audit, user));
        await db.SaveChangesAsync(cancel);
        return user;
    }

    /// <summary>The user of that name, null when there is none.</summary>
    public async Task<User?> FindUserAsync(string name, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Users.AsNoTracking().FirstOrDefaultAsync(u => u.Name == name, cancel);
    }

    /// <summary>Everybody, by name; disabled users too.</summary>
    public async Task<IReadOnlyList<User>> ListUsersAsync(CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Users.AsNoTracking().OrderBy(u => u.Name).ToListAsync(cancel);
    }

    /// <summary>Changes a user, who keeps the name: runs carry it. Null when there is none.</summary>
    /// <exception cref="LastAdminException">Nobody could change users any more.</exception>
    public async Task<User?> ChangeUserAsync(string name, UserChange change, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        // One at a time: two administrators who demote each other at once would both be right.
        await db.Database.ExecuteSqlAsync($"select pg_advisory_xact_lock({UsersLock})", cancel);
        if (await db.Users.FirstOrDefaultAsync(u => u.Name == name, cancel) is not { } user)
            return null;
        user.Role = change.Role ?? user.Role;
        user.Weight = change.Weight ?? user.Weight;
        if (change.Disabled is { } disabled)
            user.DisabledAt = disabled ? user.DisabledAt ?? await db.NowAsync(cancel) : null;
        // What changes nothing is no event.
        if (db.ChangeTracker.HasChanges()) db.Add(Entry(audit, user));
        await db.SaveChangesAsync(cancel);
        if (!await db.Users.AnyAsync(u => u.Role == UserRole.Admin && u.DisabledAt == null, cancel))
            throw new LastAdminException(name);
        await transaction.CommitAsync(cancel);
        return user;
    }

    /// <summary>
    /// Deletes a user with tokens, sessions, limits, schedules and subscriptions; runs, models and audit events keep the name.
    /// False when there is none.
    /// </summary>
    /// <exception cref="LastAdminException">Nobody could change users any more.</exception>
    public async Task<bool> DeleteUserAsync(string name, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.Database.ExecuteSqlAsync($"select pg_advisory_xact_lock({UsersLock})", cancel);
        if (await db.Users.FirstOrDefaultAsync(u => u.Name == name, cancel) is not { } user)
            return false;
        await db.Tokens.Where(t => t.UserId == user.Id && t.SessionOf != null).ExecuteDeleteAsync(cancel);
        await db.Tokens.Where(t => t.UserId == user.Id).ExecuteDeleteAsync(cancel);
        await db.Quotas.Where(q => q.Owner == name).ExecuteDeleteAsync(cancel);
        await db.Schedules.Where(s => s.Owner == name).ExecuteDeleteAsync(cancel);
        await db.Subscriptions.Where(s => s.Owner == name).ExecuteDeleteAsync(cancel);
        db.Remove(user);
        db.Add(Entry(audit, user));
        await db.SaveChangesAsync(cancel);
        if (!await db.Users.AnyAsync(u => u.Role == UserRole.Admin && u.DisabledAt == null, cancel))
            throw new LastAdminException(name);
        await transaction.CommitAsync(cancel);
        return true;
    }

    static AuditEntry Entry(AuditEvent audit, User user) => (audit with
    {
        Subject = user.Name,
        Detail = new()
        {
            ["role"] = user.Role.ToString().ToLowerInvariant(),
            ["weight"] = user.Weight,
            ["disabled"] = user.DisabledAt is not null
        },
    }).Entry;
}

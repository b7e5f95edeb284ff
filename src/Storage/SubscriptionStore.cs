using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

/// <summary>The owner has as many subscriptions as one user may have.</summary>
public sealed class TooManySubscriptionsException(string owner)
    : Exception($"{owner} has {SubscriptionStore.MostPerOwner} subscriptions, which is the maximum; delete one first.");

/// <summary>Subscriptions to events, and the deliveries that come of them.</summary>
public sealed class SubscriptionStore(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>Most subscriptions of one user.</summary>
    public const int MostPerOwner = 20;

    // Any constant will do, as long as nobody else in the database uses it.
    const long OwnersLock = 0x6d6574616f707408;

    /// <summary>Stores a new subscription.</summary>
    /// <exception cref="TooManySubscriptionsException">Its owner has as many as one may have.</exception>
    public async Task AddAsync(Subscription subscription, AuditEvent audit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        // Two at once would both find room.
        await db.Database.ExecuteSqlAsync($"select pg_advisory_xact_lock(hashtextextended({subscription.Owner}, {OwnersLock}))",
            cancel);
        if (await db.Subscriptions.CountAsync(s => s.Owner == subscription.Owner, cancel) >= MostPerOwner)
            throw new TooManySubscriptionsException(subscription.Owner);
        db.Add(subscription);
        db.Add((audit with { Subject = subscription.Id.ToString() }).Entry);
        await db.SaveChangesAsync(cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>Sends or stops sending. False: there is none.</summary>
    public Task<bool> EnableAsync(Guid id, bool enabled, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "update subscriptions set enabled = @enabled where id = @id", ("enabled", enabled),
            ("id", id));

    /// <summary>Deletes a subscription with its deliveries. False: there is none.</summary>
    public Task<bool> DeleteAsync(Guid id, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "delete from subscriptions where id = @id", ("id", id));

    /// <summary>Makes the deliveries of events that have happened; how many are new.</summary>
    public async Task<int> NoticeAsync(CancellationToken cancel)
    {
        await using var notice = dataSource.Command(Sql.Read("notice-events.sql"));
        return await notice.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Makes a delivery by hand, to try the address.</summary>
    public async Task<Guid> AddTestAsync(Guid subscription, JsonObject payload, CancellationToken cancel)
    {
        var id = Guid.NewGuid();
        await using var add = dataSource.Command(
            """
            insert into deliveries (id, subscription_id, event, event_key, payload, created_at, enqueued, attempts)
            values (@id, @subscription, 'test', 'test:' || @id, @payload, clock_timestamp(), false, 0)
            """, ("id", id), ("subscription", subscription), Json("payload", payload.ToJsonString()));
        await add.ExecuteNonQueryAsync(cancel);
        return id;
    }

    /// <summary>Deliveries that no background job was made for yet.</summary>
    public async Task<IReadOnlyList<Guid>> ListNewAsync(int limit, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Deliveries.Where(d => !d.Enqueued).OrderBy(d => d.CreatedAt).Take(limit).Select(d => d.Id)
            .ToListAsync(cancel);
    }

    /// <summary>Notes that a background job sends it.</summary>
    public async Task MarkEnqueuedAsync(Guid delivery, CancellationToken cancel)
    {
        await using var mark = dataSource.Command("update deliveries set enqueued = true where id = @id", ("id", delivery));
        await mark.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>
    /// A delivery that is still to be made, with its subscription; null when it was made or given up, or nobody wants it.
    /// </summary>
    public async Task<(Delivery Delivery, Subscription Subscription)?> FindPendingAsync(Guid delivery, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        var found = await (from d in db.Deliveries.AsNoTracking()
                           join s in db.Subscriptions on d.SubscriptionId equals s.Id
                           where d.Id == delivery && d.DeliveredAt == null && d.FailedAt == null
                               && (s.Enabled || d.Event == EventNames.Test)
                           select new { Delivery = d, Subscription = s }).FirstOrDefaultAsync(cancel);
        return found is null ? null : (found.Delivery, found.Subscription);
    }

    /// <summary>Notes what an attempt came to.</summary>
    public async Task NoteAsync(Guid delivery, bool delivered, bool givenUp, string outcome, CancellationToken cancel)
    {
        await using var note = dataSource.Command(
            """
            update deliveries set attempts = attempts + 1, outcome = @outcome,
              delivered_at = case when @delivered then clock_timestamp() else delivered_at end,
              failed_at = case when @given_up then clock_timestamp() else failed_at end
            where id = @id
            """, ("id", delivery), ("delivered", delivered), ("given_up", givenUp), ("outcome", outcome));
        await note.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Deletes deliveries that are older than 30 days; how many.</summary>
    public async Task<int> DeleteOldAsync(CancellationToken cancel)
    {
        // Longer than events are looked for, or they would be delivered again.
        await using var delete = dataSource.Command("delete from deliveries where created_at < now() - interval '30 days'");
        return await delete.ExecuteNonQueryAsync(cancel);
    }
}

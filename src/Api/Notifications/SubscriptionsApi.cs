using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Hangfire;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Notifications;

/// <summary>The body of <c>POST /subscriptions</c>.</summary>
public sealed record NewSubscription : IChecked
{
    /// <summary>https:// or http:// for a webhook, mailto: for an e-mail.</summary>
    [Length(1, 500)]
    public required string Address { get; init; }

    /// <summary>run-ended, run-failed, run-waits, worker-offline.</summary>
    [Length(1, 4), Bounds(1, 40)]
    public required IReadOnlyList<string> Events { get; init; }

    /// <summary>Tells of runs with this tag, whosever they are; left out: of the caller's own.</summary>
    [Length(1, 60)]
    public string? Tag { get; init; }

    /// <summary>Minutes in the queue after which run-waits is told.</summary>
    [Bounds(1, 100_000)]
    public int WaitMinutes { get; init; } = 60;

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        for (var i = 0; i < Events.Count; i++)
            if (!EventNames.All.Contains(Events[i]))
                yield return new($"/events/{i}", $"must be one of {string.Join(", ", EventNames.All)}, got \"{Events[i]}\".");
    }
}

/// <summary>The body of <c>PATCH /subscriptions/{id}</c>.</summary>
public sealed record SubscriptionChange
{
    /// <summary>Whether anything is sent.</summary>
    public required bool Enabled { get; init; }
}

/// <summary>
/// Where the caller is told of events: webhooks and e-mail addresses. Addresses can be secrets, so everybody sees their own only.
/// </summary>
static class SubscriptionsApi
{
    const int DefaultPage = 50, LargestPage = 200;

    public static void MapSubscriptions(this RouteGroupBuilder v1)
    {
        var subscriptions = v1.MapGroup("/subscriptions").WithTags("Notifications");
        subscriptions.MapGet("", ListAsync).WithSummary("The caller's subscriptions, newest first.");
        subscriptions.MapPost("", CreateAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary(
                $"Subscribes to events; the secret that signs webhooks is shown this once. At "
                + $"most {SubscriptionStore.MostPerOwner} for one user.");
        subscriptions.MapPatch("/{id:guid}", ChangeAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Sends or stops sending.");
        subscriptions.MapDelete("/{id:guid}", DeleteAsync).RequireAuthorization(Scopes.RunsWrite)
            .WithSummary("Deletes a subscription with its deliveries.");
        subscriptions.MapPost("/{id:guid}/test", TestAsync).RequireAuthorization(Scopes.RunsWrite).WithSummary("Sends a test.");
        subscriptions.MapGet("/{id:guid}/deliveries", DeliveriesAsync)
            .WithSummary("What was sent, newest first, and what came of it. Query: limit (1 to 200).");
    }

    static async Task<IResult> ListAsync(HttpContext context, MetaOptDb db, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var owner = context.CallerName();
        var own = await db.Subscriptions.AsNoTracking().Where(s => s.Owner == owner).OrderByDescending(s => s.Id)
            .ToListAsync(cancel);
        return Results.Json(new JsonObject { ["items"] = new JsonArray([.. own.Select(Document)]) });
    }

    static async Task<IResult> CreateAsync(HttpContext context, MetaOptDb db, SubscriptionStore store,
        NotificationSettings settings, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var request = await context.Request.ReadAsync<NewSubscription>();
        if (Address.Error(request.Address, settings) is { } error)
            throw ProblemException.Invalid(new SpecException("/address", error));
        var now = await db.NowAsync(cancel);
        var subscription = new Subscription
        {
            Id = Guid.CreateVersion7(now),
            Owner = context.CallerName(),
            Address = request.Address,
            Secret = RandomNumberGenerator.GetBytes(32),
            Events = [.. request.Events.Distinct()],
            Tag = request.Tag,
            WaitMinutes = request.WaitMinutes,
            Enabled = true,
            CreatedAt = now,
        };
        try
        {
            await store.AddAsync(subscription,
                context.AuditEvent("subscription.create", detail: new() { ["to"] = Kind(subscription), ["tag"] = request.Tag }),
                cancel);
        }
        catch (TooManySubscriptionsException full)
        {
            throw new ProblemException(403, "quota-exceeded", full.Message);
        }
        var document = Document(subscription);
        document["secret"] = Base64Url.EncodeToString(subscription.Secret);
        return Results.Json(document, statusCode: 201);
    }

    static async Task<IResult> ChangeAsync(Guid id, HttpContext context, MetaOptDb db, SubscriptionStore store,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var subscription = await FindAsync(db, id, cancel);
        context.RequireOwner(subscription.Owner);
        var change = await context.Request.ReadAsync<SubscriptionChange>();
        await store.EnableAsync(id, change.Enabled,
            context.AuditEvent("subscription.change", id, new() { ["enabled"] = change.Enabled }), cancel);
        subscription.Enabled = change.Enabled;
        return Results.Json(Document(subscription));
    }

    static async Task<IResult> DeleteAsync(Guid id, HttpContext context, MetaOptDb db, SubscriptionStore store,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        context.RequireOwner((await FindAsync(db, id, cancel)).Owner);
        await store.DeleteAsync(id, context.AuditEvent("subscription.delete", id), cancel);
        return Results.NoContent();
    }

    static async Task<IResult> TestAsync(Guid id, HttpContext context, MetaOptDb db, SubscriptionStore store,
        IBackgroundJobClient jobs, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        context.RequireOwner((await FindAsync(db, id, cancel)).Owner);
        var delivery = await store.AddTestAsync(id, new() { ["by"] = context.CallerName(), ["at"] = await db.NowAsync(cancel) },
            cancel);
        jobs.Enqueue<Notifier>(job => job.EnqueueAsync(CancellationToken.None));
        return Results.Json(new JsonObject { ["delivery"] = delivery.ToString() }, statusCode: 202);
    }

    static async Task<IResult> DeliveriesAsync(Guid id, HttpContext context, MetaOptDb db, CancellationToken cancel)
    {
        context.Request.AllowQuery("limit");
        var limit = (int)(context.Request.QueryNumber("limit", 1, LargestPage) ?? DefaultPage);
        if ((await FindAsync(db, id, cancel)).Owner != context.CallerName() && !context.IsAdmin())
            throw ProblemException.NotFound($"subscription {id}");
        var page = await db.Deliveries.AsNoTracking().Where(d => d.SubscriptionId == id).OrderByDescending(d => d.CreatedAt)
            .Take(limit).ToListAsync(cancel);
        return Results.Json(new JsonObject
        {
            ["items"] = new JsonArray([.. page.Select(d => new JsonObject
            {
                ["id"] = d.Id.ToString(),
                ["event"] = d.Event,
                ["payload"] = JsonNode.Parse(d.Payload.GetRawText()),
                ["state"] = d.DeliveredAt is not null ? "delivered" : d.FailedAt is not null ? "failed" : "pending",
                ["createdAt"] = d.CreatedAt,
                ["deliveredAt"] = d.DeliveredAt,
                ["attempts"] = d.Attempts,
                ["outcome"] = d.Outcome,
            })]),
        });
    }

    static async Task<Subscription> FindAsync(MetaOptDb db, Guid id, CancellationToken cancel) =>
        await db.Subscriptions.AsNoTracking().FirstOrDefaultAsync(s => s.Id == id, cancel)
            ?? throw ProblemException.NotFound($"subscription {id}");

    static string Kind(Subscription subscription) =>
        subscription.Address.StartsWith(Address.Mail, StringComparison.Ordinal) ? "e-mail" : "webhook";

    static JsonObject Document(Subscription subscription) => new()
    {
        ["id"] = subscription.Id.ToString(),
        ["address"] = subscription.Address,
        ["events"] = new JsonArray([.. subscription.Events.Select(e => (JsonNode)e)]),
        ["tag"] = subscription.Tag,
        ["waitMinutes"] = subscription.WaitMinutes,
        ["enabled"] = subscription.Enabled,
        ["createdAt"] = subscription.CreatedAt,
    };
}

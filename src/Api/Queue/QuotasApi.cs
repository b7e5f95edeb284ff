using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Queue;

/// <summary>Quotas: limits of users.</summary>
static class QuotasApi
{
    /// <summary>The body of <c>PUT /quotas</c>: a limit that is left out is none.</summary>
    public sealed record Limits
    {
        /// <summary>Runs at once.</summary>
        [Bounds(0, 100_000)]
        public int? Running { get; init; }

        /// <summary>Runs that wait.</summary>
        [Bounds(0, 1_000_000)]
        public int? Queued { get; init; }

        /// <summary>Bytes of checkpoints and resume points.</summary>
        [Bounds(0, 9007199254740991)]
        public long? StoredBytes { get; init; }

        /// <summary>Hours on devices in seven days.</summary>
        [Bounds(0, 1_000_000)]
        public double? DeviceHours { get; init; }
    }

    public static void MapQuotas(this RouteGroupBuilder v1)
    {
        var quotas = v1.MapGroup("/quotas").WithTags("Queue");
        quotas.MapGet("", ListAsync).WithSummary("The limits: everybody's, and those of single users.");
        quotas.MapPut("", (HttpContext context, QuotaStore store, UserStore users, CancellationToken cancel) =>
            SetAsync(Quota.Everybody, context, store, users, cancel)).RequireAuthorization(Scopes.Admin)
            .WithSummary("Sets the limits of everybody who has none of their own.");
        quotas.MapPut("/{name}", SetAsync).RequireAuthorization(Scopes.Admin)
            .WithSummary("Sets a user's limits; one that is left out is everybody's.");
        v1.MapGet("/me/usage", OwnAsync).WithTags("Account").WithSummary("What the caller uses and may use.");
    }

    static async Task<IResult> ListAsync(HttpRequest request, QuotaStore store, CancellationToken cancel)
    {
        request.AllowQuery();
        var all = await store.ListAsync(cancel);
        return Results.Json(new JsonObject
        {
            ["everybody"] = Limit(all.FirstOrDefault(q => q.Owner == Quota.Everybody) ?? new Quota { Owner = Quota.Everybody }),
            ["items"] = new JsonArray(
                [.. all.Where(q => q.Owner != Quota.Everybody)
                    .Select(q => new JsonObject { ["name"] = q.Owner, ["limits"] = Limit(q) })]),
        });
    }

    static async Task<IResult> SetAsync(string name, HttpContext context, QuotaStore store, UserStore users,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var limits = await context.Request.ReadAsync<Limits>();
        if (name != Quota.Everybody && (name.Contains('\0') || await users.FindUserAsync(name, cancel) is null))
            throw ProblemException.NotFound($"user \"{name}\"");
        var quota = new Quota
        {
            Owner = name,
            Running = limits.Running,
            Queued = limits.Queued,
            StoredBytes = limits.StoredBytes,
            DeviceHours = limits.DeviceHours
        };
        await store.SetAsync(quota, context.AuditEvent("quota.set", name == Quota.Everybody ? "everybody" : name, Limit(quota)),
            cancel);
        return Results.Json(Limit(quota));
    }

    static async Task<IResult> OwnAsync(HttpContext context, QuotaStore store, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        return Results.Json(Document((await store.UsageAsync(context.CallerName(), cancel))[0]));
    }

    public static JsonObject Document(Usage usage) => new()
    {
        ["name"] = usage.Owner,
        ["running"] = usage.Running,
        ["queued"] = usage.Queued,
        ["storedBytes"] = usage.StoredBytes,
        ["deviceHours"] = Math.Round(usage.DeviceHours, 3),
        ["share"] = Math.Round(usage.Share, 3),
        ["weight"] = usage.Weight,
        ["limits"] = Limit(usage.Limits),
    };

    static JsonObject Limit(Quota quota) => new()
    {
        ["running"] = quota.Running,
        ["queued"] = quota.Queued,
        ["storedBytes"] = quota.StoredBytes,
        ["deviceHours"] = quota.DeviceHours,
    };
}

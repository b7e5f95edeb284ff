using System.Text.Json;

namespace MetaOpt.Storage;

/// <summary>Events that people are told of.</summary>
public static class EventNames
{
    /// <summary>A run succeeded or was cancelled.</summary>
    public const string RunEnded = "run-ended";
    /// <summary>A run failed.</summary>
    public const string RunFailed = "run-failed";
    /// <summary>A run has been queued for longer than the subscription's limit.</summary>
    public const string RunWaits = "run-waits";
    /// <summary>A worker was not seen for some minutes.</summary>
    public const string WorkerOffline = "worker-offline";
    /// <summary>Asked for, to try the address.</summary>
    public const string Test = "test";
    /// <summary>Events that can be subscribed to.</summary>
    public static IReadOnlyList<string> All { get; } = [RunEnded, RunFailed, RunWaits, WorkerOffline];
}

/// <summary>Where somebody is told of events: a webhook or an e-mail address.</summary>
public sealed class Subscription
{
    /// <summary>UUIDv7: sorts by time of creation.</summary>
    public Guid Id { get; init; }
    /// <summary>Name of the user who is told.</summary>
    public required string Owner { get; init; }
    /// <summary>An https or http address, or <c>mailto:</c> and an e-mail address.</summary>
    public required string Address { get; init; }
    /// <summary>Key of the webhook's signatures: 32 random bytes, shown once.</summary>
    public required byte[] Secret { get; init; }
    /// <summary>Some of <see cref="EventNames.All"/>.</summary>
    public List<string> Events { get; init; } = [];
    /// <summary>Tells of runs with this tag, whosever they are; null: of the owner's own.</summary>
    public string? Tag { get; init; }
    /// <summary>Minutes after which a queued run counts as waiting too long.</summary>
    public int WaitMinutes { get; init; }
    /// <summary>Whether anything is sent.</summary>
    public bool Enabled { get; set; }
    /// <summary>Earlier events are not told.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>An event on its way to a subscriber: one row, one id, however often it is sent.</summary>
public sealed class Delivery
{
    /// <summary>The receiver sees it with each attempt, and so can tell a repetition.</summary>
    public Guid Id { get; init; }
    /// <summary>To whom.</summary>
    public Guid SubscriptionId { get; init; }
    /// <summary>One of <see cref="EventNames"/>.</summary>
    public required string Event { get; init; }
    /// <summary>The same event is delivered once to a subscription.</summary>
    public required string EventKey { get; init; }
    /// <summary>The document that is sent.</summary>
    public JsonElement Payload { get; init; }
    /// <summary>When the event was noticed.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>A background job sends it.</summary>
    public bool Enqueued { get; set; }
    /// <summary>So far.</summary>
    public int Attempts { get; set; }
    /// <summary>When the receiver took it.</summary>
    public DateTimeOffset? DeliveredAt { get; set; }
    /// <summary>When it was given up.</summary>
    public DateTimeOffset? FailedAt { get; set; }
    /// <summary>The outcome of the last attempt.</summary>
    public string? Outcome { get; set; }
}

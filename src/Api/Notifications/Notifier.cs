using System.Text.Json.Nodes;
using Hangfire;
using Hangfire.Server;
using MetaOpt.Storage;

namespace MetaOpt.Api.Notifications;

/// <summary>
/// Notices events every minute and delivers them. A delivery is a row with an id, made once for an event and a subscription; a
/// job of its own sends it until it is taken. Whatever dies in between, the receiver gets it at least once, always under the same
/// id.
/// </summary>
public sealed class Notifier(
    SubscriptionStore subscriptions, WebhookSender webhooks, MailSender mails, IBackgroundJobClient jobs, ILogger<Notifier> log)
{
    /// <summary>Attempts after the first.</summary>
    public const int Retries = 9;

    const int AtOnce = 1000;

    /// <summary>Makes the deliveries of what has happened, and a job for each.</summary>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task NoticeAsync(CancellationToken cancel)
    {
        await subscriptions.NoticeAsync(cancel);
        await EnqueueAsync(cancel);
    }

    /// <summary>Makes a job for each delivery that has none. One that is made twice finds its delivery made.</summary>
    public async Task EnqueueAsync(CancellationToken cancel)
    {
        foreach (var delivery in await subscriptions.ListNewAsync(AtOnce, cancel))
        {
            jobs.Enqueue<Notifier>(job => job.DeliverAsync(delivery, null!, CancellationToken.None));
            await subscriptions.MarkEnqueuedAsync(delivery, cancel);
        }
    }

    /// <summary>Deletes deliveries from more than 30 days ago.</summary>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public Task DeleteOldAsync(CancellationToken cancel) => subscriptions.DeleteOldAsync(cancel);

    /// <summary>Sends a delivery unless it was taken or given up. Pauses grow from ten seconds to a day.</summary>
    [AutomaticRetry(Attempts = Retries, DelaysInSeconds = [10, 30, 120, 600, 1800, 7200, 21600, 43200, 86400], LogEvents = false,
        OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task DeliverAsync(Guid id, PerformContext? context, CancellationToken cancel)
    {
        if (await subscriptions.FindPendingAsync(id, cancel) is not var (delivery, subscription)) return;
        try
        {
            await subscriptions.NoteAsync(id, delivered: true, givenUp: false, await SendAsync(delivery, subscription, cancel),
                cancel);
        }
        catch (ForbiddenHostException forbidden)
        {
            await subscriptions.NoteAsync(id, delivered: false, givenUp: true, forbidden.Message, cancel);
            log.LogWarning("Delivery {Delivery} was given up: {Reason}", id, forbidden.Message);
        }
        catch (DeliveryFailedException failed)
        {
            var last = (context?.GetJobParameter<int>("RetryCount") ?? 0) >= Retries;
            await subscriptions.NoteAsync(id, delivered: false, givenUp: last,
                failed.Message.Length <= 500 ? failed.Message : failed.Message[..500], cancel);
            throw;
        }
    }

    Task<string> SendAsync(Delivery delivery, Subscription subscription, CancellationToken cancel)
    {
        var payload = JsonNode.Parse(delivery.Payload.GetRawText())!.AsObject();
        payload["event"] = delivery.Event;
        payload["delivery"] = delivery.Id.ToString();
        if (!subscription.Address.StartsWith(Address.Mail, StringComparison.Ordinal))
            return webhooks.SendAsync(delivery, subscription, payload.ToJsonString(), cancel);
        var lines = payload.Where(p => p.Value is not null)
            .Select(p => OneLine($"{p.Key}: {(p.Value is JsonObject or JsonArray ? p.Value.ToJsonString() : p.Value)}"));
        return mails.SendAsync(delivery, subscription.Address[Address.Mail.Length..], SubjectOf(delivery.Event, payload),
            string.Join('\n', lines), cancel);
    }

    static string SubjectOf(string name, JsonObject payload)
    {
        string Text(string field) => (string?)payload[field] ?? "";
        return OneLine(name switch
        {
            EventNames.RunEnded => $"Run {Text("name")} {Text("state")}",
            EventNames.RunFailed => $"Run {Text("name")} failed",
            EventNames.RunWaits => $"Run {Text("name")} still waits",
            EventNames.WorkerOffline => $"Worker {Text("worker")} is offline",
            _ => "A test from MetaOpt",
        });
    }

    /// <summary>Names are people's: a line break in one would begin another header or line.</summary>
    static string OneLine(string text) => new([.. text.Select(c => char.IsControl(c) ? ' ' : c)]);
}

using System.CommandLine;
using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Client;

/// <summary>Where the caller is told of events: webhooks and e-mail addresses.</summary>
public static class SubscriptionCommands
{
    static readonly string[] s_events = ["run-ended", "run-failed", "run-waits", "worker-offline"];

    static Argument<string> Id() => new("id") { Description = "Id of the subscription, or the end of it." };

    /// <summary><c>subscriptions</c>, and with <c>create</c>, <c>test</c>, <c>deliveries</c>, <c>delete</c>.</summary>
    public static Command Subscriptions()
    {
        var command = new Command("subscriptions", "List your notifications; create, try and delete them.")
        {
            Create(),
            Test(),
            Deliveries(),
            Delete()
        };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            Console.WriteLine($"{"id",-8}  {"events",-40} {"tag",-12} address");
            foreach (var subscription in (await api.GetAsync("subscriptions", cancel)).Items())
                Console.WriteLine(
                    $"{subscription.ShortId()}  {string.Join(',', subscription.GetProperty("events").Items()),-40} {subscription.Text("tag") ?? "-",-12} {subscription.Text("address")}");
        });
        return command;
    }

    static Command Create()
    {
        var address =
            new Argument<string>("address") { Description = "https://... for a webhook, mailto:NAME@HOST for an e-mail." };
        var events = new Option<string[]>(
            "--event")
        { Description = $"{string.Join(", ", s_events)}; again for more. By default run-failed." };
        events.AcceptOnlyFromAmong(s_events);
        var tag = new Option<string?>(
            "--tag")
        { Description = "Runs with this tag, whosever they are; by default your own runs." };
        var wait = new Option<int?>(
            "--wait-minutes")
        { Description = "Minutes in the queue after which run-waits is sent; by default 60." };
        var command = new Command("create",
            "Subscribe to events; prints the id and the secret that signs webhooks, this once.") { address, events, tag, wait };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            string[] chosen = arguments.GetValue(events) is { Length: > 0 } some ? some : ["run-failed"];
            var body = new JsonObject
            {
                ["address"] = arguments.GetValue(address),
                ["events"] = new JsonArray([.. chosen.Select(e => (JsonNode)e)])
            };
            if (arguments.GetValue(tag) is { } given) body["tag"] = given;
            if (arguments.GetValue(wait) is { } minutes) body["waitMinutes"] = minutes;
            var subscription = await api.PostAsync("subscriptions", body, cancel);
            Console.WriteLine($"{subscription.Text("id")}  {subscription.Text("secret")}");
        });
        return command;
    }

    static Command Test()
    {
        var id = Id();
        var command = new Command("test", "Send a test.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            await api.PostAsync($"subscriptions/{await FindAsync(api, arguments.GetValue(id)!, cancel)}/test", (string?)null,
                cancel);
            Console.WriteLine("Sent soon; ./metaopt subscriptions deliveries tells what came of it.");
        });
        return command;
    }

    static Command Deliveries()
    {
        var id = Id();
        var command = new Command("deliveries", "List what was sent, newest first, and what came of it.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            foreach (var sent in (await api.GetAsync(
                $"subscriptions/{await FindAsync(api, arguments.GetValue(id)!, cancel)}/deliveries", cancel)).Items())
                Console.WriteLine(
                    $"{sent.Text("createdAt")?[..16]}  {sent.Text("event"),-14} {sent.Text("state"),-9} {sent.Number("attempts"),2} attempts  {sent.Text("outcome")}");
        });
        return command;
    }

    static Command Delete()
    {
        var id = Id();
        var command = new Command("delete", "Delete a subscription with its deliveries.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            await api.DeleteAsync($"subscriptions/{await FindAsync(api, arguments.GetValue(id)!, cancel)}", cancel);
            Console.WriteLine("Deleted.");
        });
        return command;
    }

    static async Task<string> FindAsync(ApiClient api, string end, CancellationToken cancel)
    {
        var found = (await api.GetAsync("subscriptions", cancel)).Items().Select(s => s.Text("id")!)
            .Where(id => id.EndsWith(end, StringComparison.OrdinalIgnoreCase)).ToList();
        return found is [var one] ? one : throw new CommandException(found.Count == 0
            ? $"No subscription of yours has an id that ends in \"{end}\". List them with ./metaopt subscriptions."
            : $"Several subscriptions have an id that ends in \"{end}\"; give more of it.");
    }
}

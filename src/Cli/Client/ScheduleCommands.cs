using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Client;

/// <summary>Submissions that the server repeats at the times of a cron expression.</summary>
public static class ScheduleCommands
{
    static Argument<string> Id() => new("id") { Description = "Id of the schedule, or the end of it." };

    /// <summary>
    /// <c>schedules</c>, and with <c>create</c>, <c>show</c>, <c>enable</c>, <c>disable</c>, <c>next</c>, <c>delete</c>.
    /// </summary>
    public static Command Schedules()
    {
        var owner = new Option<string?>("--owner") { Description = "Only this user's." };
        var command = new Command("schedules", "List schedules; create, change and delete them.")
        {
            owner, Create(), Show(), Turn("enable", true), Turn("disable", false), Next(), Delete(),
        };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            Console.WriteLine($"{"id",-8}  {"by",-12} {"times",-24} {"next",-16}  {"last",-16}  name");
            await foreach (var schedule in ListAsync(api, arguments.GetValue(owner), cancel))
                Console.WriteLine(
                    $"{schedule.ShortId()}  {schedule.Text("owner"),-12} {schedule.Text("cron") + " " + schedule.Text("timeZone"),-24} "
                    + $"{(schedule.Text("nextAt") is { } next ? next[..16] : "disabled"),-16}  {schedule.Text("lastAt")?[..16] ?? "never",-16}  "
                    + schedule.Text("name") + (schedule.Text("lastError") is { } error ? $": {error}" : ""));
        });
        return command;
    }

    static async IAsyncEnumerable<JsonElement> ListAsync(
        ApiClient api, string? owner, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var filter = owner is null ? "" : $"&owner={Uri.EscapeDataString(owner)}";
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await api.GetAsync($"schedules?limit=200{filter}{(cursor.Length > 0 ? "&cursor=" + cursor : "")}", cancel);
            foreach (var schedule in page.Items()) yield return schedule;
            cursor = page.Text("nextCursor");
        }
    }

    static Command Create()
    {
        var file = new Argument<string>("file")
        {
            Description =
            """A submission as JSON, or {"run": a submission, "grid": [...]}; - reads standard input."""
        };
        var name = new Option<string>("--name") { Description = "What you call it.", Required = true };
        var cron = new Option<string>(
            "--cron")
        { Description = "Minute, hour, day of month, month, day of week: \"0 3 * * 1-5\".", Required = true };
        var zone = new Option<string>("--time-zone")
        {
            Description = "IANA name of the time zone.",
            DefaultValueFactory = _ => "UTC"
        };
        var missed = new Option<string>("--missed")
        {
            Description = "Missed occurrences that are made up for.",
            DefaultValueFactory = _ => "one"
        };
        missed.AcceptOnlyFromAmong("all", "one", "none");
        var command = new Command("create", "Create a schedule and print its id.") { file, name, cron, zone, missed };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var text = await RunCommands.ReadAsync(arguments.GetValue(file)!, cancel);
            JsonObject given;
            try
            {
                given = JsonNode.Parse(text) as JsonObject ?? throw new JsonException();
            }
            catch (JsonException)
            {
                throw new CommandException($"{arguments.GetValue(file)} is not a JSON object.", ExitCode.Usage);
            }
            var body = given["run"] is null ? new JsonObject { ["run"] = given } : given;
            (body["name"], body["cron"], body["timeZone"], body["missed"]) =
                (arguments.GetValue(name), arguments.GetValue(cron), arguments.GetValue(zone), arguments.GetValue(missed));
            var schedule = await api.PostAsync("schedules", body, cancel);
            Console.WriteLine(schedule.Text("id"));
        });
        return command;
    }

    static Command Show()
    {
        var id = Id();
        var command = new Command("show", "Print a schedule as JSON.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            Console.WriteLine((await FindAsync(api, arguments.GetValue(id)!, cancel)).Indented());
        });
        return command;
    }

    static Command Turn(string verb, bool enabled)
    {
        var id = Id();
        var command = new Command(verb,
            enabled ? "Let a schedule submit again, from now on." : "Keep a schedule from submitting.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var schedule = await FindAsync(api, arguments.GetValue(id)!, cancel);
            var changed = await api.PatchAsync($"schedules/{schedule.Text("id")}", new JsonObject { ["enabled"] = enabled },
                cancel);
            Console.WriteLine(changed.Text("nextAt") is { } next ? $"next: {next}" : "disabled");
        });
        return command;
    }

    static Command Next()
    {
        var id = Id();
        var count = new Option<int>("--count") { Description = "How many.", DefaultValueFactory = _ => 5 };
        var command = new Command("next", "Print a schedule's next occurrences.") { id, count };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var schedule = await FindAsync(api, arguments.GetValue(id)!, cancel);
            foreach (var at in (await api.GetAsync(
                $"schedules/{schedule.Text("id")}/occurrences?limit={arguments.GetValue(count)}", cancel)).Items())
                Console.WriteLine(at.GetString());
        });
        return command;
    }

    static Command Delete()
    {
        var id = Id();
        var command = new Command("delete", "Delete a schedule. Its runs stay.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var schedule = await FindAsync(api, arguments.GetValue(id)!, cancel);
            await api.DeleteAsync($"schedules/{schedule.Text("id")}", cancel);
            Console.WriteLine($"Deleted {schedule.Text("name")}.");
        });
        return command;
    }

    static async Task<JsonElement> FindAsync(ApiClient api, string end, CancellationToken cancel)
    {
        if (Guid.TryParseExact(end, "D", out var whole)) return await api.GetAsync($"schedules/{whole}", cancel);
        var found = new List<JsonElement>();
        await foreach (var schedule in ListAsync(api, null, cancel))
            if (schedule.Text("id")!.EndsWith(end, StringComparison.OrdinalIgnoreCase)) found.Add(schedule);
        return found switch
        {
            [var one] => one,
            [] => throw new CommandException(
                $"No schedule has an id that ends in \"{end}\". List schedules with ./metaopt schedules."),
            _ => throw new CommandException($"Several schedules have an id that ends in \"{end}\"; give more of it."),
        };
    }
}

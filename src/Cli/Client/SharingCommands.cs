using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Client;

/// <summary>Sharing a server: the queue, grids of runs, letting others go first, logs of runs, and models.</summary>
public static class SharingCommands
{
    static Argument<string> Run() => new("id") { Description = "Id of the run, or its last 8 characters." };

    /// <summary><c>queue</c>: what runs and what waits, and why.</summary>
    public static Command Queue()
    {
        var command = new Command("queue", "Running and waiting runs: why each waits, and when it will start.");
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var queue = await api.GetAsync("queue", cancel);
            Console.WriteLine($"{"id",-8}  {"by",-12} {"pool",-8} {"start",-16}  name, and what it waits for");
            foreach (var run in queue.Items())
                Console.WriteLine(
                    $"{run.ShortId()}  {run.Text("owner"),-12} {run.Text("pool"),-8} {Start(run),-16}  {Reason(run)}");
        });
        return command;
    }

    static string Start(JsonElement run) => run.Text("state") == "running" ? "running"
        : run.Field("estimatedStart") is { } start
            ? start.GetDateTimeOffset().ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)
        : "unknown";

    static string Reason(JsonElement run) =>
        run.Field("waitingFor")?.Text("reason") is { } reason ? $"{run.Text("name")}: {reason}" : run.Text("name") ?? "";

    /// <summary><c>batch FILE</c>: every combination of a grid, all or none; prints the ids.</summary>
    public static Command Batch()
    {
        var file = new Argument<string>("file")
        {
            Description =
            """JSON: {"run": a submission, "grid": [{"field": "/seed", "values": [1, 2]}]}; - reads standard input."""
        };
        var command = new Command("batch", "Queue a run for every combination of seeds and settings.") { file };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var batch = await api.PostAsync("runs:batch", await RunCommands.ReadAsync(arguments.GetValue(file)!, cancel), cancel);
            foreach (var run in (batch.Field("runs") ?? default).Items())
                Console.WriteLine($"{run.Text("id")}  {run.Text("name")}");
        });
        return command;
    }

    /// <summary><c>pause ID</c>, <c>resume ID</c> and <c>yield ID</c>.</summary>
    public static IEnumerable<Command> Turns() =>
    [
        Turn("pause", "Let a run stop at its next resume point, until it is resumed."),
        Turn("resume", "Let a paused run go on."),
        Turn("yield", "Let a run stop at its next resume point and join the end of the queue."),
    ];

    static Command Turn(string verb, string description)
    {
        var id = Run();
        var command = new Command(verb, description) { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var run = await api.PostAsync($"runs/{await api.RunIdAsync(arguments.GetValue(id)!, cancel)}/{verb}", (string?)null,
                cancel);
            Console.WriteLine(run.Text("state") == "running" && verb != "resume"
                ? "running until its next resume point"
                : run.Text("state"));
        });
        return command;
    }

    /// <summary><c>logs ID</c>: the log of a run's attempts.</summary>
    public static Command Logs()
    {
        var id = Run();
        var command = new Command("logs", "Print the logs of a run's attempts.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var run = await api.RunIdAsync(arguments.GetValue(id)!, cancel);
            for (long after = 0; ;)
            {
                var page = await api.GetAsync($"runs/{run}/logs?after={after}", cancel);
                if (page.Items().FirstOrDefault().ValueKind == JsonValueKind.Undefined) return;
                foreach (var line in page.Items())
                    Console.WriteLine($"{line.Number("attempt")}  {line.Text("at")}  {line.Text("text")}");
                after = (long)page.Number("last")!.Value;
            }
        });
        return command;
    }

    /// <summary><c>promote CHECKPOINT NAME</c>: the next version of a model; prints its name.</summary>
    public static Command Promote()
    {
        var checkpoint = new Argument<string>("checkpoint") { Description = "Id of the checkpoint." };
        var name = new Argument<string>("name") { Description = "Name of the model; specifications then take NAME@VERSION." };
        var command = new Command("promote", "Keep a checkpoint for good, as the next version of a model.") { checkpoint, name };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var body = new JsonObject { ["name"] = arguments.GetValue(name) };
            Console.WriteLine(
                (await api.PostAsync($"checkpoints/{Uri.EscapeDataString(arguments.GetValue(checkpoint)!)}/promote", body,
                    cancel)).Text("id"));
        });
        return command;
    }

    /// <summary><c>models</c>: what was promoted.</summary>
    public static Command Models()
    {
        var command = new Command("models", "List the promoted checkpoints.");
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            foreach (var model in (await api.GetAsync("models", cancel)).Items())
                Console.WriteLine(
                    $"{model.Text("id"),-30}  {model.Text("checkpoint")}  {model.Text("promotedBy")}  {model.Text("promotedAt")}");
        });
        return command;
    }
}

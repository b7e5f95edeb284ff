using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Client;

/// <summary>Submit runs and look after them.</summary>
public static class RunCommands
{
    static Argument<string> Document() => new("file") { Description = "A submission as JSON; - reads standard input." };
    static Argument<string> Id() => new("id") { Description = "Id of the run, or its last 8 characters." };

    /// <summary><c>submit FILE</c>: queues a run and prints its id.</summary>
    public static Command Submit()
    {
        var file = Document();
        var watch = new Option<bool>("--watch") { Description = "Follow the run until it ends." };
        var command = new Command("submit", "Queue a run described by a JSON document.") { file, watch };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var run = await api.PostAsync("runs", await ReadAsync(arguments.GetValue(file)!, cancel), cancel);
            Console.WriteLine(run.Text("id"));
            return arguments.GetValue(watch) ? await FollowAsync(api, run.Text("id")!, cancel) : ExitCode.Success;
        });
        return command;
    }

    /// <summary><c>validate FILE</c>: every error, or the cost the run would have. Queues nothing.</summary>
    public static Command Validate()
    {
        var file = Document();
        var command = new Command("validate", "Check a submission and predict its cost, without queueing it.") { file };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var answer = await api.PostAsync("runs:validate", await ReadAsync(arguments.GetValue(file)!, cancel), cancel);
            Console.WriteLine(answer.Indented());
        });
        return command;
    }

    /// <summary><c>runs</c>: the newest runs, one a line.</summary>
    public static Command List()
    {
        var state = new Option<string?>("--state") { Description = "Only runs in this state." };
        state.AcceptOnlyFromAmong("queued", "running", "succeeded", "failed", "cancelled");
        var owner = new Option<string?>("--owner") { Description = "Only this user's." };
        var limit = new Option<int>("--limit") { Description = "At most so many.", DefaultValueFactory = _ => 20 };
        var command = new Command("runs", "List runs, the newest first.") { state, owner, limit };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var filter = (arguments.GetValue(state) is { } wanted ? $"&state={wanted}" : "")
                + (arguments.GetValue(owner) is { } whose ? $"&owner={Uri.EscapeDataString(whose)}" : "");
            var runs = await api.GetAsync($"runs?limit={arguments.GetValue(limit)}{filter}", cancel);
            Console.WriteLine($"{"id",-8}  {"by",-12} {"state",-10} {"kind",-14} {"done",6}  name");
            foreach (var run in runs.Items())
                Console.WriteLine(
                    $"{run.ShortId()}  {run.Text("owner"),-12} {run.Text("state"),-10} {run.Text("kind"),-14} {Share(run),6}  {run.Text("name")}");
        });
        return command;
    }

    /// <summary><c>show ID</c>: everything known about a run, as JSON.</summary>
    public static Command Show()
    {
        var id = Id();
        var command = new Command("show", "Print a run: state, specification, attempts, result.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            Console.WriteLine((await api.GetAsync($"runs/{await api.RunIdAsync(arguments.GetValue(id)!, cancel)}", cancel))
                .Indented());
        });
        return command;
    }

    /// <summary><c>watch ID</c>: follows a run; exits 0 when it succeeded.</summary>
    public static Command Watch()
    {
        var id = Id();
        var command = new Command("watch", "Follow a run live until it ends; exits 0 when it succeeded.") { id };
        command.SetAction((arguments, cancel) =>
            WithApi(async api => await FollowAsync(api, await api.RunIdAsync(arguments.GetValue(id)!, cancel), cancel)));
        return command;
    }

    /// <summary><c>cancel ID</c>: asks a run to stop.</summary>
    public static Command Cancel()
    {
        var id = Id();
        var command = new Command("cancel", "Ask a run to stop; what it has stored is kept.") { id };
        command.SetAction((arguments, cancel) => WithApi(async api =>
        {
            var run = await api.PostAsync($"runs/{await api.RunIdAsync(arguments.GetValue(id)!, cancel)}/cancel", (string?)null,
                cancel);
            Console.WriteLine(run.Text("state") is "cancelled" or null
                ? "cancelled"
                : $"{run.Text("state")}, will stop at its next step");
            return ExitCode.Success;
        }));
        return command;
    }

    /// <summary><c>retry ID</c>: a failed or cancelled run goes on.</summary>
    public static Command Retry()
    {
        var id = Id();
        var command = new Command("retry", "Queue a failed or cancelled run again; it goes on from where it stood.") { id };
        command.SetAction((arguments, cancel) => WithApi(async api =>
        {
            await api.PostAsync($"runs/{await api.RunIdAsync(arguments.GetValue(id)!, cancel)}/retry", (string?)null, cancel);
            Console.WriteLine("queued");
            return ExitCode.Success;
        }));
        return command;
    }

    /// <summary><c>fork ID</c>: a new run from an old one's specification; prints its id.</summary>
    public static Command Fork()
    {
        var id = Id();
        var changes = new Option<string>("--spec")
        {
            Description = "Changes to the specification, as JSON: '{\"seed\":2}'.",
            DefaultValueFactory = _ => "{}"
        };
        var name = new Option<string?>("--name") { Description = "Name of the new run." };
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Begin with the phi of this checkpoint." };
        var command = new Command("fork", "Submit a new run with an old one's specification and changes to it.")
        {
            id,
            changes,
            name,
            checkpoint
        };
        command.SetAction((arguments, cancel) => WithApi(async api =>
        {
            var body = new JsonObject { ["spec"] = ParseChanges(arguments.GetValue(changes)!) };
            if (arguments.GetValue(name) is { } called) body["name"] = called;
            if (arguments.GetValue(checkpoint) is { } start) body["checkpoint"] = start;
            Console.WriteLine(
                (await api.PostAsync($"runs/{await api.RunIdAsync(arguments.GetValue(id)!, cancel)}/fork", body, cancel))
                    .Text("id"));
            return ExitCode.Success;
        }));
        return command;
    }

    static JsonNode? ParseChanges(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException error)
        {
            throw new CommandException($"--spec is no JSON: {error.Message}", ExitCode.Usage);
        }
    }

    static async Task<int> WithApi(Func<ApiClient, Task<int>> work)
    {
        using var api = ApiClient.FromEnvironment();
        return await work(api);
    }

    static Task<int> FollowAsync(ApiClient api, string id, CancellationToken cancel) => Terminal.WhileReadAsync(async read =>
    {
        var line = new ProgressLine(Console.Out, Terminal.IsInteractive);
        var end = await RunFollower.FollowAsync(api, id, line, read);
        if (end.Text("state") == "succeeded")
            return ExitCode.Success;
        var error = end.Field("error") is { } e ? $": {e.Text("detail") ?? e.Text("code")}" : "";
        throw new CommandException($"The run {end.Text("state")}{error}");
    }, cancel);

    static string Share(JsonElement run) =>
        run.Field("progress") is { } p && p.Number("total") is > 0 and var total
            ? ((p.Number("done") ?? 0) / total).ToString("P0", CultureInfo.InvariantCulture)
            : "";

    internal static async Task<string> ReadAsync(string file, CancellationToken cancel) => file switch
    {
        // A byte order mark is no part of the text; of a file, .NET removes it.
        "-" => (await Console.In.ReadToEndAsync(cancel)).TrimStart('\uFEFF'),
        _ when File.Exists(file) => await File.ReadAllTextAsync(file, cancel),
        _ => throw new CommandException(
            $"There is no file \"{file}\"; give the path of a JSON document, or - for standard input.", ExitCode.Usage),
    };
}

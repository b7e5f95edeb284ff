using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;

namespace MetaOpt.Cli.Client;

/// <summary>Commands for results of runs: trajectories and checkpoints; and the catalogue of what can be run.</summary>
public static class ResultCommands
{
    /// <summary><c>series ID [NAME]</c>: the list of trajectories, or one of them as tab-separated lines.</summary>
    public static Command Series()
    {
        var id = new Argument<string>("id") { Description = "Id of the run, or its last 8 characters." };
        var name = new Argument<string?>("name")
        {
            Description = "A series, for example meta-loss.",
            Arity = ArgumentArity.ZeroOrOne
        };
        var points = new Option<int>("--max-points")
        {
            Description = "Longer series are summarised.",
            DefaultValueFactory = _ => 1000
        };
        var command = new Command("series", "List a run's series, or print one: step, value (or min, max, mean).")
        {
            id,
            name,
            points
        };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var run = await api.RunIdAsync(arguments.GetValue(id)!, cancel);
            if (arguments.GetValue(name) is not { } wanted)
                foreach (var series in (await api.GetAsync($"runs/{run}/series", cancel)).Items())
                    Console.WriteLine(
                        $"{series.Text("name"),-30} {series.Text("count"),9} points, last step {series.Text("lastStep")}");
            else
                Print(await ReadSeriesAsync(api, run, wanted, arguments.GetValue(points), cancel));
        });
        return command;
    }

    /// <summary>The points of one series, downsampled by the server to <paramref name="maxPoints"/>.</summary>
    public static async Task<IReadOnlyList<JsonElement>> ReadSeriesAsync(
        ApiClient api, string run, string name, int maxPoints, CancellationToken cancel)
    {
        var answer = await api.GetAsync(
            $"runs/{Uri.EscapeDataString(run)}/series?name={Uri.EscapeDataString(name)}&maxPoints={maxPoints}", cancel);
        return [.. (answer.Field("points") ?? answer).Items()];
    }

    static void Print(IReadOnlyList<JsonElement> points)
    {
        foreach (var point in points)
            Console.WriteLine(point.Field("value") is not null
                ? $"{point.Text("step")}\t{point.Text("value")}"
                : $"{point.Text("step")}\t{point.Text("min")}\t{point.Text("max")}\t{point.Text("mean")}");
    }

    /// <summary><c>checkpoints ID</c>.</summary>
    public static Command Checkpoints()
    {
        var id = new Argument<string>("id") { Description = "Id of the run, or its last 8 characters." };
        var command = new Command("checkpoints", "List a run's checkpoints.") { id };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var list = await api.GetAsync($"runs/{await api.RunIdAsync(arguments.GetValue(id)!, cancel)}/checkpoints", cancel);
            foreach (var c in list.Items())
                Console.WriteLine(
                    $"{c.Text("id")}  {c.Text("name"),-12} step {c.Text("step"),-8} {c.Text("size"),10} bytes  sha256 {c.Text("sha256")}");
        });
        return command;
    }

    /// <summary><c>download CHECKPOINT [-o FILE]</c>.</summary>
    public static Command Download()
    {
        var id = new Argument<string>("checkpoint") { Description = "Id of the checkpoint." };
        var file = new Option<string?>("--output", "-o") { Description = "File to write; by default CHECKPOINT.safetensors." };
        var command = new Command("download", "Download a checkpoint (safetensors) and check its SHA-256.") { id, file };
        command.SetAction(async (arguments, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            var target = arguments.GetValue(file) ?? $"{arguments.GetValue(id)}.safetensors";
            var sha256 = await DownloadAsync(api, arguments.GetValue(id)!, target, cancel);
            Console.WriteLine($"{target}  sha256 {sha256}");
        });
        return command;
    }

    /// <summary>
    /// Writes a checkpoint to <paramref name="file"/>, which appears only when it is whole; returns its SHA-256.
    /// </summary>
    public static async Task<string> DownloadAsync(ApiClient api, string checkpoint, string file, CancellationToken cancel)
    {
        using var response = await api.OpenAsync($"checkpoints/{Uri.EscapeDataString(checkpoint)}/content", cancel);
        var bytes = await response.Content.ReadAsByteArrayAsync(cancel);
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (response.Headers.ETag?.Tag.Trim('"') is { Length: 64 } expected
            && !expected.Equals(sha256, StringComparison.OrdinalIgnoreCase))
            throw new CommandException(
                $"The download is damaged: SHA-256 {sha256}, but the server announced {expected}. Try again.");
        var part = $"{file}.part";
        await File.WriteAllBytesAsync(part, bytes, cancel);
        File.Move(part, file, overwrite: true);
        return sha256;
    }

    /// <summary><c>catalogue [NAME]</c>: tasks, optimizers and learned optimizers with every option.</summary>
    public static Command Catalogue()
    {
        var command = new Command("catalogue", "Every task and optimizer, with all options, defaults and bounds, as JSON.");
        command.SetAction(async (_, cancel) =>
        {
            using var api = ApiClient.FromEnvironment();
            Console.WriteLine((await api.GetAsync("catalogue", cancel)).Indented());
        });
        return command;
    }
}

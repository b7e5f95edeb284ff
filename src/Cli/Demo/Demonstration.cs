using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Data;
using MetaOpt.Cli.Services;

namespace MetaOpt.Cli.Demo;

/// <summary>Trains, evaluates and reports; starts the services it needs, unless <c>metaopt up</c> already has.</summary>
public sealed class Demonstration(DemoSettings settings, Preset preset, Home home)
{
    readonly PhaseClock clock = PhaseClock.FromEnvironment();
    string? unfinished;

    /// <summary>The whole demonstration; returns when it is over, or on Ctrl-C.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        Console.WriteLine($"Learning an optimizer for {preset.Title} (seed {settings.Seed}).");
        if (settings.Preset == "mnist")
            await Mnist.EnsureAsync(home, null, Console.WriteLine, cancel);
        if (await RunningServerAsync(cancel) is { } address)
        {
            Console.WriteLine($"Using the server that is up at {address}.");
            clock.End("start");
            await DriveAsync(new Uri(address), cancel);
            return;
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var services = new LocalServices(home, LocalServices.FreePort());
        var serving = await StartAsync(services, stop.Token);
        try
        {
            var work = DriveAsync(services.Address, cancel);
            // Services that cannot be kept alive end the demonstration with their last words.
            await await Task.WhenAny(work, serving);
            if (settings.JsonFile is null && Terminal.IsInteractive)
            {
                Console.WriteLine("\nServing until you press Ctrl-C.");
                await serving;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancel.IsCancellationRequested)
                Console.WriteLine("\nStopped the API and the worker.");
            await ServiceCommands.SayDatabaseStaysAsync(CancellationToken.None);
        }
    }

    async Task<string?> RunningServerAsync(CancellationToken cancel)
    {
        if (new Supervisor(home).ProcessId() is null || !File.Exists(home.AddressFile))
            return null;
        var address = (await File.ReadAllTextAsync(home.AddressFile, cancel)).Trim();
        using var api = new ApiClient(new Uri(address), null);
        return await api.IsReadyAsync(cancel) ? address : null;
    }

    async Task<Task> StartAsync(LocalServices services, CancellationToken stop)
    {
        if (Database.IsEmbedded)
            Console.WriteLine("Starting the database...");
        var database = await Database.EnsureStartedAsync(stop);
        Console.WriteLine("Starting the API and a worker...");
        var log = Log.Open(home.LogFile("demo"));
        var serving = services.RunAsync(database, log.WriteLine, stop, giveUpAfter: 3);
        await services.WaitUntilReadyAsync(stop);
        clock.End("start");
        return serving;
    }

    /// <summary>Everything from here on goes through the HTTP API.</summary>
    async Task DriveAsync(Uri address, CancellationToken cancel)
    {
        using var api = new ApiClient(address, ApiClient.Token(home));
        try
        {
            Console.WriteLine("\nMeta-training");
            var training = await RunToEndAsync(api, preset.Training(settings.Seed), cancel);
            var checkpoint = await FindCheckpointAsync(api, training.Text("id")!, cancel);
            clock.End("train");

            Console.WriteLine("\nEvaluation: tuning the baselines, then all on the same fresh instances");
            var evaluation = await RunToEndAsync(api, preset.Evaluation(settings.Seed, checkpoint), cancel);
            var contest = Contest.Read(evaluation.Field("result") ?? default);
            clock.End("evaluate");

            Console.WriteLine();
            foreach (var line in ResultTable.Render(contest))
                Console.WriteLine(line);
            var seconds = clock.Elapsed;
            Console.WriteLine($"\nTook {ProgressLine.Duration(seconds)} in all.");

            await LeaveFilesAsync(api, evaluation.Text("id")!, checkpoint, contest, seconds, cancel);
            PrintAddresses(address, training, evaluation);
        }
        catch (OperationCanceledException) when (unfinished is { } run)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await api.PostAsync($"runs/{run}/cancel", (string?)null, limit.Token);
            Console.WriteLine($"\nCancelled run {run}.");
            throw;
        }
    }

    async Task<JsonElement> RunToEndAsync(ApiClient api, JsonNode submission, CancellationToken cancel)
    {
        var id = (await api.PostAsync("runs", submission, cancel)).Text("id")!;
        unfinished = id;
        Console.WriteLine($"  run {id}");
        var run = await RunFollower.FollowAsync(api, id, new ProgressLine(Console.Out, Terminal.IsInteractive), cancel);
        unfinished = null;
        if (run.Text("state") != "succeeded")
            throw new CommandException($"Run {id} {run.Text("state")}: {run.Field("error")?.Text("detail") ?? "see ./metaopt show " + id}");
        return run;
    }

    static async Task<string> FindCheckpointAsync(ApiClient api, string run, CancellationToken cancel)
    {
        var list = (await api.GetAsync($"runs/{run}/checkpoints", cancel)).Items().ToList();
        return list.FirstOrDefault(c => c.Text("name") == "final").Text("id")
            ?? throw new CommandException($"Run {run} has no checkpoint called final, only {list.Count} others.");
    }

    async Task LeaveFilesAsync(
        ApiClient api, string evaluation, string checkpoint, Contest contest, double seconds, CancellationToken cancel)
    {
        Directory.CreateDirectory(settings.Output);
        var stem = Path.Combine(settings.Output, $"{settings.Preset}-seed{settings.Seed}");
        await File.WriteAllTextAsync($"{stem}.svg", await DemoReport.DrawAsync(api, evaluation, $"Loss on {preset.Title}", contest, cancel), cancel);
        await ResultCommands.DownloadAsync(api, checkpoint, $"{stem}.safetensors", cancel);
        Console.WriteLine($"\nPlot        {stem}.svg");
        Console.WriteLine($"Checkpoint  {stem}.safetensors");
        if (settings.JsonFile is { } file)
        {
            await DemoReport.WriteAsync(file, DemoReport.Summarize(clock, seconds, settings.Seed, contest), cancel);
            Console.WriteLine($"Summary     {file}");
        }
    }

    void PrintAddresses(Uri address, JsonElement training, JsonElement evaluation)
    {
        Console.WriteLine($"Swagger     {address}swagger");
        Console.WriteLine($"Training    {address}api/v1/runs/{training.Text("id")}");
        Console.WriteLine($"Evaluation  {address}api/v1/runs/{evaluation.Text("id")}");
        Console.WriteLine($"Token       {home.TokenFile}");
    }
}

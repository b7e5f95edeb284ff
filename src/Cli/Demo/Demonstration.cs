using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Data;
using MetaOpt.Cli.Services;

namespace MetaOpt.Cli.Demo;

/// <summary>Trains, evaluates and reports; starts the services it needs, unless <c>metaopt up</c> already has.</summary>
public sealed class Demonstration(DemoSettings settings, DemoPlan plan, Home home)
{
    readonly PhaseClock _clock = PhaseClock.FromEnvironment();
    UnfinishedRun? _unfinished;

    /// <summary>The whole demonstration; returns when it is over, or on Ctrl-C.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        Console.WriteLine($"Learning an optimizer for {plan.Title} (seed {settings.Seed}).");
        if (settings.Name == "mnist")
            await PublicDataset.Mnist.EnsureAsync(home, null, Console.WriteLine, cancel);
        await Server.WithAsync(
            home, "demo", () => _clock.End("start"), address => DriveAsync(address, cancel), cancel,
            serveOn: settings.JsonFile is null && Terminal.IsInteractive);
    }

    /// <summary>Everything from here on goes through the HTTP API.</summary>
    async Task DriveAsync(Uri address, CancellationToken cancel)
    {
        using var api = new ApiClient(address, ApiClient.Token(home));
        await CancelLeftAsync(api, cancel);
        try
        {
            Console.WriteLine("\nMeta-training");
            var training = await RunToEndAsync(api, plan.Training(settings.Seed), cancel);
            var checkpoint = await FindCheckpointAsync(api, training.Text("id")!, cancel);
            _clock.End("train");

            Console.WriteLine("\nEvaluation: tuning the baselines, then all on the same fresh instances");
            var evaluation = await RunToEndAsync(api, plan.Evaluation(settings.Seed, checkpoint), cancel);
            var contest = Benchmark.Read(evaluation.Field("result") ?? default);
            _clock.End("evaluate");

            Console.WriteLine();
            foreach (var line in ResultTable.Render(contest))
                Console.WriteLine(line);
            var seconds = _clock.Elapsed;
            Console.WriteLine($"\nTook {ProgressLine.Duration(seconds)} in all.");

            await LeaveFilesAsync(api, evaluation.Text("id")!, checkpoint, contest, seconds, cancel);
            PrintAddresses(address, training, evaluation);
        }
        catch (OperationCanceledException) when (_unfinished is { } run)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                await api.PostAsync($"runs/{run.Id}/cancel", (string?)null, limit.Token);
                Console.WriteLine($"\nCancelled run {run.Id}.");
            }
            catch (ApiException ended) when (ended.Status == HttpStatusCode.Conflict)
            {
                // It ended at the same moment.
            }
            run.Forget();
            throw;
        }
        finally
        {
            _unfinished?.Dispose();
        }
    }

    /// <summary>Cancels the runs of demonstrations that were killed: nobody waits for them.</summary>
    async Task CancelLeftAsync(ApiClient api, CancellationToken cancel)
    {
        foreach (var run in UnfinishedRun.Left(home))
        {
            using var left = run;
            try
            {
                await api.PostAsync($"runs/{left.Id}/cancel", (string?)null, cancel);
                Console.WriteLine($"Cancelled run {left.Id}, which an interrupted demonstration left.");
            }
            catch (ApiException)
            {
                // Deleted, of another server or of somebody else.
            }
            left.Forget();
        }
    }

    async Task<JsonElement> RunToEndAsync(ApiClient api, JsonNode submission, CancellationToken cancel)
    {
        var id = (await api.PostAsync("runs", submission, cancel)).Text("id")!;
        _unfinished = UnfinishedRun.Mark(home, id);
        Console.WriteLine($"  run {id}");
        var run = await RunFollower.FollowAsync(api, id, new ProgressLine(Console.Out, Terminal.IsInteractive), cancel);
        _unfinished.Forget();
        _unfinished.Dispose();
        _unfinished = null;
        if (run.Text("state") != "succeeded")
            throw new CommandException(
                $"Run {id} {run.Text("state")}: {run.Field("error")?.Text("detail") ?? "see ./metaopt show " + id}");
        return run;
    }

    static async Task<string> FindCheckpointAsync(ApiClient api, string run, CancellationToken cancel)
    {
        var list = (await api.GetAsync($"runs/{run}/checkpoints", cancel)).Items().ToList();
        return list.FirstOrDefault(c => c.Text("name") == "final").Text("id")
            ?? throw new CommandException($"Run {run} has no checkpoint called final, only {list.Count} others.");
    }

    async Task LeaveFilesAsync(
        ApiClient api, string evaluation, string checkpoint, Benchmark contest, double seconds, CancellationToken cancel)
    {
        Directory.CreateDirectory(settings.Output);
        var stem = Path.Combine(settings.Output, $"{settings.Name}-seed{settings.Seed}");
        var curves = await DemoReport.ReadCurvesAsync(api, evaluation, contest, cancel);
        await File.WriteAllTextAsync($"{stem}.svg", LossCurves.Draw($"Loss on {plan.Title}", curves), cancel);
        await ResultCommands.DownloadAsync(api, checkpoint, $"{stem}.safetensors", cancel);
        Console.WriteLine($"\nPlot        {stem}.svg");
        Console.WriteLine($"Checkpoint  {stem}.safetensors");
        if (settings.JsonFile is { } file)
        {
            await DemoReport.WriteAsync(file, DemoReport.Summarize(_clock, seconds, settings.Seed, contest), cancel);
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

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Client;
using MetaOpt.Cli.Data;
using MetaOpt.Cli.Demo;

namespace MetaOpt.Cli.Reproduce;

/// <summary>Drives the runs of presets through the HTTP API, and reports what came out.</summary>
public sealed class Reproduction(ReproduceSettings settings, Home home, ApiClient api)
{
    const string All = "all";

    // Of a preset's runs, those that an earlier call did too.
    BusyTime _busy = new();

    /// <summary>Reproduces the presets called <paramref name="names"/>; 1 when a threshold is missed.</summary>
    public async Task<int> RunAsync(IReadOnlyList<string> names, CancellationToken cancel)
    {
        List<string> known = [.. (await api.GetAsync("presets", cancel)).Items().Select(p => p.Text("name")!)];
        if (names.FirstOrDefault(n => n != All && !known.Contains(n)) is { } unknown)
            throw new CommandException($"There is no preset \"{unknown}\"; choose from {string.Join(", ", known)}, or {All}.",
                ExitCode.Usage);
        var (findings, notRun) = (new List<Findings>(), new List<(string Name, string Why)>());
        foreach (var name in names.Contains(All) ? known : names)
        {
            try
            {
                findings.Add(await RunAsync(name, cancel));
            }
            catch (MissingDataException missing) when (names.Contains(All))
            {
                Console.WriteLine($"  not run: {missing.Message}");
                notRun.Add((name, missing.Message));
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("\nInterrupted; the same command goes on where it stopped.");
                throw;
            }
            if (settings.JsonFile is { } file)
                await DemoReport.WriteAsync(file, ReproductionReport.Json(findings, notRun), cancel);
        }
        foreach (var (name, why) in notRun) Console.WriteLine($"\n{name} was not run: {why}");
        return findings.All(f => f.Met) ? ExitCode.Success : ExitCode.Failure;
    }

    async Task<Findings> RunAsync(string name, CancellationToken cancel)
    {
        var preset = await api.GetAsync($"presets/{name}?size={settings.Size}", cancel);
        Console.WriteLine(
            $"\n{name} ({settings.Size}, about {preset.Text("minutes")} minutes): {preset.Text("title")}\n{preset.Text("source")}");
        await EnsureDatasetsAsync(preset, cancel);
        _busy = new BusyTime();
        var folder = Directory.CreateDirectory(Path.Combine(settings.Output, $"{name}-{settings.Size}")).FullName;
        var ledger = RunLedger.Open(settings.Output);

        var trainings = new List<(string Contestant, string Run)>();
        foreach (var training in preset.Field("trainings")!.Value.Items())
            foreach (var seed in training.Field("seeds")!.Value.Items())
                trainings.Add(($"{training.Text("name")}/{seed}",
                    await ledger.SubmitAsync(api, Training(name, training, seed.GetInt64()), cancel)));
        var checkpoints = new List<(string Contestant, string Checkpoint)>();
        foreach (var (contestant, run) in trainings)
        {
            Console.WriteLine($"\nMeta-training {checkpoints.Count + 1} of {trainings.Count}: {contestant}");
            await FollowAsync(run, cancel);
            checkpoints.Add((contestant, await FinalCheckpointAsync(run, cancel)));
        }

        // All at once, so that a worker with several slots has them filled.
        List<JsonElement> planned = [.. preset.Field("evaluations")!.Value.Items()];
        var submitted = new List<string>();
        foreach (var evaluation in planned)
            submitted.Add(await ledger.SubmitAsync(api, Evaluation(name, evaluation, checkpoints), cancel));
        var examined = new List<(JsonElement Diagnosis, string Seed, string Run)>();
        foreach (var diagnosis in preset.Field("diagnoses")!.Value.Items())
            foreach (var (contestant, checkpoint) in checkpoints.Where(
                c => Contestant.TrainingOf(c.Contestant) == diagnosis.Text("training")))
                examined.Add((diagnosis, SeedOf(contestant),
                    await ledger.SubmitAsync(api, Diagnosis(name, diagnosis, SeedOf(contestant), checkpoint), cancel)));

        var measured = new List<Measured>();
        foreach (var (evaluation, run) in planned.Zip(submitted))
        {
            Console.WriteLine($"\nEvaluation {measured.Count + 1} of {planned.Count}: {evaluation.Text("title")}");
            var result = (await FollowAsync(run, cancel)).Field("result") ?? default;
            measured.Add(new Measured(api, run, evaluation.Text("name")!, evaluation.Text("title")!, Benchmark.Read(result),
                result));
        }
        var diagnoses = new List<MeasuredDiagnosis>();
        foreach (var (diagnosis, seed, run) in examined)
        {
            Console.WriteLine($"\nDiagnosis {diagnoses.Count + 1} of {examined.Count}: {diagnosis.Text("title")}, seed {seed}");
            var result = (await FollowAsync(run, cancel)).Field("result") ?? default;
            diagnoses.Add(MeasuredDiagnosis.Read(diagnosis, seed, result));
        }
        var findings = await Findings.OfAsync(preset, measured, diagnoses, _busy.Total.TotalSeconds, cancel);
        await ReproductionReport.WriteAsync(api, findings, folder, settings.Docs, cancel);
        return findings;
    }

    async Task EnsureDatasetsAsync(JsonElement preset, CancellationToken cancel)
    {
        var wanted = preset.Field("trainings")!.Value.Items().Concat(preset.Field("evaluations")!.Value.Items())
            .Select(r => r.Field("spec")?.Field("task")?.Text("dataset")).OfType<string>().Distinct();
        try
        {
            foreach (var dataset in wanted)
            {
                if (PublicDataset.All.FirstOrDefault(d => d.Name == dataset) is { } known)
                    await known.EnsureAsync(home, null, Console.WriteLine, cancel);
                if (dataset == "images" && !Images.IsComplete(home))
                    await Images.FetchAsync(home, null, Console.WriteLine, cancel);
            }
        }
        catch (CommandException e)
        {
            throw new MissingDataException(e.Message);
        }
    }

    /// <summary>
    /// A dataset is not here and could not be fetched; with <c>all</c>, the other presets are run all the same.
    /// </summary>
    sealed class MissingDataException(string message) : CommandException(message);

    JsonObject Training(string preset, JsonElement training, long seed)
    {
        var spec = JsonNode.Parse(training.Field("spec")!.Value.GetRawText())!;
        spec["seed"] = seed + settings.Seed;
        return Submission(training, preset, $"{training.Text("name")}, seed {seed + settings.Seed}", spec);
    }

    /// <summary>The learned contestants come first, one for each seed.</summary>
    JsonObject Evaluation(string preset, JsonElement evaluation,
        IReadOnlyList<(string Contestant, string Checkpoint)> checkpoints)
    {
        var spec = JsonNode.Parse(evaluation.Field("spec")!.Value.GetRawText())!;
        spec["seed"] = 1 + settings.Seed;
        var baselines = spec["contestants"]!.AsArray();
        List<string> learned = [.. evaluation.Field("learned")!.Value.Items().Select(l => l.GetString()!)];
        spec["contestants"] = new JsonArray(
        [
            .. checkpoints.Where(c => learned.Contains(Contestant.TrainingOf(c.Contestant)))
                .Select(c => new JsonObject { ["name"] = c.Contestant, ["checkpoint"] = c.Checkpoint }),
            .. baselines.Select(b => b!.DeepClone()),
        ]);
        return Submission(evaluation, preset, evaluation.Text("name")!, spec);
    }

    JsonObject Diagnosis(string preset, JsonElement diagnosis, string seed, string checkpoint)
    {
        var spec = JsonNode.Parse(diagnosis.Field("spec")!.Value.GetRawText())!;
        spec["seed"] = long.Parse(seed, CultureInfo.InvariantCulture) + settings.Seed;
        spec["checkpoint"] = checkpoint;
        return Submission(diagnosis, preset, $"{diagnosis.Text("name")}, seed {spec["seed"]}", spec);
    }

    static string SeedOf(string contestant) => contestant[(contestant.LastIndexOf('/') + 1)..];

    static JsonObject Submission(JsonElement planned, string preset, string name, JsonNode spec) => new()
    {
        ["kind"] = planned.Text("kind"),
        ["name"] = $"{preset}: {name}",
        ["tags"] = new JsonArray("reproduce", preset),
        ["spec"] = spec,
    };

    async Task<JsonElement> FollowAsync(string id, CancellationToken cancel)
    {
        Console.WriteLine($"  run {id}");
        var run = await RunFollower.FollowAsync(api, id, new ProgressLine(Console.Out, Terminal.IsInteractive), cancel);
        if (run.Field("startedAt") is { } started && run.Field("finishedAt") is { } finished)
            _busy.Add(started.GetDateTimeOffset(), finished.GetDateTimeOffset());
        return run.Text("state") == "succeeded"
            ? run
            : throw new CommandException(
                $"Run {id} {run.Text("state")}: {run.Field("error")?.Text("detail") ?? "see ./metaopt show " + id}");
    }

    async Task<string> FinalCheckpointAsync(string run, CancellationToken cancel) =>
        (await api.GetAsync($"runs/{run}/checkpoints", cancel)).Items().First(c => c.Text("name") == "final").Text("id")!;
}

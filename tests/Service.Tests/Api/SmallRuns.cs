using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Service.Tests.Api;

/// <summary>Small runs of every kind that the catalogue knows, executed here, with every way to name a contestant.</summary>
sealed class SmallRuns(ApiFixture api)
{
    /// <summary>A task that nobody else in these tests measures on.</summary>
    public const string Task = """{"type":"quadratic","dimensions":2}""";

    /// <summary>Submits a run of a pool of its own and executes it here, as a worker's child would.</summary>
    public async Task<Guid> ExecuteAsync(string kind, string spec)
    {
        var pool = $"rows-{Guid.NewGuid():N}"[..30];
        var id = await api.SubmitAsync($$"""{"kind":"{{kind}}","name":"{{kind}}","pool":"{{pool}}","spec":{{spec}}}""");
        var leased = await api.ClaimAsync(id, pool);
        var stored = (await api.GetAsync($"/api/v1/runs/{id}"))["spec"]!.ToJsonString();
        var read = Catalog.RunKinds.Read(kind, System.Text.Json.JsonElement.Parse(stored));
        using var kernels = KernelSets.Create("auto", 1);
        JsonObject? result = null;
        foreach (var happened in read.Execute(
            new RunInputs(kernels, _ => throw new InvalidOperationException(), await InputsAsync(read)), default))
            if (happened is RunEvent.Point point) await leased.AppendPointsAsync([point], default);
            else if (happened is RunEvent.Checkpoint made)
                await leased.SaveCheckpointAsync(made.Name, made.Step, made.Bytes, default);
            else if (happened is RunEvent.Result(var document)) result = document.ToJson();
        await leased.FinishAsync(RunState.Succeeded, result, null, default);
        return id;
    }

    async Task<Dictionary<Guid, byte[]>> InputsAsync(RunSpec spec)
    {
        var inputs = new Dictionary<Guid, byte[]>();
        foreach (var input in spec.FindInputs())
            inputs[input.Id] =
                await ContentAsync(input.Source == InputSource.Run ? await FinalAsync(input.Id) : input.Id.ToString());
        return inputs;
    }

    Task<byte[]> ContentAsync(string checkpoint) => api.Admin.GetByteArrayAsync($"/api/v1/checkpoints/{checkpoint}/content");

    async Task<string> FinalAsync(Guid run) => (string)(await api.GetAsync($"/api/v1/runs/{run}/checkpoints"))["items"]!.AsArray()
        .Single(c => (string?)c!["name"] == "final")!["id"]!;

    public static string SpecOf(string kind, string contestants) => kind switch
    {
        "meta-training" => $$"""
            {"task":{{Task}},"optimizer":{"type":"learnable-sgd"},
             "training":{"horizon":4,"unroll":2,"metaBatch":1,"metaEpochs":1,"validation":{"every":1,"instances":1} } }
            """,
        "evaluation" =>
            $$"""{"task":{{Task}},"horizon":4,"instances":2,"bootstrapResamples":100,"contestants":[{{contestants}}] }""",
        "meta-gradient-diagnosis" => $$"""
            {"task":{{Task}},"optimizer":{"type":"learnable-sgd"},"horizon":2,"unroll":1,"instances":1,"estimates":2,"referencePairs":20}
            """,
        _ => throw new InvalidOperationException($"Give a small specification of the kind {kind} here: lists must survive it."),
    };

    /// <summary>
    /// Every way to name a contestant that the catalogue knows, and a model's name where the id of a checkpoint is asked for.
    /// </summary>
    public async Task<IReadOnlyList<string>> ContestantsAsync(Guid training)
    {
        var final = await FinalAsync(training);
        var promoted = await api.Admin.PostAsync($"/api/v1/checkpoints/{final}/promote", ApiFixture.Json("""{"name":"rows"}"""));
        var model = (string)JsonNode.Parse(await promoted.Content.ReadAsStringAsync())!["id"]!;
        var evaluation = (await api.GetAsync("/api/v1/catalogue"))["kinds"]!.AsArray()
            .Single(k => (string?)k!["name"] == "evaluation")!;
        var fields = evaluation["fields"]!.AsArray().Single(f => (string?)f!["name"] == "contestants")!["fields"]!.AsArray()
            .Select(f => (string)f!["name"]!).Where(f => f != "name");
        return
        [
            .. fields.SelectMany(field => field switch
            {
                "optimizer" => ["""{"optimizer":{"type":"adam","learningRate":0.1} }"""],
                "checkpoint" => (string[])[$$"""{"checkpoint":"{{final}}","name":"by checkpoint"}""",
                    $$"""{"checkpoint":"{{model}}","name":"by model"}"""],
                "run" => [$$"""{"run":"{{training}}","name":"by run"}"""],
                _ => throw new InvalidOperationException($"Name a contestant by {field} here: lists must survive it."),
            }),
        ];
    }

    /// <summary>
    /// One run of each kind; of an evaluation one for each way to name a contestant, and last one with all of them.
    /// </summary>
    public async Task<(IReadOnlyList<Guid> Runs, IReadOnlyList<string> Contestants)> ExecuteAllAsync()
    {
        var training = await ExecuteAsync("meta-training", SpecOf("meta-training", ""));
        var contestants = await ContestantsAsync(training);
        List<Guid> runs = [training];
        foreach (var kind in Catalog.RunKinds.Names.Where(k => k != "meta-training"))
            foreach (var contestant in kind == "evaluation" ? contestants : [""])
                runs.Add(await ExecuteAsync(kind, SpecOf(kind, contestant)));
        runs.Add(await ExecuteAsync("evaluation", SpecOf("evaluation", string.Join(',', contestants))));
        return (runs, contestants);
    }
}

using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Api.Runs;

/// <summary>Many runs at once: grids over seeds and settings.</summary>
static class BatchApi
{
    public static void MapBatch(this RouteGroupBuilder v1)
    {
        v1.MapPost("/runs:batch", SubmitAsync).RequireAuthorization(Scopes.RunsWrite).WithTags("Runs")
            .WithSummary($"Submits a grid of runs, at most {Batch.Most}, all or none. GET /runs?batch= lists them.");
        v1.MapPost("/runs:validate-batch", ValidateAsync).WithTags("Runs")
            .WithSummary(
                "Checks a grid without queueing it: the number of its runs, the seconds of all and the bytes of the largest.");
    }

    /// <summary>Answers POST /runs:batch.</summary>
    public static async Task<IResult> SubmitAsync(HttpContext context, [AsParameters] SubmissionService intake,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var body = await intake.ReadAsync<Batch>(context, "/run", Batch.Varied, cancel);
        var (id, key, runs) = (Guid.CreateVersion7(), SubmissionService.IdempotencyKey(context.Request), new List<NewRun>());
        await foreach (var (submission, spec, _) in ResolveAsync(context, body, intake, cancel))
            runs.Add(SubmissionService.RunOf(submission, spec, context.CallerName()) with
            {
                Batch = id,
                IdempotencyKey = key is null ? null : $"{key}#{runs.Count}"
            });
        var ids = await intake.StoreAsync(runs, context.AuditEvent("run.batch", id, new() { ["runs"] = runs.Count }), cancel);
        return Results.Json(new JsonObject
        {
            ["batch"] = id.ToString(),
            ["runs"] = new JsonArray(
                [.. ids.Zip(runs, (run, submitted) => new JsonObject { ["id"] = run.ToString(), ["name"] = submitted.Name })]),
        }, statusCode: 202);
    }

    static async Task<IResult> ValidateAsync(HttpContext context, [AsParameters] SubmissionService intake,
        CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var body = await intake.ReadAsync<Batch>(context, "/run", Batch.Varied, cancel);
        var (runs, bytes, seconds) = (0, 0L, 0.0);
        await foreach (var (_, _, cost) in ResolveAsync(context, body, intake, cancel))
            (runs, bytes, seconds) = (runs + 1, Math.Max(bytes, cost.Bytes), seconds + cost.Seconds);
        return Results.Json(new JsonObject
        {
            ["valid"] = true,
            ["runs"] = runs,
            ["prediction"] = new JsonObject { ["bytes"] = bytes, ["seconds"] = Math.Round(seconds, 1) },
        });
    }

    /// <summary>Every run of a grid, checked like a single submission.</summary>
    public static async IAsyncEnumerable<(Submission Submission, RunSpec Spec, CostPrediction Cost)> ResolveAsync(
        HttpContext context, Batch batch, SubmissionService intake, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var (submission, at) in batch.Submissions())
        {
            (RunSpec Spec, CostPrediction Cost) resolved;
            try
            {
                resolved = await intake.ResolveAsync(context, submission, cancel);
            }
            catch (ProblemException wrong) when (wrong.Errors.Count > 0)
            {
                throw ProblemException.Invalid(new SpecException([.. wrong.Errors.Select(e => Locate(e, batch.Grid, at))]));
            }
            yield return (submission, resolved.Spec, resolved.Cost);
        }
    }

    /// <summary>A mistake in a field that varies is the grid's, any other the common part's.</summary>
    static SpecError Locate(SpecError error, IReadOnlyList<Batch.Axis> grid, IReadOnlyList<int> at)
    {
        for (var i = 0; i < grid.Count; i++)
            if (error.Pointer == "/spec" + grid[i].Field)
                return new($"/grid/{i}/values/{at[i]}", $"{error.Pointer} {error.Detail}");
        return error with { Pointer = "/run" + error.Pointer };
    }
}

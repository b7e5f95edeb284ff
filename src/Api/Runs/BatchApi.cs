using System.Text.Json.Nodes;
using MetaOpt.Api.Auth;
using MetaOpt.Api.Problems;
using MetaOpt.Storage;

namespace MetaOpt.Api.Runs;

/// <summary>Many runs at once: grids over seeds and settings.</summary>
static class BatchApi
{
    public static void MapBatch(this RouteGroupBuilder v1) =>
        v1.MapPost("/runs:batch", SubmitAsync).RequireAuthorization(Scopes.RunsWrite).WithTags("Runs")
            .WithSummary($"Submits a grid of runs, at most {Batch.Most}, all or none. GET /runs?batch= lists them.");

    static async Task<IResult> SubmitAsync(HttpContext context, [AsParameters] Intake intake, CancellationToken cancel)
    {
        context.Request.AllowQuery();
        var body = await context.Request.ReadAsync<Batch>();
        Intake.RequirePriority(context, body.Run.Priority, "/run");
        var (id, key, runs) = (Guid.CreateVersion7(), Intake.IdempotencyKey(context.Request), new List<NewRun>());
        foreach (var (submission, pointer) in body.Submissions())
            try
            {
                var (spec, _) = await intake.ResolveAsync(submission, cancel);
                runs.Add(Intake.RunOf(submission, spec, context.CallerName()) with { Batch = id, IdempotencyKey = key is null ? null : $"{key}#{runs.Count}" });
            }
            catch (ProblemException wrong) when (wrong.Errors.Count > 0)
            {
                // The field that varies is the grid's mistake, any other the common part's.
                throw ProblemException.Invalid(new SpecException([.. wrong.Errors.Select(e =>
                    body.Grid.Any(a => e.Pointer == "/spec" + a.Field) ? new SpecError(pointer, $"{e.Pointer} {e.Detail}") : e with { Pointer = "/run" + e.Pointer })]));
            }
        var ids = await intake.StoreAsync(runs, context.Deed("run.batch", id, new() { ["runs"] = runs.Count }), cancel);
        return Results.Json(new JsonObject
        {
            ["batch"] = id.ToString(),
            ["runs"] = new JsonArray([.. ids.Zip(runs, (run, submitted) => new JsonObject { ["id"] = run.ToString(), ["name"] = submitted.Name })]),
        }, statusCode: 202);
    }
}

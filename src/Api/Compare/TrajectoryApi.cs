using System.Text.Json;
using MetaOpt.Api.Problems;
using MetaOpt.Evaluation;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>What the optimizers of an evaluation do, computed on the spot: small, and bounded by <see cref="Portrait"/>.</summary>
static class TrajectoryApi
{
    const int MostContestants = 8;

    // One at a time: it computes, and the server has other things to do.
    static readonly SemaphoreSlim s_turn = new(1);

    public static void MapTrajectory(this RouteGroupBuilder v1) => v1.MapGet("/runs/{id:guid}/trajectory", ReadAsync).WithTags("Runs").WithSummary(
        "For an evaluation that succeeded: each optimizer's update against the gradient after a history of gradients, and paths on tasks of "
        + "two coordinates. Query: step (gradients seen before), instance.");

    static async Task<IResult> ReadAsync(Guid id, HttpRequest request, MetaOptDb db, CheckpointStore checkpoints, CancellationToken cancel)
    {
        request.AllowQuery("step", "instance");
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel) ?? throw ProblemException.NotFound($"run {id}");
        if (run.Kind != "evaluation" || run.State != RunState.Succeeded)
            throw new ProblemException(409, "no-evaluation", "Only an evaluation that succeeded has optimizers to look at.");
        var spec = (EvaluationSpec)SpecReader.Read(run.Kind, run.Spec);
        var step = (int)(request.QueryNumber("step", 0, Portrait.MostSteps) ?? Math.Min(10, spec.Horizon));
        var instance = (int)(request.QueryNumber("instance", 0, spec.Instances - 1) ?? 0);
        if (step > spec.Horizon) throw ProblemException.BadParameter("step", $"must be at most the evaluation's horizon, {spec.Horizon}.");
        var contestants = new List<(string, Optimizers.IOptimizer)>();
        foreach (var (asked, measured) in spec.Contestants.Zip(run.Result!.Value.GetProperty("contestants").EnumerateArray()).Take(MostContestants))
            contestants.Add((measured.GetProperty("name").GetString()!, Portrait.Rule(
                asked, Number(measured, "learningRate"), asked.Checkpoint is { } stored ? await BytesAsync(checkpoints, stored, cancel) : null, spec.Horizon)));
        await s_turn.WaitAsync(cancel);
        try
        {
            using var portrait = new Portrait(spec, contestants);
            return Results.Json(await Task.Run(() => portrait.Draw(instance, step, cancel), cancel));
        }
        finally
        {
            s_turn.Release();
        }
    }

    static double? Number(JsonElement element, string name) => element.GetProperty(name) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : null;

    static async Task<byte[]> BytesAsync(CheckpointStore checkpoints, Guid id, CancellationToken cancel)
    {
        try
        {
            return await checkpoints.ReadAllAsync(id, cancel);
        }
        catch (KeyNotFoundException)
        {
            throw new ProblemException(409, "checkpoint-gone", $"Checkpoint {id} was deleted, and with it what the optimizer was.");
        }
    }
}

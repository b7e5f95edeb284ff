using System.Text.Json.Nodes;
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
        var spec = ReadSpec(run);
        var step = (int)(request.QueryNumber("step", 0, Portrait.MostSteps) ?? Math.Min(10, spec.Horizon));
        var instance = (int)(request.QueryNumber("instance", 0, spec.Instances - 1) ?? 0);
        if (step > spec.Horizon) throw ProblemException.BadParameter("step", $"must be at most the evaluation's horizon, {spec.Horizon}.");
        if (MeasuredEvaluation.TryRead(run, out var reason) is not { } measured) throw new ProblemException(409, "unreadable", $"Run {id} cannot be shown: {reason}.");
        var (contestants, leftOut) = (new List<(string, Optimizers.IOptimizer)>(), new JsonArray());
        foreach (var (asked, entry) in spec.Contestants.Zip(measured.Entries).Take(MostContestants))
            try
            {
                contestants.Add((entry.Name, await RuleAsync(asked, entry.Number("learningRate"), spec.Horizon, checkpoints, cancel)));
            }
            catch (ProblemException gone)
            {
                leftOut.Add(new JsonObject { ["name"] = entry.Name, ["reason"] = gone.Message });
            }
        if (contestants.Count == 0) throw new ProblemException(409, "checkpoint-gone", (string)leftOut[0]!["reason"]!);
        await s_turn.WaitAsync(cancel);
        try
        {
            using var portrait = new Portrait(spec, contestants);
            var document = await Task.Run(() => portrait.Draw(instance, step, cancel), cancel);
            document["leftOut"] = leftOut;
            return Results.Json(document);
        }
        finally
        {
            s_turn.Release();
        }
    }

    static EvaluationSpec ReadSpec(Run run)
    {
        try
        {
            return (EvaluationSpec)SpecReader.Read(run.Kind, run.Spec);
        }
        catch (SpecException old)
        {
            throw new ProblemException(409, "unreadable", $"This version does not read the specification of run {run.Id}: {old.Message}");
        }
    }

    static async Task<Optimizers.IOptimizer> RuleAsync(
        ContestantSpec asked, double? learningRate, int horizon, CheckpointStore checkpoints, CancellationToken cancel)
    {
        if (asked.Optimizer is { LearningRate: null } && learningRate is null) throw Gone("The result has no learning rate for it.");
        try
        {
            var stored = asked.Run is { } run
                ? (await checkpoints.FindFinalAsync(run, cancel))?.Id ?? throw Gone($"Run {run} was deleted, and with it what it learned.")
                : asked.Checkpoint;
            return Portrait.Rule(asked, learningRate, stored is { } id ? await checkpoints.ReadAllAsync(id, cancel) : null, horizon);
        }
        catch (KeyNotFoundException)
        {
            throw Gone($"Checkpoint {asked.Checkpoint} was deleted, and with it what the optimizer was.");
        }
        catch (Exception damaged) when (damaged is FormatException or InvalidDataException)
        {
            throw Gone($"Its checkpoint cannot be read: {damaged.Message}");
        }
    }

    static ProblemException Gone(string why) => new(409, "checkpoint-gone", why);
}

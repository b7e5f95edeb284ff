using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using MetaOpt.Evaluation;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Microsoft.EntityFrameworkCore;

namespace MetaOpt.Api.Compare;

/// <summary>
/// The updates that a run's optimizers make, computed on the spot: small, and bounded by <see cref="UpdateResponse"/>.
/// </summary>
static class TrajectoryApi
{
    const int MostContestants = 8;

    // One at a time: it computes, and the server has other things to do.
    static readonly SemaphoreSlim s_turn = new(1);

    public static void MapTrajectory(this RouteGroupBuilder v1) =>
        v1.MapGet("/runs/{id:guid}/trajectory", ReadAsync).WithTags("Runs").WithSummary(
        "For an evaluation that succeeded: each optimizer's update against the gradient after a history of gradients, and paths "
        + "on tasks of "
        + "two coordinates. Query: step (gradients seen before), instance.");

    static async Task<IResult> ReadAsync(
        Guid id, HttpRequest request, RunKinds kinds, MetaOptDb db, CheckpointStore checkpoints, CancellationToken cancel)
    {
        request.AllowQuery("step", "instance");
        var run = await db.Runs.AsNoTracking().FirstOrDefaultAsync(r => r.Id == id, cancel)
            ?? throw ProblemException.NotFound($"run {id}");
        if (kinds.Find(run.Kind) is not { HasPortrait: true } kind || run.State != RunState.Succeeded)
            throw new ProblemException(409, "no-evaluation", "Only an evaluation that succeeded has optimizers to look at.");
        var plan = kind.PlanPortrait(ReadSpec(run, kinds), run.Result)
            ?? throw new ProblemException(409, "unreadable",
                $"Run {id} cannot be shown: its result does not have one measurement for each contestant.");
        var step = (int)(request.QueryNumber("step", 0, UpdateResponse.MostSteps) ?? Math.Min(10, plan.Horizon));
        var instance = (int)(request.QueryNumber("instance", 0, plan.Instances - 1) ?? 0);
        if (step > plan.Horizon)
            throw ProblemException.BadParameter("step", $"must be at most the evaluation's horizon, {plan.Horizon}.");
        var (rules, leftOut) = (new List<(string, IOptimizer)>(), new JsonArray());
        foreach (var sitter in plan.Optimizers.Take(MostContestants))
            try
            {
                rules.Add((sitter.Name, await RuleAsync(sitter, checkpoints, cancel)));
            }
            catch (ProblemException gone)
            {
                leftOut.Add(new JsonObject { ["name"] = sitter.Name, ["reason"] = gone.Message });
            }
        if (rules.Count == 0) throw new ProblemException(409, "checkpoint-gone", (string)leftOut[0]!["reason"]!);
        await s_turn.WaitAsync(cancel);
        try
        {
            using var portrait = plan.Create(rules);
            var document = await Task.Run(() => portrait.Draw(instance, step, cancel), cancel);
            document["leftOut"] = leftOut;
            return Results.Json(document);
        }
        finally
        {
            s_turn.Release();
        }
    }

    static RunSpec ReadSpec(Run run, RunKinds kinds)
    {
        try
        {
            return kinds.Read(run.Kind, run.Spec);
        }
        catch (SpecException old)
        {
            throw new ProblemException(409, "unreadable",
                $"This version does not read the specification of run {run.Id}: {old.Message}");
        }
    }

    static async Task<IOptimizer> RuleAsync(PlannedSitter sitter, CheckpointStore checkpoints, CancellationToken cancel)
    {
        if (sitter.Missing is { } missing) throw Gone(missing);
        try
        {
            var stored = sitter.Input is { Source: InputSource.Run, Id: var run }
                ? (await checkpoints.FindFinalAsync(run, cancel))?.Id
                    ?? throw Gone($"Run {run} was deleted, and with it what it learned.")
                : sitter.Input?.Id;
            return sitter.Create(stored is { } id ? await checkpoints.ReadAllAsync(id, cancel) : null);
        }
        catch (KeyNotFoundException)
        {
            throw Gone($"Checkpoint {sitter.Input?.Id} was deleted, and with it what the optimizer was.");
        }
        catch (Exception damaged) when (damaged is FormatException or InvalidDataException)
        {
            throw Gone($"Its checkpoint cannot be read: {damaged.Message}");
        }
    }

    static ProblemException Gone(string why) => new(409, "checkpoint-gone", why);
}

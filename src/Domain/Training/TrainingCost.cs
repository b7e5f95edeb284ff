using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>Predicts memory and time of a training from its sizes, at rates that <c>bench predictions</c> measures.</summary>
static class TrainingCost
{
    /// <summary>Of products with phi, and of the task, on two cores.</summary>
    const double RuleFlopsPerSecond = 8e10, TaskFlopsPerSecond = 2e10;

    /// <summary>The fixed cost of a step: dispatch, graph, random numbers.</summary>
    const double SecondsPerStep = 2e-5;

    /// <summary>A rule without loops of its own is computed operation by operation, in memory: times as long.</summary>
    const double OnTape = 3;

    /// <summary>A step forward, and the way back.</summary>
    const double WithGradient = 3;

    /// <summary>With second derivatives.</summary>
    const double WithSecondDerivatives = 12;

    /// <summary>
    /// Coordinates that a rule without loops of its own has on tapes at once, see <see cref="AutodiffState{T}"/>.
    /// </summary>
    const long LeastOnTape = 2048, ShareOnTape = 128;

    /// <summary>The prediction for <paramref name="spec"/>.</summary>
    public static CostPrediction Of(TrainingSpec spec)
    {
        var (training, rule) = (spec.Training, spec.Optimizer.Create());
        var (plain, task) = (spec.Task.PredictCost(), Trained(spec));
        string[] reducible = ["/training/metaBatch", "/training/metaEpochs", "/training/horizon", "/training/unroll",
            "/optimizer/layers", "/task"];
        var bytes = CostPrediction.ProcessBytes + TrainingBytes(training, rule, task) + ValidationBytes(training, rule, plain);
        if (training.Imitation is { } imitation) bytes += training.MetaBatch * ImitationBytes(imitation, training, rule, task);
        return new(bytes, 2 + Seconds(training, rule, task, plain), reducible);
    }

    /// <summary>The task as it is hardened: coordinates of the convex function, factors of the random scaling.</summary>
    static TaskCost Trained(TrainingSpec spec)
    {
        var (task, convex) = (spec.Task.PredictCost(), spec.Training.ConvexDimensions);
        var coordinates = task.Coordinates + convex;
        var scaling = spec.Training.RandomScaling > 0 ? 1 : 0;
        return new(
            coordinates,
            task.BytesPerInstance + (convex > 0 ? 12L * coordinates + 24L * convex : 0) + scaling * 16L * coordinates,
            task.FlopsPerEvaluation + 20.0 * convex + scaling * 4.0 * coordinates);
    }

    static long TrainingBytes(TrainingOptions training, ILearnedOptimizer rule, TaskCost task)
    {
        var (unroll, state) = (training.Unroll, TrainingSpec.StatePerCoordinate(rule, task.Coordinates));
        var (batch, all) = (training.MetaBatch, (long)training.MetaBatch * task.Coordinates);
        var phi = 4L * rule.MetaParameterCount * (6 + training.Estimator.CopiesOfPhi);
        if (!training.Estimator.BackPropagates) // the gradient, and theta and state of each run
            return phi + batch * task.BytesPerInstance + 4 * all * (1 + training.Estimator.InnerRuns * (1 + state))
                + OnTapes(rule, all, state, 0);
        if (training.SecondDerivatives)
            return phi + 3L * batch * (unroll + 1) * task.BytesPerInstance + 4 * all * unroll * (16 * state + 64);
        var log = training.LossWeights == LossWeights.Log ? unroll : 0;
        return phi + batch * task.BytesPerInstance + 4 * all * (2 + unroll + 1 + log + 2 * state)
            + OnTapes(rule, all, state, unroll);
    }

    /// <summary>Of a rule without loops of its own: one step's graph, and theta and state of an unroll's steps.</summary>
    static long OnTapes(ILearnedOptimizer rule, long coordinates, long state, int unroll) => rule.IsFused
        ? 0
        : 4 * Math.Min(coordinates, Math.Max(LeastOnTape, coordinates / ShareOnTape)) * (unroll * (1 + state) + 400 + 16 * state);

    static long ValidationBytes(TrainingOptions training, ILearnedOptimizer rule, TaskCost task) => training.Validation.Every == 0
        ? 0
        : InnerRuns.PortionBytes(task.BytesPerInstance + new FrozenOptimizer(rule, default).BytesPerInstance(task.Coordinates),
            training.Validation.Instances);

    /// <summary>Of one instance: the teacher's trajectory and updates, its state, and the rule beside it.</summary>
    static long ImitationBytes(ImitationOptions imitation, TrainingOptions training, ILearnedOptimizer rule, TaskCost task)
    {
        var state = TrainingSpec.StatePerCoordinate(rule, task.Coordinates);
        var teacher = imitation.Teacher.Create(training.Horizon).BytesPerInstance(task.Coordinates);
        return 4L * task.Coordinates * (3 + 3 * training.Unroll + 2 * state) + task.BytesPerInstance + teacher;
    }

    static double Seconds(TrainingOptions training, ILearnedOptimizer rule, TaskCost task, TaskCost plain)
    {
        var (steps, skipped) = (training.MetaEpochs * MeanHorizon(training), training.MetaEpochs * training.StartOffset / 2.0);
        var (inner, validations) = (steps * training.Estimator.RunsPerUnroll, Validations(training) * training.Horizon);
        var (ofRule, ofTask) = training.SecondDerivatives
            ? (WithSecondDerivatives, 4)
            : (training.Estimator.BackPropagates ? WithGradient : 1, 1);
        var seconds = training.MetaBatch * ((inner * ofRule + skipped) * Step(rule, task.Coordinates)
            + (inner * ofTask + skipped) * task.FlopsPerEvaluation / TaskFlopsPerSecond);
        if (training.Imitation is { } imitation)
            seconds += training.MetaBatch * steps * imitation.Shares.Max() * 40 * task.Coordinates / RuleFlopsPerSecond;
        seconds += validations * training.Validation.Instances
            * (Step(rule, plain.Coordinates) + plain.FlopsPerEvaluation / TaskFlopsPerSecond);
        return seconds + SecondsPerStep * (rule.IsFused ? 1 : OnTape) * (ofRule * inner + skipped + validations);
    }

    static double Validations(TrainingOptions training) =>
        training.Validation.Every == 0 ? 0 : Math.Ceiling((double)training.MetaEpochs / training.Validation.Every);

    /// <summary>
    /// A step of the rule for one instance, seconds: products with phi, and some operations on each element of the state.
    /// </summary>
    static double Step(ILearnedOptimizer rule, int coordinates) => (rule.IsFused ? 1 : OnTape) * coordinates / RuleFlopsPerSecond
        * (2.0 * rule.MetaParameterCount + 20.0 * TrainingSpec.StatePerCoordinate(rule, coordinates) + 20);

    /// <summary>Of horizons that are drawn log-uniformly; of a curriculum the last stage's.</summary>
    static double MeanHorizon(TrainingOptions training)
    {
        var (shortest, longest) = (training.ShortestHorizon, training.Horizon);
        if (shortest == 0 || shortest >= longest) return longest;
        return Math.Min(longest, training.Unroll / 2.0 + (longest - shortest) / Math.Log((double)longest / shortest));
    }
}

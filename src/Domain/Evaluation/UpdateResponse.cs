using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Evaluation;

/// <summary>
/// The updates of an evaluation's contestants, one coordinate at a time: the update they make of a gradient after the same
/// history of gradients (Andrychowicz et al., 2016, appendix C), and on tasks of two coordinates their paths over the loss. The
/// history is what the first contestant saw on an instance of the task; where the task needs a dataset or is large, a decaying
/// one.
/// </summary>
/// <param name="spec">The evaluation.</param>
/// <param name="contestants">Name and rule of each, learning rates fixed.</param>
public sealed class UpdateResponse(EvaluationSpec spec, IReadOnlyList<(string Name, IOptimizer Rule)> contestants) : IDisposable
{
    /// <summary>Most steps that are gone.</summary>
    public const int MostSteps = 200;

    const int Sweep = 161, Grid = 64;
    const long LargestTaskBytes = 4 << 20;

    readonly IKernels<float> _kernels = KernelSets.Create("auto", 1);

    /// <summary>The rule of a contestant: a stored one, or a hand-designed one with the rate that was found for it.</summary>
    public static IOptimizer Rule(ContestantSpec contestant, double? learningRate, byte[]? checkpoint, int horizon) =>
        contestant.Optimizer is { } baseline
        ? (baseline with { LearningRate = learningRate ?? baseline.LearningRate }).Create(horizon)
        : LearnedOptimizerCheckpoint.Read(checkpoint ?? throw new ArgumentNullException(nameof(checkpoint))).Freeze();

    /// <summary>Draws it.</summary>
    /// <param name="instance">Number of the test instance.</param>
    /// <param name="step">How many gradients the rules have seen before the one that is varied.</param>
    /// <param name="cancel">Stops it.</param>
    public JsonObject Draw(int instance, int step, CancellationToken cancel)
    {
        var cost = spec.Task.PredictCost();
        var drawable = spec.Task.RequiredDataset is null && cost.BytesPerInstance <= LargestTaskBytes;
        using var task = drawable ? new Instance(_kernels, spec, instance) : null;
        var paths = task is null || (task.Coordinates != 2 && step == 0) ? [] :
            contestants.Take(task.Coordinates == 2 ? contestants.Count : 1)
                .Select(c => task.Follow(c.Rule, Math.Min(spec.Horizon, MostSteps), cancel)).ToList();
        var history = paths.Count > 0 ? [.. paths[0].Gradients.Take(step)] : Decaying(step);
        var largest = history.Length == 0 ? 1 : Math.Max(1e-6f, history.Max(Math.Abs));
        float[] sweep = [.. Enumerable.Range(0, Sweep).Select(i => largest * (2f * i / (Sweep - 1) - 1))];
        return new()
        {
            ["step"] = step,
            ["instance"] = instance,
            ["history"] = drawable ? "task" : "decaying",
            ["gradients"] = Numbers(history),
            ["response"] = new JsonObject
            {
                ["gradient"] = Numbers(sweep),
                ["updates"] =
                    new JsonArray(
                        [.. contestants.Select(
                            c => new JsonObject { ["name"] = c.Name, ["update"] = Numbers(Respond(c.Rule, history, sweep)) })]),
            },
            ["path"] = task?.Coordinates != 2 ? null : Paths(task, paths, cancel),
        };
    }

    /// <summary>For want of a real one: what a gradient does on the way down.</summary>
    static float[] Decaying(int count) => [.. Enumerable.Range(0, count).Select(t => MathF.Pow(0.95f, t))];

    /// <summary>
    /// Every value of the sweep is a problem of its own with one coordinate, so that one call makes all updates, whatever the
    /// rule.
    /// </summary>
    float[] Respond(IOptimizer rule, IReadOnlyList<float> history, float[] sweep)
    {
        using var arena = _kernels.NewArena();
        using var state = rule.Start(_kernels, sweep.Length, 1);
        var (theta, gradient) = (arena.Zeros(new Shape(sweep.Length, 1)), arena.Zeros(new Shape(sweep.Length, 1)));
        foreach (var g in history)
        {
            gradient.Span.Fill(g);
            state.Step(theta, gradient);
        }
        theta.Span.Clear();
        sweep.CopyTo(gradient.Span);
        state.Step(theta, gradient);
        return theta.Span.ToArray();
    }

    JsonObject Paths(Instance task, IReadOnlyList<Path> paths, CancellationToken cancel)
    {
        var points = paths.SelectMany(p => p.Thetas).Where(t => float.IsFinite(t.X) && float.IsFinite(t.Y)).ToList();
        // What runs away must not make the rest too small to see.
        var (x, y) = (Range(points.Select(p => p.X)), Range(points.Select(p => p.Y)));
        var losses = new float[Grid * Grid];
        for (var i = 0; i < losses.Length; i++)
            losses[i] = task.LossAt(x.Low + (x.High - x.Low) * (i % Grid) / (Grid - 1),
                y.Low + (y.High - y.Low) * (i / Grid) / (Grid - 1), cancel);
        return new()
        {
            ["grid"] = Grid,
            ["x"] = Numbers([x.Low, x.High]),
            ["y"] = Numbers([y.Low, y.High]),
            ["loss"] = Numbers(losses),
            ["paths"] = new JsonArray([.. paths.Select((p, i) => new JsonObject
            {
                ["name"] = contestants[i].Name,
                ["x"] = Numbers([.. p.Thetas.Select(t => t.X)]),
                ["y"] = Numbers([.. p.Thetas.Select(t => t.Y)]),
                ["loss"] = Numbers([.. p.Losses]),
            })]),
        };
    }

    static (float Low, float High) Range(IEnumerable<float> values)
    {
        float[] sorted = [.. values.Order()];
        if (sorted.Length == 0) return (-1, 1);
        var (low, high) = (sorted[(int)(0.01 * (sorted.Length - 1))], sorted[(int)(0.99 * (sorted.Length - 1))]);
        var room = Math.Max(0.15f * (high - low), 0.1f);
        return (low - room, high + room);
    }

    static JsonArray Numbers(ReadOnlySpan<float> values)
    {
        var array = new JsonArray();
        foreach (var value in values) array.Add(float.IsFinite(value) ? JsonValue.Create(value) : null);
        return array;
    }

    /// <inheritdoc/>
    public void Dispose() => _kernels.Dispose();

    /// <summary>Where one rule went.</summary>
    sealed class Path(CancellationToken cancel) : IInnerObserver<float>
    {
        /// <summary>The first two coordinates of theta_0, theta_1, ..; of a function of one, that one twice.</summary>
        public List<(float X, float Y)> Thetas { get; } = [];

        /// <summary>f of them.</summary>
        public List<float> Losses { get; } = [];

        /// <summary>The gradients at the first coordinate; none at the end.</summary>
        public List<float> Gradients { get; } = [];

        public void Observe(int t, Tensor<float> theta, Tensor<float> losses, Tensor<float> gradient)
        {
            cancel.ThrowIfCancellationRequested();
            Add(theta, losses);
            Gradients.Add(gradient.Span[0]);
        }

        public void Add(Tensor<float> theta, Tensor<float> losses)
        {
            Thetas.Add((theta.Span[0], theta.Span[theta.Count > 1 ? 1 : 0]));
            Losses.Add(losses.Span[0]);
        }
    }

    /// <summary>One test instance of the task.</summary>
    sealed class Instance : IDisposable
    {
        readonly IKernels<float> _kernels;
        readonly ITask _task;
        readonly ITaskInstances<float> _instance;
        readonly Tape<float> _tape;
        readonly Arena<float> _arena;

        public Instance(IKernels<float> kernels, EvaluationSpec spec, int number)
        {
            _kernels = kernels;
            _task = spec.Task.Create(name => throw new InvalidOperationException($"The task needs {name}."));
            _instance = _task.Allocate(kernels, 1);
            _instance.Draw((ulong)spec.Seed, Split.Test, number);
            (_tape, _arena) = (new Tape<float>(kernels), kernels.NewArena());
        }

        public int Coordinates => _task.Coordinates;

        public Path Follow(IOptimizer rule, int steps, CancellationToken cancel)
        {
            _arena.Reset();
            var path = new Path(cancel);
            var loop = new InnerLoop<float>(_instance, _tape, _arena.Take(new Shape(1, Coordinates)));
            using var state = rule.Start(_kernels, new Layout(1, _task.Parameters));
            loop.Begin();
            loop.Run(state, 0, steps, path);
            path.Add(loop.Theta, loop.Loss(steps));
            return path;
        }

        public float LossAt(float x, float y, CancellationToken cancel)
        {
            cancel.ThrowIfCancellationRequested();
            _arena.Reset();
            _tape.Reset();
            var theta = _arena.Copy([x, y], new Shape(1, 2));
            return _instance.Loss(_tape, theta, 0).Span[0];
        }

        public void Dispose()
        {
            _tape.Dispose();
            _arena.Dispose();
            _instance.Dispose();
        }
    }
}

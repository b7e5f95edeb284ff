using MetaOpt.Evaluation;
using MetaOpt.Optimizers;

namespace MetaOpt.Presets;

/// <summary>Hand-designed contestants that presets share; every learning rate is tuned.</summary>
static class Baselines
{
    /// <summary>The baselines of Andrychowicz et al., 2016.</summary>
    public static readonly IReadOnlyList<string> Paper = ["sgd", "nag", "rmsprop", "adam"];

    /// <summary>With heavy-ball momentum, which the paper left out and which a fine grid of rates makes strong.</summary>
    public static readonly IReadOnlyList<string> WithHeavyBall = [.. Paper, "momentum"];

    /// <summary>With what came later.</summary>
    public static readonly IReadOnlyList<string> Modern = [.. WithHeavyBall, "adagrad", "adamw", "lion"];

    /// <summary>With those that keep an approximation of the inverse Hessian.</summary>
    public static readonly IReadOnlyList<string> WithQuasiNewton = [.. Modern, "l-bfgs", "bfgs"];

    /// <summary>Contestants with open learning rates.</summary>
    public static IReadOnlyList<ContestantSpec> Contestants(IReadOnlyList<string> names) =>
        [.. names.Select(name => new ContestantSpec { Optimizer = (OptimizerOptions)Activator.CreateInstance(Find(name))! })];

    static Type Find(string name) =>
        Catalog.Optimizers.TryFind(name, out var entry)
            ? entry.Options
            : throw new InvalidOperationException($"There is no optimizer {name}.");
}

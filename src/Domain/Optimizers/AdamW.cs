using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Adam with weight decay that does not pass through the moments.</summary>
public static class AdamW
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "adamw", "theta -= rate * decay * theta, then Adam's step.",
        "Loshchilov and Hutter 2019, arXiv:1711.05101; form of PyTorch optim.AdamW");

    /// <summary>Options of <c>adamw</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <summary>Decay of the mean of gradients.</summary>
        [Bounds(0, 0.999999)]
        public double Beta1 { get; init; } = 0.9;

        /// <summary>Decay of the mean of squared gradients.</summary>
        [Bounds(0, 0.9999999)]
        public double Beta2 { get; init; } = 0.999;

        /// <summary>Keeps the step finite.</summary>
        [Bounds(1e-12, 1)]
        public double Epsilon { get; init; } = 1e-8;

        /// <summary>The share of theta that each step takes away is the learning rate times this.</summary>
        [Bounds(0, 100)]
        public double WeightDecay { get; init; } = 0.01;

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) =>
            new ElementwiseOptimizer<Rule>(new Rule(new Adam.Rule(0, Beta1, Beta2, Epsilon, 1), 0, WeightDecay), sizes);
    }

    readonly struct Rule(Adam.Rule adam, double rate, double decay) : IElementwiseRule<Rule>
    {
        public static int Slots => 2;

        public Rule At(long step, double rate) => new(adam.At(step, rate), rate, decay);

        public V Update<V, O>(V theta, V gradient, ref V mean, ref V square) where V : struct where O : IVectorOps<V, float> =>
            adam.Update<V, O>(O.Multiply(O.Constant(1 - rate * decay), theta), gradient, ref mean, ref square);
    }
}

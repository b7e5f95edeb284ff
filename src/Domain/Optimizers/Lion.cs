using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Every coordinate moves by the learning rate itself, in the direction of an interpolated momentum's sign.</summary>
public static class Lion
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "lion",
        "theta -= rate * (sign(beta1 m + (1 - beta1) g) + decay * theta); m = beta2 m + (1 - beta2) g.",
        "Chen et al. 2023, arXiv:2302.06675");

    /// <summary>Options of <c>lion</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <summary>Weight of the momentum against the new gradient in the direction.</summary>
        [Bounds(0, 0.999999)]
        public double Beta1 { get; init; } = 0.9;

        /// <summary>Decay of the momentum.</summary>
        [Bounds(0, 0.999999)]
        public double Beta2 { get; init; } = 0.99;

        /// <summary>The share of theta that each step takes away is the learning rate times this.</summary>
        [Bounds(0, 100)]
        public double WeightDecay { get; init; }

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) =>
            new ElementwiseOptimizer<Rule>(new Rule(0, Beta1, Beta2, WeightDecay), sizes);
    }

    readonly struct Rule(double rate, double beta1, double beta2, double decay) : IElementwiseRule<Rule>
    {
        public static int Slots => 1;

        public Rule At(long step, double rate) => new(rate, beta1, beta2, decay);

        public V Update<V, O>(V theta, V gradient, ref V mean, ref V second) where V : struct where O : IVectorOps<V, float>
        {
            var direction = O.FusedMultiplyAdd(O.Constant(beta1), mean, O.Multiply(O.Constant(1 - beta1), gradient));
            mean = O.FusedMultiplyAdd(O.Constant(beta2), mean, O.Multiply(O.Constant(1 - beta2), gradient));
            // x / |x| is the sign, and NaN stays NaN; 0 has no sign.
            var size = O.Abs(direction);
            var sign = O.SelectGreaterEqual(O.Zero, size, O.Zero, O.Divide(direction, size));
            return O.FusedMultiplyAdd(O.Constant(-rate), sign, O.Multiply(O.Constant(1 - rate * decay), theta));
        }
    }
}

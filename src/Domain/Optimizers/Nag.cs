using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Nesterov's accelerated gradient.</summary>
public static class Nag
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "nag", "v = mu v + g; theta -= rate * (g + mu v).",
        "Nesterov 1983; form of Sutskever et al. 2013 and Torch optim.sgd with nesterov");

    /// <summary>Options of <c>nag</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <summary>mu, the decay of the velocity.</summary>
        [Bounds(0, 0.999999)]
        public double Decay { get; init; } = 0.9;

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) => new ElementwiseOptimizer<Rule>(new Rule(0, Decay), sizes);
    }

    readonly struct Rule(double rate, double decay) : IElementwiseRule<Rule>
    {
        public static int Slots => 1;

        public Rule At(long step, double rate) => new(rate, decay);

        public V Update<V, O>(V theta, V gradient, ref V velocity, ref V second) where V : struct where O : IVectorOps<V, float>
        {
            velocity = O.FusedMultiplyAdd(O.Constant(decay), velocity, gradient);
            var ahead = O.FusedMultiplyAdd(O.Constant(decay), velocity, gradient);
            return O.FusedMultiplyAdd(O.Constant(-rate), ahead, theta);
        }
    }
}

using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Gradient descent with heavy-ball momentum.</summary>
public static class Momentum
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "momentum", "v = mu v + g; theta -= rate * v.", "Polyak 1964, doi:10.1016/0041-5553(64)90137-5; form of Torch optim.sgd");

    /// <summary>Options of <c>momentum</c>.</summary>
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
            return O.FusedMultiplyAdd(O.Constant(-rate), velocity, theta);
        }
    }
}

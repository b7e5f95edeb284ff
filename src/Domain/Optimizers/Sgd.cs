using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Gradient descent.</summary>
public static class Sgd
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "sgd", "theta -= rate * g.", "Robbins and Monro 1951, doi:10.1214/aoms/1177729586");

    /// <summary>Options of <c>sgd</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) => new ElementwiseOptimizer<Rule>(new Rule(0), sizes);
    }

    readonly struct Rule(double rate) : IElementwiseRule<Rule>
    {
        public static int Slots => 0;

        public Rule At(long step, double rate) => new(rate);

        public V Update<V, O>(V theta, V gradient, ref V first, ref V second) where V : struct where O : IVectorOps<V, float>
        {
            return O.FusedMultiplyAdd(O.Constant(-rate), gradient, theta);
        }
    }
}

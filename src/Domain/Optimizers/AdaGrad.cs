using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Steps divided by the root of the sum of all squared gradients so far.</summary>
public static class AdaGrad
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "adagrad", "s += g^2; theta -= rate * g / (sqrt(s) + epsilon).",
        "Duchi et al. 2011, JMLR 12; form of Torch optim.adagrad");

    /// <summary>Options of <c>adagrad</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <summary>Keeps the step finite.</summary>
        [Bounds(1e-12, 1)]
        public double Epsilon { get; init; } = 1e-10;

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) => new ElementwiseOptimizer<Rule>(new Rule(0, Epsilon), sizes);
    }

    readonly struct Rule(double rate, double epsilon) : IElementwiseRule<Rule>
    {
        public static int Slots => 1;

        public Rule At(long step, double rate) => new(rate, epsilon);

        public V Update<V, O>(V theta, V gradient, ref V sum, ref V second) where V : struct where O : IVectorOps<V, float>
        {
            sum = O.FusedMultiplyAdd(gradient, gradient, sum);
            var size = O.Add(O.Sqrt(sum), O.Constant(epsilon));
            return O.FusedMultiplyAdd(O.Constant(-rate), O.Divide(gradient, size), theta);
        }
    }
}

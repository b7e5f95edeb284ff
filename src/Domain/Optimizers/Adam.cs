using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Adaptive moments; the baseline, and the meta-optimizer.</summary>
public static class Adam
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "adam", "m, v = running means of g and g^2, bias-corrected; theta -= rate * m / (sqrt(v) + epsilon).",
        "Kingma and Ba 2015, arXiv:1412.6980");

    /// <summary>Options of <c>adam</c>.</summary>
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

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) =>
            new ElementwiseOptimizer<Rule>(new Rule(0, Beta1, Beta2, Epsilon, 1), sizes);
    }

    /// <summary>The bias corrections are worked out in double, once a step.</summary>
    internal readonly struct Rule(double rate, double beta1, double beta2, double epsilon, long step) : IElementwiseRule<Rule>
    {
        readonly double _rate = rate / (1 - Math.Pow(beta1, step));
        readonly double _correction = 1 / Math.Sqrt(1 - Math.Pow(beta2, step));

        public static int Slots => 2;

        public Rule At(long step, double rate) => new(rate, beta1, beta2, epsilon, step);

        public V Update<V, O>(V theta, V gradient, ref V mean, ref V square) where V : struct where O : IVectorOps<V, float>
        {
            mean = O.FusedMultiplyAdd(O.Constant(beta1), mean, O.Multiply(O.Constant(1 - beta1), gradient));
            square = O.FusedMultiplyAdd(O.Constant(beta2), square,
                O.Multiply(O.Constant(1 - beta2), O.Multiply(gradient, gradient)));
            var size = O.FusedMultiplyAdd(O.Sqrt(square), O.Constant(_correction), O.Constant(epsilon));
            return O.FusedMultiplyAdd(O.Constant(-_rate), O.Divide(mean, size), theta);
        }
    }
}

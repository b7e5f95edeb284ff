using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>Steps divided by a running root mean square of the gradients.</summary>
public static class RmsProp
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<OptimizerOptions> Entry = Entry<OptimizerOptions>.Of<Options>(
        "rmsprop", "m = alpha m + (1 - alpha) g^2; theta -= rate * g / (sqrt(m) + epsilon).",
        "Tieleman and Hinton 2012, lecture 6.5; form and defaults of Torch optim.rmsprop");

    /// <summary>Options of <c>rmsprop</c>.</summary>
    public sealed record Options : OptimizerOptions
    {
        /// <summary>alpha, the decay of the mean of squares.</summary>
        [Bounds(0, 0.999999)]
        public double Decay { get; init; } = 0.99;

        /// <summary>Keeps the step finite.</summary>
        [Bounds(1e-12, 1)]
        public double Epsilon { get; init; } = 1e-8;

        /// <inheritdoc/>
        protected override IOptimizer Create(StepSizes sizes) =>
            new ElementwiseOptimizer<Rule>(new Rule(0, Decay, Epsilon), sizes);
    }

    readonly struct Rule(double rate, double decay, double epsilon) : IElementwiseRule<Rule>
    {
        public static int Slots => 1;

        public Rule At(long step, double rate) => new(rate, decay, epsilon);

        public V Update<V, O>(V theta, V gradient, ref V square, ref V second) where V : struct where O : IVectorOps<V, float>
        {
            square = O.FusedMultiplyAdd(O.Constant(decay), square,
                O.Multiply(O.Constant(1 - decay), O.Multiply(gradient, gradient)));
            var size = O.Add(O.Sqrt(square), O.Constant(epsilon));
            return O.FusedMultiplyAdd(O.Constant(-rate), O.Divide(gradient, size), theta);
        }
    }
}

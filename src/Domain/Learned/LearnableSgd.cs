using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// Gradient descent whose one meta-parameter is the logarithm of the step size: the smallest learned optimizer.
/// </summary>
public sealed class LearnableSgd(LearnableSgd.Options options) : ILearnedOptimizer
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "learnable-sgd", "g_t = -exp(phi) * grad_t: a learned step size.",
        "Bengio 2000, Neural Computation 12(8), gradient-based optimization of hyper-parameters");

    /// <summary>Where the step size starts.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Step size before meta-training.</summary>
        [Bounds(1e-9, 100)]
        public double InitialLearningRate { get; init; } = 0.01;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new LearnableSgd(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } = [new("logLearningRate", new Shape(1))];

    /// <inheritdoc/>
    public bool IsCoordinatewise => true;

    /// <inheritdoc/>
    public bool IsFused => true;

    /// <inheritdoc/>
    public IReadOnlyList<Shape> State(Layout layout) => [];

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi) => phi[0] = (float)Math.Log(options.InitialLearningRate);

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var rate = tape.Broadcast(tape.Reshape(tape.Exp(input.Phi[0]), new Shape(1, 1)), 1, input.Gradient.Shape.D1);
        return tape.Negate(tape.Multiply(rate, input.Gradient));
    }

    /// <inheritdoc/>
    public ILearnedState<T> Start<T>(IKernels<T> kernels, Layout layout) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Loops<T>();

    sealed unsafe class Loops<T> : ILearnedState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T _rate;

        Tensor<T> ILearnedState<T>.State { get; set; } = new(null, new Shape(0));

        public void SetParameters(ReadOnlySpan<T> phi) => _rate = T.Exp(phi[0]);

        public void Reset() { }

        public void Step(Tensor<T> theta, Tensor<T> gradient)
        {
            var g = gradient.Span;
            var x = theta.Span;
            for (var i = 0; i < x.Length; i++) x[i] -= _rate * g[i];
        }

        /// <summary>d/dphi = -rate * sum over t of grad_t . (sum over s >= t of w_s a_s).</summary>
        public void MetaGradient(in Unrolled<T> unrolled, Span<double> phiGradient)
        {
            var (steps, n) = (unrolled.Steps, unrolled.Coordinates);
            var total = 0.0;
            for (var i = 0; i < n; i++)
            {
                var adjoint = T.Zero;
                for (var step = steps - 1; step >= 0; step--)
                {
                    var own = unrolled.Weights.Data[step] * unrolled.Adjoints.Data[(long)step * n + i];
                    adjoint = unrolled.Forced ? own : adjoint + own;
                    total += double.CreateTruncating(adjoint * unrolled.Gradients.Data[(long)step * n + i]);
                }
            }
            phiGradient[0] = -double.CreateTruncating(_rate) * total;
        }

        public void Dispose() { }
    }
}

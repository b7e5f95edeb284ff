using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// Adam whose four hyper-parameters are learned: the logarithms of step size and epsilon, and the logits of both decays, so none
/// can leave its range. With phi at its start it is Adam. A gradient that was always zero gives an update of zero.
/// </summary>
public sealed class LearnableAdam(LearnableAdam.Options options) : ILearnedOptimizer
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "learnable-adam",
        "Adam with learned log step size, logits of beta1 and beta2, and log epsilon.",
        "Kingma and Ba 2015, arXiv:1412.6980; Metz et al. 2020, arXiv:2009.11243");

    /// <summary>Where the hyper-parameters start.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Step size before meta-training.</summary>
        [Bounds(1e-9, 100)]
        public double InitialLearningRate { get; init; } = 0.001;

        /// <summary>Decay of the mean of gradients before meta-training.</summary>
        [Bounds(0.001, 0.999999)]
        public double InitialBeta1 { get; init; } = 0.9;

        /// <summary>Decay of the mean of squared gradients before meta-training.</summary>
        [Bounds(0.001, 0.999999)]
        public double InitialBeta2 { get; init; } = 0.999;

        /// <summary>Added to the root of the mean square, before meta-training.</summary>
        [Bounds(1e-12, 1)]
        public double InitialEpsilon { get; init; } = 1e-8;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new LearnableAdam(this);
    }

    static readonly Shape s_one = new(1, 1);

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } =
        [new("logLearningRate", s_one), new("logitBeta1", s_one), new("logitBeta2", s_one), new("logEpsilon", s_one)];

    /// <inheritdoc/>
    public bool IsCoordinatewise => true;

    /// <summary>m, v, and the sums of their weights: 1 - beta^t while phi stays the same.</summary>
    public IReadOnlyList<Shape> State(Layout layout) => [new(1, layout.Count), new(1, layout.Count), s_one, s_one];

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi)
    {
        phi[0] = (float)Math.Log(options.InitialLearningRate);
        phi[1] = (float)Logit(options.InitialBeta1);
        phi[2] = (float)Logit(options.InitialBeta2);
        phi[3] = (float)Math.Log(options.InitialEpsilon);

        static double Logit(double p) => Math.Log(p / (1 - p));
    }

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        // 1 - sigmoid(x) = sigmoid(-x), without the digits that a beta next to 1 loses.
        var (keep1, keep2) = (tape.Sigmoid(input.Phi[1]), tape.Sigmoid(input.Phi[2]));
        var (take1, take2) = (tape.Sigmoid(tape.Negate(input.Phi[1])), tape.Sigmoid(tape.Negate(input.Phi[2])));
        state[0] = Average(state[0], input.Gradient, keep1, take1);
        state[1] = Average(state[1], tape.Square(input.Gradient), keep2, take2);
        state[2] = tape.Add(tape.Multiply(keep1, state[2]), take1);
        state[3] = tape.Add(tape.Multiply(keep2, state[3]), take2);
        var root = Layers.Root(tape, Layers.DivideRows(tape, state[1], state[3]));
        var divisor = tape.Add(root, tape.Broadcast(tape.Exp(input.Phi[3]), 1, root.Shape.D1));
        var rate = tape.Divide(tape.Exp(input.Phi[0]), state[2]);
        return tape.Negate(Layers.MultiplyRows(tape, tape.Divide(state[0], divisor), rate));

        Tensor<T> Average(Tensor<T> average, Tensor<T> x, Tensor<T> keep, Tensor<T> take) =>
            tape.Add(Layers.MultiplyRows(tape, average, keep), Layers.MultiplyRows(tape, x, take));
    }
}

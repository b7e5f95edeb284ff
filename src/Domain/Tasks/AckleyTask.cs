using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = 20 - 20 exp(-0.2 sqrt(mean z^2)) + e - exp(mean cos(2 pi z)) with z = theta - o: a funnel in a plain of ripples
/// (Ackley, 1987). Each instance has its offset o, where f = 0 is the minimum.
/// </summary>
public sealed class AckleyTask(AckleyTask.Options options) : ITask
{
    /// <summary>
    /// Below the root, so that its derivative at the minimum is 0 and not 0 / 0; far too small to change a value.
    /// </summary>
    const double Tiny = 1e-30;

    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "ackley",
        "f(theta) = 20 - 20 exp(-0.2 sqrt(mean z^2)) + e - exp(mean cos(2 pi z)), z = theta - random offset.",
        "Ackley, 1987, A connectionist machine for genetic hillclimbing");

    /// <summary>Options of <c>ackley</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>Coordinates of theta.</summary>
        [Bounds(1, 65_536)]
        public int Dimensions { get; init; } = 2;

        /// <summary>The elements of o are drawn from N(0, this squared); 0: Ackley's own function.</summary>
        [Bounds(0, 10)]
        public double OffsetDeviation { get; init; } = 1;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 1;

        /// <inheritdoc/>
        public override TaskCost PredictCost() => new(Dimensions, 100L * Dimensions, 60.0 * Dimensions);

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new AckleyTask(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("theta", new Shape(options.Dimensions))];

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new OffsetInstances<T>(kernels, count, options.Dimensions, options.OffsetDeviation, options.InitialDeviation, Loss);

    /// <summary>f of each row of z [B, d]: [B].</summary>
    static Tensor<T> Loss<T>(Tape<T> tape, Tensor<T> z) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var distance = tape.Sqrt(tape.AddScalar(Mean(tape, tape.Square(z)), T.CreateTruncating(Tiny)));
        var funnel = tape.Scale(tape.Exp(tape.Scale(distance, T.CreateTruncating(-0.2))), T.CreateTruncating(-20));
        var ripples = tape.Exp(Mean(tape, tape.CosPi(tape.Scale(z, T.CreateTruncating(2)))));
        return tape.AddScalar(tape.Subtract(funnel, ripples), T.CreateTruncating(20 + Math.E));
    }

    /// <summary>The mean of each row of x [B, d]: [B].</summary>
    static Tensor<T> Mean<T>(Tape<T> tape, Tensor<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Reshape(tape.Scale(tape.SumAxis(x, 1), T.One / T.CreateTruncating(x.Shape.D1)), new Shape(x.Shape.D0));
}

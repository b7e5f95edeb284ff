using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = sum over i of b (z_(i+1) - z_i^2)^2 + (1 - z_i)^2 with z = theta - o: a curved, narrow valley (Rosenbrock, 1960).
/// Each instance has its offset o, so that the minimum, f = 0 at o + 1, cannot be learned by heart.
/// </summary>
public sealed class RosenbrockTask(RosenbrockTask.Options options) : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "rosenbrock",
        "f(theta) = sum of b (z_(i+1) - z_i^2)^2 + (1 - z_i)^2, z = theta - random offset: a curved valley.",
        "Rosenbrock, 1960, doi:10.1093/comjnl/3.3.175");

    /// <summary>Options of <c>rosenbrock</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>Coordinates of theta.</summary>
        [Bounds(2, 65_536)]
        public int Dimensions { get; init; } = 2;

        /// <summary>b, how narrow the valley is.</summary>
        [Bounds(0, 1000)]
        public double Steepness { get; init; } = 100;

        /// <summary>The elements of o are drawn from N(0, this squared); 0: Rosenbrock's own function.</summary>
        [Bounds(0, 10)]
        public double OffsetDeviation { get; init; } = 1;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 1;

        /// <inheritdoc/>
        public override TaskCost PredictCost() => new(Dimensions, 100L * Dimensions, 30.0 * Dimensions);

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new RosenbrockTask(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("theta", new Shape(options.Dimensions))];

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new OffsetInstances<T>(kernels, count, options.Dimensions, options.OffsetDeviation, options.InitialDeviation, Loss);

    /// <summary>f of each row of z [B, d]: [B].</summary>
    Tensor<T> Loss<T>(Tape<T> tape, Tensor<T> z) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (here, next) = (tape.Slice(z, 1, 0, z.Shape.D1 - 1), tape.Slice(z, 1, 1, z.Shape.D1 - 1));
        var valley = tape.Scale(tape.Square(tape.Subtract(next, tape.Square(here))), T.CreateTruncating(options.Steepness));
        var slope = tape.Square(tape.AddScalar(here, -T.One));
        return tape.Reshape(tape.SumAxis(tape.Add(valley, slope), 1), new Shape(z.Shape.D0));
    }
}

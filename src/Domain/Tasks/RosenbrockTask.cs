using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = sum over i of b (z_(i+1) - z_i^2)^2 + (1 - z_i)^2 with z = theta - o: a curved, narrow valley (Rosenbrock, 1960). Each
/// instance has its offset o, so that the minimum, f = 0 at o + 1, cannot be learned by heart.
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
        new Instances<T>(options, kernels, count);

    sealed class Instances<T> : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly Options _options;
        readonly Arena<T> _arena;
        readonly Tensor<T> _offset; // [B, d]
        InstanceAddress _address;

        public Instances(Options options, IKernels<T> kernels, int count)
        {
            _options = options;
            Count = count;
            _arena = kernels.NewArena();
            _offset = _arena.Zeros(new Shape(count, options.Dimensions));
        }

        public int Count { get; }

        public void Draw(ulong seed, Split split, int first)
        {
            _address = new(seed, split, first);
            _address.FillNormal(Purpose.Instance, _offset, _options.OffsetDeviation);
        }

        public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, _options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var z = tape.Subtract(theta, _offset);
            var here = tape.Slice(z, 1, 0, _options.Dimensions - 1);
            var next = tape.Slice(z, 1, 1, _options.Dimensions - 1);
            var valley = tape.Scale(tape.Square(tape.Subtract(next, tape.Square(here))), T.CreateTruncating(_options.Steepness));
            var slope = tape.Square(tape.AddScalar(here, -T.One));
            return tape.Reshape(tape.SumAxis(tape.Add(valley, slope), 1), new Shape(Count));
        }

        public void Dispose() => _arena.Dispose();
    }
}

using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = 1/2 |A theta - b|^2 - alpha c'cos(2 pi theta) + alpha d: a family of Rastrigin functions, whose A, b and c are
/// drawn from N(0, 1) for each instance (Cao et al., 2019). With A = I, b = 0 and c = 1 it is Rastrigin's function with half
/// the square. A negative c_i turns its wells into hills, and c_i above 1 lets f fall below 0.
/// </summary>
public sealed class RastriginTask(RastriginTask.Options options) : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "rastrigin",
        "f(theta) = 1/2 |A theta - b|^2 - alpha c'cos(2 pi theta) + alpha d with random A, b and c: many local minima.",
        "Cao et al., 2019, arXiv:1911.03787; Chen et al., 2022, arXiv:2103.12828 (Open-L2O)");

    /// <summary>Options of <c>rastrigin</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>d, the coordinates of theta.</summary>
        [Bounds(1, 4096)]
        public int Dimensions { get; init; } = 10;

        /// <summary>alpha, the height of the waves.</summary>
        [Bounds(0, 1000)]
        public double Alpha { get; init; } = 10;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 1;

        /// <inheritdoc/>
        public override TaskCost PredictCost() =>
            new(Dimensions, 4L * Dimensions * (Dimensions + 24), 4.0 * Dimensions * Dimensions + 60.0 * Dimensions);

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new RastriginTask(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("theta", new Shape(options.Dimensions))];

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(options, kernels, count);

    sealed class Instances<T>(Options options, IKernels<T> kernels, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly LinearSystems<T> _systems = new(kernels, count, options.Dimensions, options.Dimensions); // A and b
        readonly Arena<T> _arena = kernels.NewArena();
        Tensor<T> _c; // [B, d]
        InstanceAddress _address;

        public int Count => count;

        public void Draw(ulong seed, Split split, int first)
        {
            _address = new(seed, split, first);
            _systems.Draw(_address, QuadraticDistribution.Gaussian);
            _arena.Reset();
            _c = _arena.Take(new Shape(count, options.Dimensions));
            _address.FillNormal(Purpose.Instance, _c, 1, step: 2);
        }

        public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var alpha = T.CreateTruncating(options.Alpha);
            var bowl = tape.Scale(_systems.SquaredResidual(tape, theta), T.CreateTruncating(0.5));
            var waves = tape.Multiply(_c, tape.CosPi(tape.Scale(theta, T.CreateTruncating(2))));
            var height = tape.Reshape(tape.Scale(tape.SumAxis(waves, 1), -alpha), new Shape(count));
            return tape.AddScalar(tape.Add(bowl, height), alpha * T.CreateTruncating(options.Dimensions));
        }

        public void Dispose()
        {
            _systems.Dispose();
            _arena.Dispose();
        }
    }
}

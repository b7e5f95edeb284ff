using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = 1/2 |W theta - y|^2 + penalty |theta|_1 with random W [rows, dimensions] and y [rows] (Tibshirani, 1996). The
/// defaults are those of Open-L2O's <c>lasso</c> (Chen et al., 2022): 10 by 10, elements from U(0, 1), penalty 0.005, theta_0
/// from N(0, 0.01^2). Where a coordinate is 0 the subgradient of its |theta_i| is taken as 0.
/// </summary>
public sealed class LassoTask(LassoTask.Options options) : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "lasso",
        "f(theta) = 1/2 |W theta - y|^2 + penalty |theta|_1 with random W and y.",
        "Tibshirani, 1996; defaults of Chen et al., 2022, arXiv:2103.12828 (Open-L2O)");

    /// <summary>Options of <c>lasso</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>Coordinates of theta: columns of W.</summary>
        [Bounds(1, 4096)]
        public int Dimensions { get; init; } = 10;

        /// <summary>Equations: rows of W. Fewer than dimensions: only the penalty makes the minimum unique.</summary>
        [Bounds(1, 4096)]
        public int Rows { get; init; } = 10;

        /// <summary>Weight of the sum of absolute values.</summary>
        [Bounds(0, 1000)]
        public double Penalty { get; init; } = 0.005;

        /// <summary>The distribution of the elements of W and y.</summary>
        public QuadraticDistribution Distribution { get; init; } = QuadraticDistribution.Uniform;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <inheritdoc/>
        public override TaskCost PredictCost() =>
            new(Dimensions, 4L * (Rows * (Dimensions + 8L) + 8L * Dimensions), 4.0 * Rows * Dimensions);

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new LassoTask(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("theta", new Shape(options.Dimensions))];

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(options, kernels, count);

    sealed class Instances<T>(Options options, IKernels<T> kernels, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly LinearSystems<T> _systems = new(kernels, count, options.Rows, options.Dimensions);
        InstanceAddress _address;

        public int Count => count;

        public void Draw(ulong seed, Split split, int first)
        {
            _address = new(seed, split, first);
            _systems.Draw(_address, options.Distribution);
        }

        public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var squares = _systems.SquaredResidual(tape, theta);
            var sizes = tape.Reshape(tape.SumAxis(tape.Abs(theta), 1), new Shape(count));
            return tape.Add(tape.Scale(squares, T.CreateTruncating(0.5)), tape.Scale(sizes, T.CreateTruncating(options.Penalty)));
        }

        public void Dispose() => _systems.Dispose();
    }
}

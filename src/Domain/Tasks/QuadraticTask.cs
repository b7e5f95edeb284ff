using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = scale |W theta - y|^2, summed over the dimensions: random convex quadratics (Andrychowicz et al., 2016, section
/// 3.1). The paper plots f / dimensions; its published code averages 128 functions, which scales each gradient by 1/128. Here
/// each function is an instance and sees its own gradient.
/// </summary>
public sealed class QuadraticTask(QuadraticTask.Options options) : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "quadratic",
        "f(theta) = scale |W theta - y|^2 with random W and y, one function per instance.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 3.1");

    /// <summary>Options of <c>quadratic</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>Coordinates of theta; W is square.</summary>
        [Bounds(1, 4096)]
        public int Dimensions { get; init; } = 10;

        /// <summary>The distribution of the elements of W and y.</summary>
        public QuadraticDistribution Distribution { get; init; } = QuadraticDistribution.Gaussian;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <summary>Factor on f. 1/128 gives optimizers the gradients that they see in the published code.</summary>
        [Bounds(1e-6, 1e6)]
        public double Scale { get; init; } = 1;

        /// <inheritdoc/>
        public override TaskCost PredictCost() =>
            new(Dimensions, 4L * Dimensions * (Dimensions + 10), 4.0 * Dimensions * Dimensions);

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new QuadraticTask(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("theta", new Shape(options.Dimensions))];

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(options, kernels, count);

    sealed class Instances<T>(Options options, IKernels<T> kernels, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly LinearSystems<T> _systems = new(kernels, count, options.Dimensions, options.Dimensions);
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
            var loss = _systems.SquaredResidual(tape, theta);
            return options.Scale == 1 ? loss : tape.Scale(loss, T.CreateChecked(options.Scale));
        }

        public void Dispose() => _systems.Dispose();
    }
}

/// <summary>Distributions of the elements of a quadratic's W and y.</summary>
public enum QuadraticDistribution
{
    /// <summary>N(0, 1): the paper.</summary>
    Gaussian,
    /// <summary>U(0, 1): the paper's published code.</summary>
    Uniform,
}

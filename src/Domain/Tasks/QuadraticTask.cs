using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = scale |W theta - y|^2, summed over the dimensions: random convex quadratics (Andrychowicz et al., 2016, section 3.1).
/// The paper plots f / dimensions; its published code averages 128 functions, which scales each gradient by 1/128. Here each
/// function is an instance and sees its own gradient.
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

        /// <summary>What the elements of W and y are drawn from.</summary>
        public QuadraticDistribution Distribution { get; init; } = QuadraticDistribution.Gaussian;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <summary>Factor on f. 1/128 gives optimizers the gradients that they see in the published code.</summary>
        [Bounds(1e-6, 1e6)]
        public double Scale { get; init; } = 1;

        /// <inheritdoc/>
        public override TaskCost PredictCost() => new(Dimensions, 4L * Dimensions * (Dimensions + 10), 4.0 * Dimensions * Dimensions);

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new QuadraticTask(this);
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
        readonly Tensor<T> _w; // [B, d, d]
        readonly Tensor<T> _y; // [B, d, 1]
        InstanceAddress _address;

        public Instances(Options options, IKernels<T> kernels, int count)
        {
            _options = options;
            Count = count;
            _arena = kernels.NewArena();
            _w = _arena.Zeros(new Shape(count, options.Dimensions, options.Dimensions));
            _y = _arena.Zeros(new Shape(count, options.Dimensions, 1));
        }

        public int Count { get; }

        public void Draw(ulong seed, Split split, int first)
        {
            _address = new(seed, split, first);
            using var w = _w.Write();
            using var y = _y.Write();
            for (var b = 0; b < Count; b++)
            {
                Fill(_address.Stream(Purpose.Instance, b), w.Row(b));
                Fill(_address.Stream(Purpose.Instance, b, 1), y.Row(b));
            }
        }

        public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, _options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var residual = tape.Subtract(tape.MatMul(_w, tape.Reshape(theta, _y.Shape)), _y);
            var loss = tape.Reshape(tape.SumAxis(tape.Square(residual), 1), new Shape(Count));
            return _options.Scale == 1 ? loss : tape.Scale(loss, T.CreateChecked(_options.Scale));
        }

        public void Dispose() => _arena.Dispose();

        void Fill(RandomStream stream, Span<T> values)
        {
            if (_options.Distribution == QuadraticDistribution.Gaussian) stream.FillNormal(values, 1);
            else stream.FillUniform(values, 0, 1);
        }
    }
}

/// <summary>What the elements of a quadratic's W and y are drawn from.</summary>
public enum QuadraticDistribution
{
    /// <summary>N(0, 1): the paper.</summary>
    Gaussian,
    /// <summary>U(0, 1): the paper's published code.</summary>
    Uniform,
}

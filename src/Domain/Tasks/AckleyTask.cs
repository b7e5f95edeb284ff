using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = 20 - 20 exp(-0.2 sqrt(mean z^2)) + e - exp(mean cos(2 pi z)) with z = theta - o: a funnel in a plain of ripples
/// (Ackley, 1987). Each instance has its offset o, where f = 0 is the minimum.
/// </summary>
public sealed class AckleyTask(AckleyTask.Options options) : ITask
{
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
        new Instances<T>(options, kernels, count);

    sealed class Instances<T> : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        /// <summary>Below the root, so that its derivative at the minimum is 0 and not 0 / 0; far too small to change a value.</summary>
        const double Tiny = 1e-30;

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
            var distance = tape.Sqrt(tape.AddScalar(Mean(tape, tape.Square(z)), T.CreateTruncating(Tiny)));
            var funnel = tape.Scale(tape.Exp(tape.Scale(distance, T.CreateTruncating(-0.2))), T.CreateTruncating(-20));
            var ripples = tape.Exp(Mean(tape, tape.CosPi(tape.Scale(z, T.CreateTruncating(2)))));
            return tape.AddScalar(tape.Subtract(funnel, ripples), T.CreateTruncating(20 + Math.E));
        }

        public void Dispose() => _arena.Dispose();

        /// <summary>The mean of each row of x [B, d]: [B].</summary>
        Tensor<T> Mean(Tape<T> tape, Tensor<T> x) =>
            tape.Reshape(tape.Scale(tape.SumAxis(x, 1), T.One / T.CreateTruncating(_options.Dimensions)), new Shape(Count));
    }
}

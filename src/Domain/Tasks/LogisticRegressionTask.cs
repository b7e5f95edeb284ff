using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(w, c) = mean over the examples of ln(1 + e^(-s (w'x + c))) + penalty/2 |w|^2: logistic regression between two clouds of
/// points, s = -1 and s = +1, half the examples each. A cloud is a Gaussian with a random mean, from N(0, 1), and a random
/// covariance A A', A's elements from N(0, 1 / dimensions), of the instance's own. After Li and Malik, 2017, where the means and
/// covariances are "random" and the penalty is 0.0005.
/// </summary>
public sealed class LogisticRegressionTask(LogisticRegressionTask.Options options) : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "logistic-regression",
        "f(w, c) = mean ln(1 + e^(-s (w'x + c))) + penalty/2 |w|^2 on points of two random Gaussians.",
        "after Li and Malik, 2017, arXiv:1606.01885");

    /// <summary>Options of <c>logistic-regression</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>Elements of x and of w; theta also has the constant c.</summary>
        [Bounds(1, 256)]
        public int Dimensions { get; init; } = 3;

        /// <summary>Points; all of them are in every evaluation.</summary>
        [Bounds(2, 10_000)]
        public int Examples { get; init; } = 100;

        /// <summary>Weight of |w|^2 / 2; the constant is free.</summary>
        [Bounds(0, 1000)]
        public double Penalty { get; init; } = 0.0005;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 1;

        /// <inheritdoc/>
        public override TaskCost PredictCost() =>
            new(Dimensions + 1, 4L * (Examples * (Dimensions + 12L) + 2L * Dimensions * (Dimensions + 8)),
                Examples * (4.0 * Dimensions + 40));

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new LogisticRegressionTask(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("weights", new Shape(options.Dimensions)),
        new("constant", new Shape(1))];

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(options, kernels, count);

    sealed class Instances<T> : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly Options _options;
        readonly Arena<T> _arena;
        readonly Tensor<T> _points; // [B, N, d + 1]: s (x, 1), so that a row by theta is the margin
        readonly Tensor<T> _first; // [B N] zeros: the label of the margin's side
        readonly T[] _mean, _shape, _normal; // one instance's cloud [d], [d, d] and a point's normal numbers [N, d]
        InstanceAddress _address;

        public Instances(Options options, IKernels<T> kernels, int count)
        {
            _options = options;
            Count = count;
            _arena = kernels.NewArena();
            _points = _arena.Zeros(new Shape(count, options.Examples, options.Dimensions + 1));
            _first = _arena.Zeros(new Shape(count * options.Examples));
            _mean = new T[options.Dimensions];
            _shape = new T[options.Dimensions * options.Dimensions];
            _normal = new T[options.Examples * options.Dimensions];
        }

        public int Count { get; }

        public void Draw(ulong seed, Split split, int first)
        {
            _address = new(seed, split, first);
            using var points = _points.Write();
            for (var b = 0; b < Count; b++)
            {
                var half = _options.Examples / 2;
                _address.Stream(Purpose.Instance, b).FillNormal(_normal, 1);
                DrawCloud(points.Row(b), b, 0, -T.One, 0, half);
                DrawCloud(points.Row(b), b, 1, T.One, half, _options.Examples);
            }
        }

        public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, _options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var rows = Count * _options.Examples;
            var margins = tape.Reshape(tape.MatMul(_points, tape.Reshape(theta, new Shape(Count, _options.Dimensions + 1, 1))),
                new Shape(rows, 1));
            // ln(1 + e^-m) is the cross-entropy of the logits (m, 0) at the first: stable for every m.
            var errors = tape.Reshape(tape.SoftmaxCrossEntropy(tape.Pad(margins, 1, 0, 2), _first),
                new Shape(Count, _options.Examples));
            var mean = tape.Scale(tape.SumAxis(errors, 1), T.One / T.CreateTruncating(_options.Examples));
            var size = tape.SumAxis(tape.Square(tape.Slice(theta, 1, 0, _options.Dimensions)), 1);
            return tape.Reshape(tape.Add(mean, tape.Scale(size, T.CreateTruncating(_options.Penalty / 2))), new Shape(Count));
        }

        public void Dispose() => _arena.Dispose();

        /// <summary>Points from .. to - 1 of instance <paramref name="b"/> are mean + A n; cloud 0 or 1.</summary>
        void DrawCloud(Span<T> points, int b, int cloud, T sign, int from, int to)
        {
            var d = _options.Dimensions;
            _address.Stream(Purpose.Instance, b, 1 + 2 * cloud).FillNormal(_mean, 1);
            _address.Stream(Purpose.Instance, b, 2 + 2 * cloud).FillNormal(_shape, 1 / Math.Sqrt(d));
            for (var n = from; n < to; n++)
            {
                for (var i = 0; i < d; i++)
                {
                    var x = _mean[i];
                    for (var j = 0; j < d; j++) x += _shape[i * d + j] * _normal[n * d + j];
                    points[n * (d + 1) + i] = sign * x;
                }
                points[n * (d + 1) + d] = sign;
            }
        }
    }
}

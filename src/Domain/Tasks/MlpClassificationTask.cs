using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = mean cross-entropy of a small fully connected network on a random mini-batch (Andrychowicz et al., 2016,
/// section 3.2: 784-20-10, sigmoid, batches of 128). Only theta_0 and the mini-batches differ between instances.
/// </summary>
public sealed class MlpClassificationTask : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "mlp-classification",
        "f(theta) = mean softmax cross-entropy of a fully connected network on a random mini-batch of images.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 3.2");

    /// <summary>Options of <c>mlp-classification</c>.</summary>
    public sealed record Options : ImageTaskOptions
    {
        /// <summary>Units of each hidden layer, from the input on; empty: a linear classifier.</summary>
        [Bounds(1, 4096), Length(0, 8)]
        public IReadOnlyList<int> Hidden { get; init; } = [20];

        /// <summary>The activation behind each hidden layer.</summary>
        public Activation Activation { get; init; } = Activation.Sigmoid;

        /// <summary>theta_0, weights and biases, is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <inheritdoc/>
        public override TaskCost PredictCost()
        {
            var data = Known;
            int[] widths = [data.Rows * data.Columns * data.Channels, .. Hidden, data.Classes];
            long parameters = 0, activations = widths[0];
            for (var layer = 1; layer < widths.Length; layer++)
            {
                parameters += (widths[layer - 1] + 1L) * widths[layer];
                activations += 8L * widths[layer];
            }
            return new(checked((int)parameters), 4 * (4 * parameters + Batch * activations), 6.0 * Batch * parameters);
        }

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new MlpClassificationTask(this, Read(datasets));
    }

    readonly Options _options;
    readonly Dataset _dataset;
    readonly int[] _widths; // pixels, hidden.., classes

    /// <summary>The task on <paramref name="dataset"/>; theta is weights [inputs, outputs] then biases, layer by layer.</summary>
    public MlpClassificationTask(Options options, Dataset dataset)
    {
        (_options, _dataset) = (options, dataset);
        _widths = [dataset.ImageElements, .. options.Hidden, dataset.Classes];
        var parameters = new List<ParameterTensor>();
        for (var layer = 0; layer + 1 < _widths.Length; layer++)
        {
            parameters.Add(new($"layer{layer}/weights", new Shape(_widths[layer], _widths[layer + 1])));
            parameters.Add(new($"layer{layer}/biases", new Shape(_widths[layer + 1])));
        }
        Parameters = parameters;
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; }

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(this, kernels, count);

    sealed class Instances<T>(MlpClassificationTask task, IKernels<T> kernels, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly ImageBatches<T> _batches = new(task._dataset, kernels, count, task._options.Batch);
        InstanceAddress _address;

        public int Count => count;

        public void Draw(ulong seed, Split split, int first) => _address = new(seed, split, first);

        public void InitialTheta(Tensor<T> theta) =>
            _address.FillNormal(Purpose.InitialTheta, theta, task._options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var parameters = new ThetaReader<T>(tape, theta);
            var (hidden, labels) = _batches.Draw(tape, _address, step);
            for (var layer = 0; layer + 1 < task._widths.Length; layer++)
            {
                var (inputs, outputs) = (task._widths[layer], task._widths[layer + 1]);
                hidden = tape.AddRow(tape.MatMul(hidden, parameters.Next(inputs, outputs)), parameters.Next(1, outputs));
                if (layer + 2 < task._widths.Length) hidden = Activate(tape, hidden);
            }
            return _batches.MeanCrossEntropy(tape, hidden, labels);
        }

        public void Dispose() { }

        Tensor<T> Activate(Tape<T> tape, Tensor<T> x) => task._options.Activation switch
        {
            Activation.Relu => tape.Relu(x),
            Activation.Tanh => tape.Tanh(x),
            Activation.Elu => tape.Elu(x),
            _ => tape.Sigmoid(x),
        };
    }
}

/// <summary>The nonlinearity of a network's hidden layers.</summary>
public enum Activation
{
    /// <summary>1 / (1 + e^-x)</summary>
    Sigmoid,
    /// <summary>max(x, 0)</summary>
    Relu,
    /// <summary>Hyperbolic tangent.</summary>
    Tanh,
    /// <summary>x > 0 ? x : e^x - 1</summary>
    Elu,
}

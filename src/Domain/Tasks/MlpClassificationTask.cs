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
    public sealed record Options : TaskOptions, IChecked
    {
        /// <summary>Labelled images that a worker has registered under this name; pixels are scaled to 0..1.</summary>
        [Length(1, 60)]
        public string Dataset { get; init; } = "mnist";

        /// <summary>Units of each hidden layer, from the input on; empty: a linear classifier.</summary>
        [Bounds(1, 4096), Length(0, 8)]
        public IReadOnlyList<int> Hidden { get; init; } = [20];

        /// <summary>What follows each hidden layer.</summary>
        public Activation Activation { get; init; } = Activation.Sigmoid;

        /// <summary>Images in a mini-batch, drawn with replacement.</summary>
        [Bounds(1, 4096)]
        public int Batch { get; init; } = 128;

        /// <summary>theta_0, weights and biases, is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <inheritdoc/>
        public override string RequiredDataset => Dataset;

        /// <inheritdoc/>
        public IEnumerable<SpecError> Check()
        {
            if (KnownDatasets.Find(Dataset) is null)
                yield return new("/dataset", $"\"{Dataset}\" is not a dataset; known: {string.Join(", ", KnownDatasets.All.Select(d => d.Name))}.");
        }

        /// <inheritdoc/>
        public override TaskCost PredictCost()
        {
            var data = KnownDatasets.Find(Dataset)!;
            int[] widths = [data.Rows * data.Columns, .. Hidden, data.Classes];
            long parameters = 0, activations = widths[0];
            for (var layer = 1; layer < widths.Length; layer++)
            {
                parameters += (widths[layer - 1] + 1L) * widths[layer];
                activations += 8L * widths[layer];
            }
            return new(checked((int)parameters), 4 * (4 * parameters + Batch * activations), 6.0 * Batch * parameters);
        }

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new MlpClassificationTask(this, datasets(Dataset));
    }

    readonly Options _options;
    readonly Dataset _dataset;
    readonly int[] _widths; // pixels, hidden.., classes

    /// <summary>The task on <paramref name="dataset"/>; theta is weights [inputs, outputs] then biases, layer by layer.</summary>
    public MlpClassificationTask(Options options, Dataset dataset)
    {
        (_options, _dataset) = (options, dataset);
        _widths = [dataset.Pixels, .. options.Hidden, dataset.Classes];
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
        readonly int[] _rows = new int[count * task._options.Batch];
        readonly int[] _offsets = [.. Offsets(task.Parameters)];
        InstanceAddress _address;

        public int Count => count;

        LabelledImages Images => _address.Split == Split.Test ? task._dataset.Test : task._dataset.Train;

        public void Draw(ulong seed, Split split, int first) => _address = new(seed, split, first);

        public void InitialTheta(Tensor<T> theta)
        {
            for (var b = 0; b < count; b++)
                _address.Stream(Purpose.InitialTheta, b).FillNormal(InstanceAddress.Row(theta, b), task._options.InitialDeviation);
        }

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var batch = task._options.Batch;
            var (hidden, labels) = MiniBatch(tape, step);
            for (var layer = 0; layer + 1 < task._widths.Length; layer++)
            {
                var (inputs, outputs) = (task._widths[layer], task._widths[layer + 1]);
                var weights = tape.Slice(theta, 1, _offsets[2 * layer], inputs * outputs);
                var biases = tape.Slice(theta, 1, _offsets[2 * layer + 1], outputs);
                var sum = tape.MatMul(hidden, tape.Reshape(weights, new Shape(count, inputs, outputs)));
                hidden = tape.Add(sum, tape.Expand(tape.Reshape(biases, new Shape(count, 1, outputs)), 1, batch));
                if (layer + 2 < task._widths.Length) hidden = Activate(tape, hidden);
            }
            var logits = tape.Reshape(hidden, new Shape(count * batch, task._dataset.Classes));
            var losses = tape.Reshape(tape.SoftmaxCrossEntropy(logits, labels), new Shape(count, batch));
            return tape.Scale(tape.Reshape(tape.SumAxis(losses, 1), new Shape(count)), T.One / T.CreateTruncating(batch));
        }

        public void Dispose() { }

        /// <summary>Images [B, batch, pixels] and labels [B batch] of inner step <paramref name="step"/>, on the tape's memory.</summary>
        (Tensor<T> Images, Tensor<T> Labels) MiniBatch(Tape<T> tape, int step)
        {
            var (images, batch) = (Images, task._options.Batch);
            var labels = tape.Scratch(new Shape(_rows.Length));
            for (var b = 0; b < count; b++)
            {
                var stream = _address.Stream(Purpose.MiniBatch, b, step);
                for (var i = 0; i < batch; i++)
                {
                    var row = stream.Index((uint)i, images.Count);
                    _rows[b * batch + i] = row;
                    labels.Span[b * batch + i] = T.CreateTruncating(images.Labels[row]);
                }
            }
            var pixels = tape.Scratch(new Shape(_rows.Length, task._dataset.Pixels));
            kernels.GatherRows(images.Pixels, task._dataset.Pixels, _rows, T.One / T.CreateTruncating(255), pixels);
            return (pixels.As(new Shape(count, batch, task._dataset.Pixels)), labels);
        }

        Tensor<T> Activate(Tape<T> tape, Tensor<T> x) => task._options.Activation switch
        {
            Activation.Relu => tape.Relu(x),
            Activation.Tanh => tape.Tanh(x),
            Activation.Elu => tape.Elu(x),
            _ => tape.Sigmoid(x),
        };

        static IEnumerable<int> Offsets(IReadOnlyList<ParameterTensor> parameters)
        {
            var offset = 0;
            foreach (var parameter in parameters)
            {
                yield return offset;
                offset += parameter.Shape.Count;
            }
        }
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

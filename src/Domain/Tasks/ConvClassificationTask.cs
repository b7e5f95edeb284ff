using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = mean cross-entropy of a convolutional network on a random mini-batch. The defaults are the network that
/// Andrychowicz et al. (2016, section 3.3) train on CIFAR-10, with the sizes of their published code: three layers of 16
/// filters of 5 x 5, each with batch normalisation, max-pooling and ReLU; 32 fully connected units; a linear layer.
/// </summary>
public sealed class ConvClassificationTask : ITask
{
    const double Epsilon = 1e-3; // of the normalisation, as in the published code

    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "conv-classification",
        "f(theta) = mean softmax cross-entropy of a convolutional network on a random mini-batch of images.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 3.3");

    /// <summary>Options of <c>conv-classification</c>.</summary>
    public sealed record Options : ImageTaskOptions
    {
        /// <summary>Convolutional layers, from the image on.</summary>
        [Length(1, 6)]
        public IReadOnlyList<Layer> Layers { get; init; } = [new(), new(), new()];

        /// <summary>Units of each fully connected layer between the convolutions and the classes.</summary>
        [Bounds(1, 1024), Length(0, 4)]
        public IReadOnlyList<int> Hidden { get; init; } = [32];

        /// <summary>
        /// Normalise each channel and hidden unit over the mini-batch, with a learned scale and shift (Ioffe and Szegedy,
        /// 2015). Without it layers have biases.
        /// </summary>
        public bool BatchNormalisation { get; init; } = true;

        /// <summary>theta_0 is drawn from N(0, this squared), but the normalisation's scales from N(1, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <inheritdoc/>
        public override IReadOnlyList<ParameterGroup> Groups => [ParameterGroup.Convolution, ParameterGroup.Other];

        /// <inheritdoc/>
        /// <remarks>A layer's elements are stored about twelve times over: its stages, their gradients, positions.</remarks>
        public override TaskCost PredictCost()
        {
            var data = Known;
            var layers = Plan(this, new Shape(1, data.Rows, data.Columns, data.Channels), data.Classes);
            long parameters = 0, elements = data.Rows * data.Columns * data.Channels, products = 0;
            foreach (var layer in layers)
            {
                var places = layer.Convolution is { } window ? window.Places : 1;
                parameters += layer.Parameters.Sum(p => (long)p.Shape.Count);
                elements += 12L * places * layer.Outputs;
                products += (long)places * layer.Inputs * layer.Outputs;
            }
            return new(checked((int)parameters), 4 * (4 * parameters + Batch * elements), 6.0 * Batch * products);
        }

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new ConvClassificationTask(this, Read(datasets));
    }

    /// <summary>One convolutional layer, of stride 1, which keeps the image's size, and its pooling.</summary>
    public sealed record Layer
    {
        /// <summary>Channels that come out.</summary>
        [Bounds(1, 256)]
        public int Filters { get; init; } = 16;

        /// <summary>Rows and columns of a filter.</summary>
        [Bounds(1, 11)]
        public int Kernel { get; init; } = 5;

        /// <summary>
        /// The maximum is taken over squares of so many rows and columns; those at the end may be smaller. 1: no pooling.
        /// </summary>
        [Bounds(1, 8)]
        public int Pooling { get; init; } = 2;
    }

    /// <summary>A layer with all its sizes.</summary>
    /// <param name="Name">Of its tensors.</param>
    /// <param name="Inputs">Numbers that one output is a weighted sum of.</param>
    /// <param name="Outputs">Channels or units.</param>
    /// <param name="Normalised">Batch normalisation, else biases.</param>
    /// <param name="Last">Its outputs are the logits.</param>
    /// <param name="Convolution">Null: fully connected.</param>
    /// <param name="Pooling">Null: none.</param>
    sealed record Sizes(
        string Name, int Inputs, int Outputs, bool Normalised, bool Last, Window? Convolution = null, Window? Pooling = null)
    {
        public IReadOnlyList<ParameterTensor> Parameters =>
        [
            new($"{Name}/weights",
                new Shape(Inputs, Outputs)) { Group = Convolution is null ? ParameterGroup.Other : ParameterGroup.Convolution },
            .. Normalised ? new[] { new ParameterTensor(Name + GammaSuffix, new Shape(Outputs)) } : [],
            new(Normalised ? $"{Name}/beta" : $"{Name}/biases", new Shape(Outputs)),
        ];
    }

    const string GammaSuffix = "/gamma";
    readonly Options _options;
    readonly Dataset _dataset;
    readonly Sizes[] _layers;

    /// <summary>
    /// The task on <paramref name="dataset"/>; theta is, layer by layer, weights [rows x columns x channels, filters] or [inputs,
    /// units], then gamma and beta of the normalisation, or biases.
    /// </summary>
    public ConvClassificationTask(Options options, Dataset dataset)
    {
        (_options, _dataset) = (options, dataset);
        _layers = [.. Plan(options, new Shape(1, dataset.Rows, dataset.Columns, dataset.Channels), dataset.Classes)];
        Parameters = [.. _layers.SelectMany(l => l.Parameters)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; }

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(this, kernels, count);

    static IEnumerable<Sizes> Plan(Options options, Shape image, int classes)
    {
        for (var i = 0; i < options.Layers.Count; i++)
        {
            var layer = options.Layers[i];
            var convolution = Window.Same(image, layer.Kernel, layer.Kernel);
            var pooling = layer.Pooling > 1 ? Window.Same(image, layer.Pooling, layer.Pooling, layer.Pooling) : (Window?)null;
            var inputs = layer.Kernel * layer.Kernel * image.D3;
            yield return new($"conv{i}", inputs, layer.Filters, options.BatchNormalisation, false, convolution, pooling);
            image = new Shape(1, pooling?.Down ?? image.D1, pooling?.Across ?? image.D2, layer.Filters);
        }
        var width = image.Count;
        for (var i = 0; i < options.Hidden.Count; width = options.Hidden[i++])
            yield return new($"full{i}", width, options.Hidden[i], options.BatchNormalisation, false);
        yield return new("output", width, classes, false, true);
    }

    sealed class Instances<T>(ConvClassificationTask task, IKernels<T> kernels, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly ImageBatches<T> _batches = new(task._dataset, kernels, count, task._options.Batch);
        InstanceAddress _address;

        public int Count => count;

        public void Draw(ulong seed, Split split, int first) => _address = new(seed, split, first);

        public void InitialTheta(Tensor<T> theta)
        {
            using var thetas = theta.Write();
            for (var b = 0; b < count; b++)
            {
                var row = thetas.Row(b);
                _address.Stream(Purpose.InitialTheta, b).FillNormal(row, task._options.InitialDeviation);
                foreach (var parameter in task.Parameters)
                {
                    if (parameter.Name.EndsWith(GammaSuffix, StringComparison.Ordinal))
                        foreach (ref var scale in row[..parameter.Shape.Count]) scale += T.One;
                    row = row[parameter.Shape.Count..];
                }
            }
        }

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var (data, batch) = (task._dataset, task._options.Batch);
            var parameters = new ThetaReader<T>(tape, theta);
            var (images, labels) = _batches.Draw(tape, _address, step);
            var x = images.As(new Shape(count * batch, data.Rows, data.Columns, data.Channels));
            foreach (var layer in task._layers)
            {
                var weights = parameters.Next(layer.Inputs, layer.Outputs);
                if (layer.Convolution is { } window)
                {
                    x = Normalise(tape, tape.Convolve(x, weights, window), layer, ref parameters);
                    // Before the ReLU: the same values, fewer of them.
                    if (layer.Pooling is { } pooling) x = tape.MaxPool(x, pooling);
                }
                else
                {
                    var rows = tape.Reshape(x, new Shape(count, batch, layer.Inputs));
                    x = Normalise(tape, tape.MatMul(rows, weights), layer, ref parameters);
                }
                if (!layer.Last) x = tape.Relu(x);
            }
            return _batches.MeanCrossEntropy(tape, x, labels);
        }

        public void Dispose() { }

        /// <summary>
        /// Over all that an instance's mini-batch has of a channel or unit, the last axis of x; or only the biases added.
        /// </summary>
        Tensor<T> Normalise(Tape<T> tape, Tensor<T> x, Sizes layer, ref ThetaReader<T> parameters)
        {
            var rows = tape.Reshape(x, new Shape(count, x.Count / (count * layer.Outputs), layer.Outputs));
            if (!layer.Normalised) return tape.Reshape(tape.AddRow(rows, parameters.Next(1, layer.Outputs)), x.Shape);
            var (gamma, beta) = (parameters.Next(layer.Outputs), parameters.Next(layer.Outputs));
            return tape.Reshape(tape.BatchNormalise(rows, gamma, beta, T.CreateTruncating(Epsilon)), x.Shape);
        }
    }
}

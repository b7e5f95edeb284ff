using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = content weight L_content + style weight L_style + smoothness weight L_tv of the picture theta (Andrychowicz et al.,
/// 2016, section 3.4; the losses of Gatys, Ecker and Bethge, 2016): with F_l [M, N] the activations of a fixed network at M
/// places, L_content = 1/2 |F - F_content|^2, L_style = mean over layers of |F'F - S'S|^2 / (4 N^2 M^2), S the style's
/// activations, and L_tv the sum of squared differences of neighbouring pixels. An instance is a content picture with noise to
/// start from.
/// </summary>
public sealed class NeuralArtTask : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "neural-art",
        "f(theta) = how far the picture theta is from a content picture's activations and a style picture's Gram matrices, and "
        + "how rough.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 3.4; Gatys et al., 2016, arXiv:1508.06576");

    /// <summary>Options of <c>neural-art</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>Where pictures come from, and what compares them.</summary>
        public ArtDataset Dataset { get; init; } = ArtDataset.Images;

        /// <summary>Rows and columns of theta; pictures are stored with 256.</summary>
        [Bounds(8, 256)]
        public int Resolution { get; init; } = 64;

        /// <summary>Name of one of the dataset's style pictures; null: the first by name.</summary>
        [Length(1, 60)]
        public string? Style { get; init; }

        /// <summary>Of L_content.</summary>
        [Bounds(0, 1e6)]
        public double ContentWeight { get; init; } = 1;

        /// <summary>Of L_style.</summary>
        [Bounds(0, 1e9)]
        public double StyleWeight { get; init; } = 10_000;

        /// <summary>Of L_tv.</summary>
        [Bounds(0, 1e6)]
        public double SmoothnessWeight { get; init; } = 0.1;

        /// <summary>Filters at each scale of the random bank.</summary>
        [Bounds(1, 256)]
        public int Filters { get; init; } = 32;

        /// <summary>Scales of the random bank, each half as fine as the one before.</summary>
        [Bounds(1, 4)]
        public int Scales { get; init; } = 3;

        /// <summary>Rows and columns of the random bank's filters.</summary>
        [Bounds(1, 11)]
        public int Kernel { get; init; } = 3;

        /// <summary>theta_0 is drawn from N(0, this squared); 0 is mid-grey, -1/2 black and 1/2 white.</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.1;

        /// <inheritdoc/>
        public override string RequiredDataset => Dataset == ArtDataset.Images ? "images" : "images-vgg";

        /// <inheritdoc/>
        /// <remarks>VGG's sizes are those of VGG-19 up to layer 4_2. Activations are stored about eight times over.</remarks>
        public override TaskCost PredictCost()
        {
            (int Halvings, int Inputs, int Outputs)[] layers = Dataset == ArtDataset.Images
                ? [.. Enumerable.Range(0, Scales).Select(scale => (scale, 3 * Kernel * Kernel, Filters))]
                :
                [
                    (0, 27, 64), (0, 576, 64), (1, 576, 128), (1, 1152, 128),
                    (2, 1152, 256), (2, 2304, 256), (2, 2304, 256), (2, 2304, 256), (3, 2304, 512), (3, 4608, 512),
                ];
            long elements = 60L * Resolution * Resolution;
            double flops = 0;
            foreach (var (halvings, inputs, outputs) in layers)
            {
                var places = (long)(Resolution >> halvings) * (Resolution >> halvings);
                elements += 8 * places * outputs + 8L * outputs * outputs;
                flops += 4.0 * places * outputs * (inputs + 1.5 * outputs);
            }
            return new(3 * Resolution * Resolution, 4 * elements, flops);
        }

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new NeuralArtTask(this, datasets(RequiredDataset));
    }

    readonly Options _options;
    readonly Dataset _dataset;
    readonly ArtLayer[] _layers;
    readonly byte[] _style;
    readonly int _styles; // layers whose Gram matrices are compared

    /// <summary>The task with the pictures of <paramref name="dataset"/>; theta is [rows, columns, red green blue].</summary>
    /// <exception cref="SpecException">There is no such style, or the pictures cannot be scaled so.</exception>
    public NeuralArtTask(Options options, Dataset dataset)
    {
        (_options, _dataset) = (options, dataset);
        if (dataset.Channels != 3 || dataset.Rows != dataset.Columns || dataset.Rows < options.Resolution)
        {
            throw new SpecException("/task/resolution",
                $"Pictures of {dataset.Rows} x {dataset.Columns} x {dataset.Channels} do not scale to "
                + $"{options.Resolution} x {options.Resolution} x 3.");
        }
        var names = dataset.Styles.Keys.Order(StringComparer.Ordinal).ToList();
        if (names.Count == 0 || (options.Style is { } wanted && !dataset.Styles.ContainsKey(wanted)))
            throw new SpecException("/task/style",
                $"{dataset.Name} has no style picture \"{options.Style}\"; there are: {string.Join(", ", names)}.");
        StyleName = options.Style ?? names[0];
        _style = dataset.Styles[StyleName];
        _layers = options.Dataset == ArtDataset.Images
            ? ArtLayer.Bank(options.Filters, options.Scales, options.Kernel)
            : Vgg(dataset);
        _styles = _layers.Count(l => l.Style);
        Parameters = [new("pixels", new Shape(options.Resolution, options.Resolution, 3))];
    }

    static ArtLayer[] Vgg(Dataset dataset)
    {
        try
        {
            return ArtLayer.Vgg(dataset.Features ?? throw new FormatException("there are none"));
        }
        catch (FormatException wrong)
        {
            throw new SpecException("/task/dataset",
                $"{dataset.Name} must come with the weights of VGG-16 or VGG-19: {wrong.Message}");
        }
    }

    /// <summary>Name of the style picture.</summary>
    public string StyleName { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Facts => new Dictionary<string, string>
    {
        ["features"] = _options.Dataset == ArtDataset.Images ? "random-filter-bank" : "vgg",
        ["style"] = StyleName,
    };

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(this, kernels, count);

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, float[] Theta)> Landmarks(int instances)
    {
        var size = _dataset.ImageElements;
        return
        [
            ("style", Theta(_style)),
            .. Enumerable.Range(0, instances)
                .Select(i => ($"content/{i}", Theta(_dataset.Test.Pixels.AsSpan(i % _dataset.Test.Count * size, size)))),
        ];

        float[] Theta(ReadOnlySpan<byte> picture)
        {
            var theta = new float[Parameters[0].Shape.Count];
            Shrink(picture, theta);
            return theta;
        }
    }

    /// <summary>A stored picture as theta: the mean of each block of pixels, in 0..1, less 1/2.</summary>
    void Shrink<T>(ReadOnlySpan<byte> picture, Span<T> theta) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (from, to) = (_dataset.Rows, _options.Resolution);
        for (var i = 0; i < theta.Length; i++)
        {
            var (row, column, sum) = (i / (3 * to), i / 3 % to, 0);
            var (top, bottom) = (row * from / to, (row + 1) * from / to);
            var (left, right) = (column * from / to, (column + 1) * from / to);
            for (var y = top; y < bottom; y++)
                for (var x = left; x < right; x++) sum += picture[(y * from + x) * 3 + i % 3];
            theta[i] = T.CreateTruncating(sum / (255.0 * (bottom - top) * (right - left)) - 0.5);
        }
    }

    sealed class Instances<T> : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly NeuralArtTask _task;
        readonly IKernels<T> _kernels;
        readonly Arena<T> _arena;
        readonly Tensor<T>[] _filters; // a layer: [1, kernel kernel inputs, outputs]
        readonly Tensor<T>[] _biases; // a layer: [1, 1, outputs]
        readonly Tensor<T>[] _styles; // a layer: F'F / M of the style [B, N, N]
        readonly Tensor<T> _content; // F of the content [B, M, N]
        readonly Shape _pixels; // [B, rows, columns, 3]
        InstanceAddress _address;

        public Instances(NeuralArtTask task, IKernels<T> kernels, int count)
        {
            (_task, _kernels, Count) = (task, kernels, count);
            _arena = kernels.NewArena();
            var layers = task._layers;
            _filters = [.. layers.Select(l => Copy(l.Filters, new Shape(1, l.Kernel * l.Kernel * l.Inputs, l.Outputs)))];
            _biases = [.. layers.Select(l => l.Biases is null ? default : Copy(l.Biases, new Shape(1, 1, l.Outputs)))];
            _styles = [.. layers.Select(l => _arena.Zeros(l.Style ? new Shape(count, l.Outputs, l.Outputs) : new Shape(1)))];
            var size = task._options.Resolution;
            _pixels = new Shape(count, size, size, 3);
            foreach (var layer in layers)
            {
                if (layer.Halved) size /= 2;
                if (layer.Content) _content = _arena.Zeros(new Shape(count, size * size, layer.Outputs));
            }
            MeasureStyle();
        }

        public int Count { get; }

        public void Draw(ulong seed, Split split, int first)
        {
            _address = new(seed, split, first);
            using var tape = new Tape<T>(_kernels) { Recording = false };
            var contents = tape.Scratch(_pixels);
            using (var pictures = contents.Write())
                for (var b = 0; b < Count; b++) _task.Shrink(Content(b), pictures.Row(b));
            var (image, x) = (contents, contents);
            for (var l = 0; l < _filters.Length; l++)
            {
                x = Next(tape, l, ref image, x);
                if (_task._layers[l].Content) x.CopyTo(_content);
            }
        }

        public void InitialTheta(Tensor<T> theta) =>
            _address.FillNormal(Purpose.InitialTheta, theta, _task._options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var options = _task._options;
            var image = tape.Reshape(theta, _pixels);
            var loss = tape.Scale(Roughness(tape, image), T.CreateTruncating(options.SmoothnessWeight));
            var x = image;
            for (var l = 0; l < _filters.Length; l++)
            {
                x = Next(tape, l, ref image, x);
                var layer = _task._layers[l];
                if (layer.Content)
                {
                    var error = tape.Subtract(tape.Reshape(x, _content.Shape), _content);
                    loss = tape.Add(loss, tape.Scale(SumOfSquares(tape, error), T.CreateTruncating(options.ContentWeight / 2)));
                }
                if (layer.Style)
                {
                    var error = tape.Subtract(Gram(tape, x), _styles[l]);
                    var weight = options.StyleWeight / (4.0 * layer.Outputs * layer.Outputs * _task._styles);
                    loss = tape.Add(loss, tape.Scale(SumOfSquares(tape, error), T.CreateTruncating(weight)));
                }
            }
            return tape.Reshape(loss, new Shape(Count));
        }

        public void Dispose() => _arena.Dispose();

        /// <summary>
        /// Activations [B, rows, columns, N] of layer l; <paramref name="image"/> is the picture at the scale reached.
        /// </summary>
        Tensor<T> Next(Tape<T> tape, int l, ref Tensor<T> image, Tensor<T> x)
        {
            var layer = _task._layers[l];
            if (layer.OnImage)
            {
                if (layer.Halved) image = tape.AveragePool(image, Window.Padded(image.Shape, 2, 2, 2));
                x = image;
            }
            else if (layer.Halved)
                x = tape.MaxPool(x, Window.Padded(x.Shape, 2, 2, 2));
            var y = tape.Convolve(x, _filters[l], Window.Same(x.Shape, layer.Kernel, layer.Kernel));
            if (layer.Biases is null) return tape.Relu(y);
            var rows = tape.Reshape(y, new Shape(1, y.Count / layer.Outputs, layer.Outputs));
            return tape.Relu(tape.Reshape(tape.AddRow(rows, _biases[l]), y.Shape));
        }

        /// <summary>F'F / M of activations [B, rows, columns, N]: [B, N, N].</summary>
        static Tensor<T> Gram(Tape<T> tape, Tensor<T> x)
        {
            var rows = tape.Reshape(x, new Shape(x.Shape.D0, x.Shape.D1 * x.Shape.D2, x.Shape.D3));
            return tape.Scale(tape.MatMul(rows, rows, transposeX: true), T.One / T.CreateTruncating(rows.Shape.D1));
        }

        /// <summary>L_tv, [B, 1].</summary>
        static Tensor<T> Roughness(Tape<T> tape, Tensor<T> image)
        {
            var last = image.Shape.D1 - 1;
            var down = tape.Subtract(tape.Slice(image, 1, 1, last), tape.Slice(image, 1, 0, last));
            var across = tape.Subtract(tape.Slice(image, 2, 1, last), tape.Slice(image, 2, 0, last));
            return tape.Add(SumOfSquares(tape, down), SumOfSquares(tape, across));
        }

        /// <summary>Of each instance: [B, 1].</summary>
        static Tensor<T> SumOfSquares(Tape<T> tape, Tensor<T> x) =>
            tape.SumAxis(tape.Square(tape.Reshape(x, new Shape(x.Shape.D0, x.Count / x.Shape.D0))), 1);

        /// <summary>The style's Gram matrices, the same for all instances.</summary>
        void MeasureStyle()
        {
            using var tape = new Tape<T>(_kernels) { Recording = false };
            var image = tape.Scratch(_pixels.With(0, 1));
            using (var picture = image.Write()) _task.Shrink(_task._style, picture.Span);
            var x = image;
            for (var l = 0; l < _filters.Length; l++)
            {
                x = Next(tape, l, ref image, x);
                if (!_task._layers[l].Style) continue;
                var gram = Gram(tape, x);
                for (var b = 0; b < Count; b++) gram.CopyTo(_styles[l].Range(b * gram.Count, gram.Count));
            }
        }

        /// <summary>Test instance i is test picture i, so that the first ones all differ; the others draw theirs.</summary>
        ReadOnlySpan<byte> Content(int b)
        {
            var data = _task._dataset;
            var images = _address.Split == Split.Test ? data.Test : data.Train;
            var row = _address.Split == Split.Test
                ? (_address.First + b) % images.Count
                : _address.Stream(Purpose.Instance, b).Index(0, images.Count);
            return images.Pixels.AsSpan(row * data.ImageElements, data.ImageElements);
        }

        Tensor<T> Copy(float[] values, Shape shape)
        {
            var tensor = _arena.Take(shape);
            using var elements = tensor.Write();
            for (var i = 0; i < values.Length; i++) elements.Span[i] = T.CreateTruncating(values[i]);
            return tensor;
        }
    }
}

/// <summary>Pictures, and the network whose activations compare them.</summary>
public enum ArtDataset
{
    /// <summary>The pictures of <c>images</c>, compared by a fixed bank of random filters.</summary>
    Images,
    /// <summary>The same pictures, compared by VGG, whose weights (vgg.safetensors) the operator has put beside them.</summary>
    ImagesVgg,
}

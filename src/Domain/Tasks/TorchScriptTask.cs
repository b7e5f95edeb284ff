using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = mean cross-entropy, on a random mini-batch of images, of a network that somebody brought along as a TorchScript
/// module: theta is its parameters. An administrator puts the file where workers look for networks; a specification only names
/// it.
/// </summary>
public sealed class TorchScriptTask : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "torchscript",
        "f(theta) = mean softmax cross-entropy, on a random mini-batch of images, of a TorchScript module that an administrator "
        + "put on the worker.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 3.2, with any network");

    /// <summary>Parameters that a module may have.</summary>
    public const int MostCoordinates = 10_000_000;

    /// <summary>Options of <c>torchscript</c>.</summary>
    public sealed record Options : ImageTaskOptions
    {
        /// <summary>Name of the module: of its file without <c>.pt</c>. The catalogue lists those that workers have.</summary>
        [Length(1, 60)]
        public string Network { get; init; } = "network";

        /// <summary>
        /// Number of parameters of the module, for limits and predictions, which are made before any worker reads the file.
        /// </summary>
        [Bounds(1, MostCoordinates)]
        public int Coordinates { get; init; } = 7850;

        /// <summary>The centre of theta_0's distribution.</summary>
        public NetworkStart Start { get; init; } = NetworkStart.File;

        /// <summary>theta_0 is drawn from N(start, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.01;

        /// <inheritdoc/>
        public override string RequiredDataset => NetworkName.Beside(Dataset, Network);

        /// <inheritdoc/>
        public override bool HasSecondDerivatives => false;

        /// <inheritdoc/>
        /// <remarks>
        /// The network's own activations are not known; those of one that is as wide as its images everywhere are counted.
        /// </remarks>
        public override TaskCost PredictCost()
        {
            var data = Known;
            return new(Coordinates, 4L * (8L * Coordinates + 8L * Batch * data.Rows * data.Columns * data.Channels),
                6.0 * Batch * Coordinates);
        }

        /// <inheritdoc/>
        public override IEnumerable<SpecError> Check()
        {
            foreach (var error in base.Check()) yield return error;
            if (!NetworkName.IsValid(Network))
                yield return new("/network",
                    $"\"{Network}\" is no name of a network: lower-case letters, digits, '.', '_' and '-', "
                    + "beginning with a letter or digit.");
        }

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new TorchScriptTask(this, Read(datasets));
    }

    readonly Options _options;
    readonly Dataset _dataset;
    readonly INetwork _network;

    /// <summary>
    /// The task on <paramref name="dataset"/>'s images and with its network; theta is the parameters in the module's order.
    /// </summary>
    /// <exception cref="SpecException">The network has another number of parameters than the options say.</exception>
    public TorchScriptTask(Options options, Dataset dataset)
    {
        (_options, _dataset) = (options, dataset);
        _network = dataset.Network ?? throw new ArgumentException($"{dataset.Name} came without a network.");
        var coordinates = _network.Parameters.Sum(p => p.Shape.Count);
        if (coordinates != options.Coordinates)
            throw new SpecException("/task/coordinates",
                $"is {options.Coordinates}, but {options.Network} has {coordinates} parameters.");
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters => _network.Parameters;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Facts => new Dictionary<string, string> { ["network"] = _network.Sha256 };

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(this, kernels, count);

    sealed class Instances<T>(TorchScriptTask task, IKernels<T> kernels, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly ImageBatches<T> _batches = new(task._dataset, kernels, count, task._options.Batch);
        readonly long[] _seeds = new long[count];
        InstanceAddress _address;

        public int Count => count;

        public void Draw(ulong seed, Split split, int first) => _address = new(seed, split, first);

        public void InitialTheta(Tensor<T> theta)
        {
            _address.FillNormal(Purpose.InitialTheta, theta, task._options.InitialDeviation);
            if (task._options.Start == NetworkStart.Zero) return;
            var start = task._network.Values.Span;
            using var values = theta.Edit();
            for (var b = 0; b < count; b++)
            {
                var row = values.Row(b);
                for (var i = 0; i < row.Length; i++) row[i] += T.CreateTruncating(start[i]);
            }
        }

        /// <summary>
        /// The network differentiates itself; on the tape is the plane through f(theta) with its slope there, so no second
        /// derivative.
        /// </summary>
        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var (images, labels) = _batches.Draw(tape, _address, step);
            var (losses, slopes) = (tape.Scratch(new Shape(count)), tape.Scratch(theta.Shape));
            var pixels = images.As(new Shape(labels.Count, task._dataset.Rows, task._dataset.Columns, task._dataset.Channels));
            for (var b = 0; b < count; b++)
            {
                var (low, high, _, _) = _address.Stream(Purpose.Dropout, b, step).Block(0);
                _seeds[b] = (long)((ulong)high << 32 | low);
            }
            task._network.Evaluate(kernels, tape.Detach(theta), pixels, labels, task._dataset.Classes, _seeds, losses, slopes);
            var moved = tape.SumAxis(tape.Multiply(slopes, tape.Subtract(theta, tape.Detach(theta))), 1);
            return tape.Add(losses, tape.Reshape(moved, new Shape(count)));
        }

        public void Dispose() { }
    }
}

/// <summary>Centres of a network's theta_0.</summary>
public enum NetworkStart
{
    /// <summary>The values in its file.</summary>
    File,
    /// <summary>Zero.</summary>
    Zero,
}

/// <summary>Names of networks: of files, so they are few characters and no path.</summary>
public static partial class NetworkName
{
    /// <summary>Whether a file may be called so.</summary>
    public static bool IsValid(string name) => Pattern().IsMatch(name);

    /// <summary>
    /// The name under which a worker offers a dataset with a network: see <see cref="TaskOptions.RequiredDataset"/>.
    /// </summary>
    public static string Beside(string dataset, string network) => $"{dataset}/{network}";

    /// <summary>The inverse of <see cref="Beside"/>; false for the name of a dataset alone.</summary>
    public static bool TrySplit(string name, out string dataset, out string network)
    {
        var parts = name.Split('/');
        (dataset, network) = (parts[0], parts[^1]);
        return parts.Length == 2;
    }

    [System.Text.RegularExpressions.GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,59}\z")]
    private static partial System.Text.RegularExpressions.Regex Pattern();
}

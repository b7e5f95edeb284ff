using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta) = mean cross-entropy, in nats a character, with which a small recurrent network predicts the next character, on a
/// random mini-batch of pieces of a text. The state is zero where a piece begins. Instances differ in theta_0 and mini-batches.
/// </summary>
public sealed class CharacterModelTask(CharacterModelTask.Options options, Dataset text) : ITask
{
    /// <summary>For the catalogue.</summary>
    public static readonly Entry<TaskOptions> Entry = Entry<TaskOptions>.Of<Options>(
        "character-model",
        "f(theta) = mean cross-entropy of a recurrent network's prediction of the next character, in nats.",
        "Elman, 1990; Hochreiter and Schmidhuber, 1997; as an optimizee: Wichrowska et al., 2017, arXiv:1703.04813");

    /// <summary>Options of <c>character-model</c>.</summary>
    public sealed record Options : TaskOptions
    {
        /// <summary>The text that is read.</summary>
        public TextDataset Dataset { get; init; } = TextDataset.Grammar;

        /// <summary>The recurrent layer.</summary>
        public RecurrentCell Cell { get; init; } = RecurrentCell.Vanilla;

        /// <summary>H, its units.</summary>
        [Bounds(1, 512)]
        public int Units { get; init; } = 16;

        /// <summary>L, characters that are predicted in a piece.</summary>
        [Bounds(1, 256)]
        public int Length { get; init; } = 16;

        /// <summary>Pieces in a mini-batch, drawn with replacement.</summary>
        [Bounds(1, 1024)]
        public int Batch { get; init; } = 32;

        /// <summary>theta_0 is drawn from N(0, this squared).</summary>
        [Bounds(0, 10)]
        public double InitialDeviation { get; init; } = 0.1;

        /// <inheritdoc/>
        public override string RequiredDataset => Dataset == TextDataset.Grammar ? "grammar" : "text";

        /// <inheritdoc/>
        /// <remarks>A character takes what its gates and logits and their gradients do, about eight times over.</remarks>
        public override TaskCost PredictCost()
        {
            var (gates, characters) = (GatesOf(Cell) * Units, CharacterText.Characters);
            var parameters = gates * (characters + Units + 1) + characters * (Units + 1);
            return new(parameters, 4L * (4L * parameters + 8L * Batch * Length * (gates + 2 * characters)),
                6.0 * Batch * Length * parameters);
        }

        /// <inheritdoc/>
        public override ITask Create(Func<string, Dataset> datasets) => new CharacterModelTask(this, datasets(RequiredDataset));
    }

    /// <inheritdoc/>
    /// <remarks>An LSTM's gates are in the order input, forget, candidate, output.</remarks>
    public IReadOnlyList<ParameterTensor> Parameters { get; } =
    [
        new("input/weights", new Shape(text.Classes, GatesOf(options.Cell) * options.Units)),
        new("recurrent/weights", new Shape(options.Units, GatesOf(options.Cell) * options.Units)),
        new("recurrent/biases", new Shape(GatesOf(options.Cell) * options.Units)),
        new("output/weights", new Shape(options.Units, text.Classes)),
        new("output/biases", new Shape(text.Classes)),
    ];

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Facts => new Dictionary<string, string>
    {
        ["text"] = options.Dataset == TextDataset.Grammar ? "generated-grammar" : "provided",
    };

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(options, text, count);

    static int GatesOf(RecurrentCell cell) => cell == RecurrentCell.Lstm ? 4 : 1;

    sealed class Instances<T>(Options options, Dataset text, int count) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly int _rows = count * options.Batch;
        InstanceAddress _address;

        public int Count => count;

        public void Draw(ulong seed, Split split, int first) => _address = new(seed, split, first);

        public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, options.InitialDeviation);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var (units, characters, width) = (options.Units, text.Classes, GatesOf(options.Cell) * options.Units);
            var parameters = new ThetaReader<T>(tape, theta);
            var (input, recurrent, bias) = (parameters.Next(characters, width), parameters.Next(units, width),
                parameters.Next(1, width));
            var (output, outputBias) = (parameters.Next(units, characters), parameters.Next(1, characters));
            var labels = Draw(tape, step);
            var h = tape.Zeros(new Shape(count, options.Batch, units));
            var c = h;
            var sum = tape.Zeros(new Shape(_rows));
            for (var t = 0; t < options.Length; t++)
            {
                var seen = tape.Scratch(new Shape(_rows, characters));
                tape.Kernels.OneHot(labels.Range(t * _rows, _rows), seen);
                var x = tape.MatMul(seen.As(new Shape(count, options.Batch, characters)), input);
                if (t > 0) x = tape.Add(x, tape.MatMul(h, recurrent));
                x = tape.AddRow(x, bias);
                h = options.Cell == RecurrentCell.Lstm ? Lstm(tape, x, ref c) : tape.Tanh(x);
                var logits = tape.Reshape(tape.AddRow(tape.MatMul(h, output), outputBias), new Shape(_rows, characters));
                sum = tape.Add(sum, tape.SoftmaxCrossEntropy(logits, labels.Range((t + 1) * _rows, _rows)));
            }
            var sums = tape.SumAxis(tape.Reshape(sum, new Shape(count, options.Batch)), 1);
            return tape.Scale(tape.Reshape(sums, new Shape(count)), T.One / T.CreateTruncating(options.Batch * options.Length));
        }

        public void Dispose() { }

        /// <summary>
        /// Characters' numbers [L + 1, B batch] of inner step <paramref name="step"/>; only the test split reads the test part.
        /// </summary>
        Tensor<T> Draw(Tape<T> tape, int step)
        {
            var source = _address.Split == Split.Test ? text.Test : text.Train;
            var labels = tape.Scratch(new Shape((options.Length + 1) * _rows));
            using var characters = labels.Write();
            for (var row = 0; row < _rows; row++)
            {
                var stream = _address.Stream(Purpose.MiniBatch, row / options.Batch, step);
                var start = stream.Index((uint)(row % options.Batch), source.Count - options.Length);
                for (var t = 0; t <= options.Length; t++)
                    characters.Span[t * _rows + row] = T.CreateTruncating(source.Labels[start + t]);
            }
            return labels;
        }

        /// <summary>
        /// The new h [B, batch, H] for gates [B, batch, 4 H] before their nonlinearities; c is the cells' state.
        /// </summary>
        Tensor<T> Lstm(Tape<T> tape, Tensor<T> gates, ref Tensor<T> c)
        {
            var (input, forget) = (tape.Sigmoid(Gate(0)), tape.Sigmoid(Gate(1)));
            var (candidate, output) = (tape.Tanh(Gate(2)), tape.Sigmoid(Gate(3)));
            c = tape.Add(tape.Multiply(forget, c), tape.Multiply(input, candidate));
            return tape.Multiply(output, tape.Tanh(c));

            Tensor<T> Gate(int number) => tape.Slice(gates, 2, number * options.Units, options.Units);
        }
    }
}

/// <summary>A recurrent layer.</summary>
public enum RecurrentCell
{
    /// <summary>h = tanh(W x + U h + b) (Elman, 1990).</summary>
    Vanilla,
    /// <summary>With input, forget and output gates (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).</summary>
    Lstm,
}

/// <summary>A text.</summary>
public enum TextDataset
{
    /// <summary>Generated by a small grammar, see <see cref="CharacterText.Grammar"/>.</summary>
    Grammar,
    /// <summary>The one that the operator has put into the data folder.</summary>
    Text,
}

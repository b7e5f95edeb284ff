using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>
/// A learned quasi-Newton method: each instance has a memory matrix M [P, P], zero at first, that the network writes by low-rank
/// updates only, as BFGS writes its inverse Hessian (Andrychowicz et al., 2016, "Information sharing between coordinates",
/// NTM-BFGS; no code of it was published). The controller is an LSTM with global averaging cells that sees the gradient and what
/// it read last. Each coordinate's heads emit a read key r and three pairs a, b: read i = M r, then M += sum of a_h b_h^T; three
/// pairs are what one BFGS update needs. The update is scale * (w . h + bias + i).
/// </summary>
public sealed class NtmBfgs(NtmBfgs.Options options) : ILearnedOptimizer
{
    const int Limit = 100;
    const int Writes = 3;

    /// <summary>
    /// Three small numbers are multiplied until a write reaches an update: the first reads are to be small, not zero, where
    /// nothing is learned.
    /// </summary>
    const double InitialHeads = 0.1;

    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<LearnedOptimizerOptions> Entry = Entry<LearnedOptimizerOptions>.Of<Options>(
        "ntm-bfgs",
        "LSTM with global averaging cells and a memory matrix M: read M r, write M += sum of a b^T; at most 100 coordinates.",
        "Andrychowicz et al. 2016, arXiv:1606.04474, information sharing between coordinates");

    /// <summary>The controller's sizes, preprocessing, output scale.</summary>
    public sealed record Options : LearnedOptimizerOptions
    {
        /// <summary>Units of each layer.</summary>
        [Length(1, 3), Bounds(1, 64)]
        public IReadOnlyList<int> Layers { get; init; } = [20, 20];

        /// <summary>Global averaging cells of each layer.</summary>
        [Bounds(0, 64)]
        public int AveragedUnits { get; init; } = 5;

        /// <summary>p of appendix A, for the gradient and for what was read.</summary>
        [Bounds(1, 40)]
        public double PreprocessingExponent { get; init; } = 10;

        /// <summary>Factor on the update.</summary>
        [Bounds(1e-6, 10)]
        public double OutputScale { get; init; } = 0.1;

        /// <inheritdoc/>
        public override int MostCoordinates => Limit;

        /// <inheritdoc/>
        public override ILearnedOptimizer Create() => new NtmBfgs(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> MetaParameters { get; } =
    [
        .. Layers.LstmTensors(4, options.Layers),
        new("heads.weight", new Shape(1 + 2 * Writes, options.Layers[^1])),
        new("heads.bias", new Shape(1 + 2 * Writes)),
        new("output.weight", new Shape(1, options.Layers[^1])),
        new("output.bias", new Shape(1)),
    ];

    /// <inheritdoc/>
    public bool IsCoordinatewise => false;

    /// <summary>M of each instance, what was read last, and the controller's.</summary>
    /// <exception cref="SpecException">An instance has too many coordinates.</exception>
    public IReadOnlyList<Shape> State(Layout layout)
    {
        var p = layout.PerInstance;
        if (p > Limit)
            throw new SpecException("/task",
                $"ntm-bfgs keeps a matrix of {p} x {p}; it is made for at most {Limit} coordinates.");
        return [new(layout.Batch, p, p), new(1, layout.Count), .. Layers.LstmState(options.Layers, layout)];
    }

    /// <inheritdoc/>
    public void Initialise(ulong seed, Span<float> phi) => Layers.Initialise(
        MetaParameters, seed, phi, name => name switch { "output.weight" => 0, "heads.weight" => InitialHeads, _ => 1 });

    /// <inheritdoc/>
    public Tensor<T> Step<T>(Tape<T> tape, in StepInput<T> input, Span<Tensor<T>> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (batch, phi) = (input.Layout.Batch, options.Layers.Count * 2);
        var x = tape.Concat(
            Layers.LogAndSign(tape, input.Gradient, options.PreprocessingExponent),
            Layers.LogAndSign(tape, state[1], options.PreprocessingExponent), 0);
        x = LstmGac.Controller(tape, input.Layout, input.Phi, x, state[2..], options.AveragedUnits);
        var heads = Layers.Dense(tape, input.Phi[phi], input.Phi[phi + 1], x);
        var read = Read(tape, state[0], Column(tape, heads, 0, batch));
        for (var h = 0; h < Writes; h++)
            state[0] = Write(tape, state[0], Column(tape, heads, 1 + 2 * h, batch), Column(tape, heads, 2 + 2 * h, batch));
        state[1] = tape.Reshape(read, input.Gradient.Shape);
        var update = tape.Add(Layers.Dense(tape, input.Phi[^2], input.Phi[^1], x), state[1]);
        return tape.Scale(update, T.CreateTruncating(options.OutputScale));
    }

    /// <summary>Row <paramref name="head"/> of heads [7, B P] as a column for each instance, [B, P, 1].</summary>
    static Tensor<T> Column<T>(Tape<T> tape, Tensor<T> heads, int head, int batch)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Reshape(tape.Slice(heads, 0, head, 1), new Shape(batch, heads.Shape.D1 / batch, 1));

    /// <summary>M r [B, P, 1] of memory M [B, P, P] and key r [B, P, 1].</summary>
    public static Tensor<T> Read<T>(Tape<T> tape, Tensor<T> memory, Tensor<T> key)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.MatMul(memory, key);

    /// <summary>M + a b^T, a and b [B, P, 1].</summary>
    public static Tensor<T> Write<T>(Tape<T> tape, Tensor<T> memory, Tensor<T> a, Tensor<T> b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Add(memory, tape.MatMul(a, b, transposeY: true));
}

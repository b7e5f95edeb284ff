using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>Building blocks of rules, on the tape. Columns are coordinates: x is [rows, N].</summary>
static class Layers
{
    /// <summary>
    /// Below this a root's derivative is taken for 0: it keeps a gradient of exactly zero from giving 0 times infinity.
    /// </summary>
    public const double SmallestSquare = 1e-30;

    /// <summary>
    /// An LSTM layer: gates [input, forget, candidate, output] (Gers et al., 2000), or without the forget gate (Hochreiter and
    /// Schmidhuber, 1997). Weight [gates units, inputs + units], bias [gates units], x [inputs, N], cell and hidden [units, N].
    /// </summary>
    public static (Tensor<T> Cell, Tensor<T> Hidden) Lstm<T>(
        Tape<T> tape, Tensor<T> weight, Tensor<T> bias, Tensor<T> x, Tensor<T> cell, Tensor<T> hidden, bool forgetGates = true)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var units = cell.Shape.D0;
        var gates = Dense(tape, weight, bias, tape.Concat(x, hidden, 0));
        var (candidates, outputs) = forgetGates ? (2, 3) : (1, 2);
        var input = tape.Sigmoid(tape.Slice(gates, 0, 0, units));
        var candidate = tape.Tanh(tape.Slice(gates, 0, candidates * units, units));
        var output = tape.Sigmoid(tape.Slice(gates, 0, outputs * units, units));
        if (forgetGates) cell = tape.Multiply(tape.Sigmoid(tape.Slice(gates, 0, units, units)), cell);
        cell = tape.Add(cell, tape.Multiply(input, candidate));
        return (cell, tape.Multiply(output, tape.Tanh(cell)));
    }

    /// <summary>weight x + bias for every column: weight [outputs, inputs], bias [outputs], x [inputs, N].</summary>
    public static Tensor<T> Dense<T>(Tape<T> tape, Tensor<T> weight, Tensor<T> bias, Tensor<T> x)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Add(tape.MatMul(weight, x), tape.Broadcast(tape.Reshape(bias, new Shape(bias.Count, 1)), 1, x.Shape.D1));

    /// <summary>
    /// (log|g| / p, sign g), appendix A of Andrychowicz et al., with clamps: the same values, differentiable where the formula
    /// is.
    /// </summary>
    public static Tensor<T> LogAndSign<T>(Tape<T> tape, Tensor<T> gradient, double exponent)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var p = T.CreateTruncating(exponent);
        var size = tape.Scale(tape.Log(tape.Maximum(tape.Abs(gradient), T.Exp(-p))), T.One / p);
        var sign = tape.Clamp(tape.Scale(gradient, T.Exp(p)), -T.One, T.One);
        return tape.Concat(size, sign, 0);
    }

    /// <summary>Features of the gradient [1, N]: [<see cref="FeatureCount"/>, N].</summary>
    public static Tensor<T> Features<T>(Tape<T> tape, Tensor<T> gradient, Preprocessing preprocessing, double exponent)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        preprocessing == Preprocessing.LogAndSign ? LogAndSign(tape, gradient, exponent) : gradient;

    /// <summary>Rows of <see cref="Features"/>.</summary>
    public static int FeatureCount(Preprocessing preprocessing) => preprocessing == Preprocessing.LogAndSign ? 2 : 1;

    /// <summary>The square root of what is never negative; its derivative at 0 is 0.</summary>
    public static Tensor<T> Root<T>(Tape<T> tape, Tensor<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Sqrt(tape.Maximum(x, T.CreateTruncating(SmallestSquare)));

    /// <summary>decay average + (1 - decay) x with a fixed decay.</summary>
    public static Tensor<T> Average<T>(Tape<T> tape, Tensor<T> average, Tensor<T> x, double decay)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Add(tape.Scale(average, T.CreateTruncating(decay)), tape.Scale(x, T.CreateTruncating(1 - decay)));

    /// <summary>
    /// 1 - decay^t for a fixed decay, from the same at t - 1: the running average of ones. Dividing by it takes the bias of the
    /// zero start out of an average (Kingma and Ba, 2015, section 3).
    /// </summary>
    public static Tensor<T> Weight<T>(Tape<T> tape, Tensor<T> weight, double decay)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.AddScalar(tape.Scale(weight, T.CreateTruncating(decay)), T.CreateTruncating(1 - decay));

    /// <summary>x [rows, N] divided by <paramref name="divisor"/> [1, 1] or [rows, 1].</summary>
    public static Tensor<T> DivideRows<T>(Tape<T> tape, Tensor<T> x, Tensor<T> divisor)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Divide(x, tape.Broadcast(divisor, 1, x.Shape.D1));

    /// <summary>x [rows, N] times <paramref name="factor"/> [1, 1] or [rows, 1].</summary>
    public static Tensor<T> MultiplyRows<T>(Tape<T> tape, Tensor<T> x, Tensor<T> factor)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        tape.Multiply(x, tape.Broadcast(factor, 1, x.Shape.D1));

    /// <summary>The parts of phi that layers of LSTM cells take, and the state of each: cell, output.</summary>
    public static IEnumerable<ParameterTensor> LstmTensors(int inputs, IEnumerable<int> layers, int gates = 4)
    {
        var l = 0;
        foreach (var units in layers)
        {
            yield return new($"lstm.{l}.weight", new Shape(gates * units, inputs + units));
            yield return new($"lstm.{l}.bias", new Shape(gates * units));
            (inputs, l) = (units, l + 1);
        }
    }

    /// <summary>Cell and output of each layer.</summary>
    public static IEnumerable<Shape> LstmState(IEnumerable<int> layers, Layout layout) =>
        layers.SelectMany(units => new[] { new Shape(units, layout.Count), new Shape(units, layout.Count) });

    /// <summary>
    /// Initial values: matrices N(0, 1 / columns) times what <paramref name="scale"/> says of their name, vectors zero but the
    /// forget gates' part of an LSTM's bias, 1.
    /// </summary>
    public static void Initialise(
        IReadOnlyList<ParameterTensor> tensors, ulong seed, Span<float> phi, Func<string, double> scale, bool forgetGates = true)
    {
        for (var i = 0; i < tensors.Count; i++)
        {
            var (name, shape) = tensors[i];
            var values = phi[..shape.Count];
            phi = phi[shape.Count..];
            values.Clear();
            if (shape.Rank == 2 && scale(name) is > 0 and var factor)
                new RandomStream(seed, Split.Train, Purpose.MetaParameters, (uint)i)
                    .FillNormal(values, factor / Math.Sqrt(shape.D1));
            else if (shape.Rank == 1 && forgetGates && name.StartsWith("lstm", StringComparison.Ordinal))
                values.Slice(shape.Count / 4, shape.Count / 4).Fill(1);
        }
    }
}

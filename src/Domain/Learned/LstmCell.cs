using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Learned;

/// <summary>
/// An LSTM layer on the tape, columns are coordinates: gates [input, forget, candidate, output] (Gers et al., 2000), or without
/// the forget gate (Hochreiter and Schmidhuber, 1997). What <see cref="CoordinatewiseLstm"/> fuses and other rules build on.
/// </summary>
static class LstmCell
{
    /// <summary>The new cell and output of <paramref name="x"/> [inputs, N]; weight [gates units, inputs + units], bias [gates units].</summary>
    public static (Tensor<T> Cell, Tensor<T> Hidden) Step<T>(
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
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var columns = tape.Expand(tape.Reshape(bias, new Shape(bias.Count, 1)), 1, x.Shape.D1);
        return tape.Add(tape.MatMul(weight, x), columns);
    }
}

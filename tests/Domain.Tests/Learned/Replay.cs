using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// The inputs of one unroll, recorded once in double, and the loss they give when they are replayed:
/// L(phi) = sum over s of w_s grad f(theta_s) . sum over t &lt; s of g_t(phi), whose derivative is the decoupled meta-gradient.
/// </summary>
sealed class Replay(ILearnedOptimizer rule, double[][] gradients, double[] weights, double[] startState)
{
    public static Replay Random(ILearnedOptimizer rule, int coordinates, int steps, ulong seed)
    {
        var scales = new[] { 1e-6, 1e-3, 0.1, 1, 30 };
        var gradients = Enumerable.Range(0, steps + 1).Select(step =>
        {
            var row = new double[coordinates];
            new RandomStream(seed, Split.Test, Purpose.Instance, 0, (uint)step).FillNormal<double>(row, 1);
            for (var i = 0; i < coordinates; i++) row[i] = (float)(row[i] * scales[i % scales.Length]);
            return row;
        }).ToArray();
        var weights = Enumerable.Range(1, steps).Select(s => (double)(float)(0.5 + s / (double)steps)).ToArray();
        using var kernels = new ScalarKernels<double>();
        using var state = rule.Start(kernels, coordinates);
        var start = new double[state.State.Count];
        new RandomStream(seed, Split.Test, Purpose.InitialTheta).FillNormal<double>(start, 0.3);
        for (var i = 0; i < start.Length; i++) start[i] = (float)start[i];
        return new Replay(rule, gradients, weights, start);
    }

    public int Coordinates => gradients[0].Length;

    public int Steps => weights.Length;

    public ILearnedOptimizer Rule => rule;

    /// <summary>L(phi) by the forward step alone.</summary>
    public double Loss(ReadOnlySpan<double> phi)
    {
        using var kernels = new ScalarKernels<double>();
        using var arena = new Arena<double>();
        using var state = rule.Start(kernels, Coordinates);
        state.SetParameters(phi);
        startState.CopyTo(state.State.Span);
        var theta = arena.Zeros(new Shape(Coordinates));
        var loss = 0.0;
        for (var step = 0; step < Steps; step++)
        {
            state.Step(arena.Copy(gradients[step], new Shape(Coordinates)), theta);
            for (var i = 0; i < Coordinates; i++) loss += weights[step] * gradients[step + 1][i] * theta.Span[i];
        }
        return loss;
    }

    /// <summary>The fused meta-gradient in the precision of <typeparamref name="T"/>.</summary>
    public double[] Gradient<T>(IKernels<T> kernels, ReadOnlySpan<float> phi) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        using var arena = new Arena<T>();
        using var state = rule.Start(kernels, Coordinates);
        state.SetParameters(Convert<float, T>(phi));
        var inputs = arena.Take(new Shape(Steps + 1, Coordinates));
        for (var step = 0; step <= Steps; step++)
            Convert<double, T>(gradients[step]).CopyTo(inputs.Span.Slice(step * Coordinates, Coordinates));
        var result = new double[phi.Length];
        ((ICoordinatewiseState<T>)state).MetaGradient(
            inputs,
            arena.Copy(Convert<double, T>(weights), new Shape(Steps)),
            arena.Copy(Convert<double, T>(startState), new Shape(startState.Length)),
            result);
        return result;
    }

    /// <summary>The same from the tape, in double.</summary>
    public double[] TapeGradient(ReadOnlySpan<float> phi)
    {
        using var kernels = new ScalarKernels<double>();
        using var tape = new Tape<double>(kernels);
        var parameters = new List<Tensor<double>>();
        foreach (var tensor in rule.MetaParameters)
        {
            parameters.Add(tape.Variable(tape.Constant(Convert<float, double>(phi[..tensor.Shape.Count]), tensor.Shape)));
            phi = phi[tensor.Shape.Count..];
        }
        var state = tape.Constant(RowsFromBlocks(), new Shape(rule.StatePerCoordinate, Coordinates));
        var theta = tape.Zeros(new Shape(1, Coordinates));
        var loss = tape.Zeros(new Shape(1));
        for (var step = 0; step < Steps; step++)
        {
            var (update, next) = rule.Step(tape, parameters.ToArray(), tape.Constant(gradients[step], new Shape(1, Coordinates)), state);
            (theta, state) = (tape.Add(theta, update), next);
            var product = tape.Multiply(theta, tape.Constant(gradients[step + 1], new Shape(1, Coordinates)));
            loss = tape.Add(loss, tape.Scale(tape.Sum(product), weights[step]));
        }
        var results = new Tensor<double>[parameters.Count];
        tape.Gradient(loss, parameters.ToArray(), results);
        return [.. results.SelectMany(r => r.Span.ToArray())];
    }

    /// <summary>Largest relative error |a - b| / |b| over the tensors of phi.</summary>
    public double WorstRelativeError(double[] a, double[] b)
    {
        var (worst, at) = (0.0, 0);
        foreach (var tensor in rule.MetaParameters)
        {
            double difference = 0, size = 0;
            for (var i = at; i < at + tensor.Shape.Count; i++) (difference, size) = (difference + (a[i] - b[i]) * (a[i] - b[i]), size + b[i] * b[i]);
            worst = Math.Max(worst, size == 0 ? Math.Sqrt(difference) : Math.Sqrt(difference / size));
            at += tensor.Shape.Count;
        }
        return worst;
    }

    double[] RowsFromBlocks()
    {
        var rows = rule.StatePerCoordinate;
        var result = new double[rows * Coordinates];
        for (var i = 0; i < Coordinates; i++)
            for (var row = 0; row < rows; row++)
                result[row * Coordinates + i] = startState[(i / LstmShape.Block * rows + row) * LstmShape.Block + i % LstmShape.Block];
        return result;
    }

    public static TTo[] Convert<TFrom, TTo>(ReadOnlySpan<TFrom> values)
        where TFrom : unmanaged, IBinaryFloatingPointIeee754<TFrom>
        where TTo : unmanaged, IBinaryFloatingPointIeee754<TTo>
    {
        var result = new TTo[values.Length];
        for (var i = 0; i < values.Length; i++) result[i] = TTo.CreateTruncating(values[i]);
        return result;
    }

    public static TTo[] Convert<TFrom, TTo>(TFrom[] values)
        where TFrom : unmanaged, IBinaryFloatingPointIeee754<TFrom>
        where TTo : unmanaged, IBinaryFloatingPointIeee754<TTo> => Convert<TFrom, TTo>(values.AsSpan());
}

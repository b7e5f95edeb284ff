using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// The inputs of one unroll, recorded once in double, and the loss they give when they are replayed:
/// L(phi) = sum over s of w_s grad f(theta_s) . theta_s(phi), whose derivative is the decoupled meta-gradient. The unroll starts
/// from a state that a few earlier steps have reached, under a phi that stays what it is.
/// </summary>
sealed class Replay(ILearnedOptimizer rule, Layout layout, double[][] early, double[][] gradients, double[] weights,
    double[] startTheta, float[] earlyPhi)
{
    const int EarlySteps = 3;
    double[]? _startState;

    public static Replay Random(ILearnedOptimizer rule, int coordinates, int steps, ulong seed) =>
        Random(rule, Layout.Flat(1, coordinates), steps, seed);

    public static Replay Random(ILearnedOptimizer rule, Layout layout, int steps, ulong seed)
    {
        var scales = new[] { 1e-6, 1e-3, 0.1, 1, 30 };
        var rows = Enumerable.Range(0, EarlySteps + steps + 1).Select(step =>
        {
            var row = Normal((uint)step, layout.Count, 1);
            for (var i = 0; i < row.Length; i++) row[i] = (float)(row[i] * scales[i % scales.Length]);
            return row;
        }).ToArray();
        var weights = Enumerable.Range(1, steps).Select(s => (double)(float)(0.5 + s / (double)steps)).ToArray();
        var phi = new float[rule.MetaParameterCount];
        rule.Initialise(seed, phi);
        for (var i = 0; i < phi.Length; i++) phi[i] += (float)Normal(1000, phi.Length, 0.1)[i];
        return new Replay(rule, layout, rows[..EarlySteps], rows[EarlySteps..], weights, Normal(1001, layout.Count, 1), phi);

        double[] Normal(uint step, int count, double deviation)
        {
            var values = new double[count];
            new RandomStream(seed, Split.Test, Purpose.Instance, 0, step).FillNormal<double>(values, deviation);
            return Array.ConvertAll(values, x => (double)(float)x);
        }
    }

    public int Coordinates => layout.Count;

    public int Steps => weights.Length;

    public ILearnedOptimizer Rule => rule;

    /// <summary>L(phi), but for a constant, by the forward step alone.</summary>
    public double Loss(ReadOnlySpan<double> phi)
    {
        using var kernels = new ScalarKernels<double>();
        using var arena = new Arena<double>();
        using var state = rule.Start(kernels, layout);
        StartState(kernels).CopyTo(state.State.Span);
        state.SetParameters(phi);
        var theta = arena.Copy(startTheta, new Shape(Coordinates));
        var loss = 0.0;
        for (var step = 0; step < Steps; step++)
        {
            state.Step(theta, arena.Copy(gradients[step], new Shape(Coordinates)));
            for (var i = 0; i < Coordinates; i++)
                loss += weights[step] * gradients[step + 1][i] * (theta.Span[i] - startTheta[i]);
        }
        return loss;
    }

    /// <summary>
    /// <see cref="WorstRelativeError"/> of <paramref name="gradient"/> against central differences of fourth order of
    /// <see cref="Loss"/>, in the elements of phi that are <paramref name="chosen"/>.
    /// </summary>
    public double ErrorOfDifferences(double[] gradient, ReadOnlySpan<float> phi, Func<int, bool> chosen, double least = 0)
    {
        var point = Convert<float, double>(phi);
        var (some, differences) = (new double[phi.Length], new double[phi.Length]);
        for (var i = 0; i < phi.Length; i++)
        {
            if (!chosen(i)) continue;
            some[i] = gradient[i];
            var (at, h) = (point[i], 1e-4 * Math.Max(1, Math.Abs(point[i])));
            var (near, far) = (At(h) - At(-h), At(2 * h) - At(-2 * h));
            differences[i] = (8 * near - far) / (12 * h);
            point[i] = at;

            double At(double offset)
            {
                point[i] = at + offset;
                return Loss(point);
            }
        }
        return WorstRelativeError(some, differences, least);
    }

    /// <summary>The meta-gradient of <see cref="ILearnedState{T}"/> in the precision of <typeparamref name="T"/>.</summary>
    public double[] Gradient<T>(IKernels<T> kernels, ReadOnlySpan<float> phi) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        using var reference = new ScalarKernels<double>();
        using var arena = kernels.NewArena();
        using var state = rule.StartOn(kernels, layout);
        state.SetParameters(Convert<float, T>(phi));
        var inputs = arena.Take(new Shape(Steps + 1, Coordinates));
        for (var step = 0; step <= Steps; step++)
            inputs.Range(step * Coordinates, Coordinates).CopyFrom(Convert<double, T>(gradients[step]));
        var result = new double[phi.Length];
        var unrolled = Unrolled<T>.Of(
            inputs,
            arena.Copy(Convert<double, T>(weights), new Shape(Steps)),
            arena.Copy(Convert<double, T>(startTheta), new Shape(Coordinates)),
            arena.Copy(Convert<double, T>(StartState(reference)), state.State.Shape));
        state.MetaGradient(unrolled, result);
        return result;
    }

    /// <summary>The same from one tape over all steps and coordinates, in double.</summary>
    public double[] TapeGradient(ReadOnlySpan<float> phi)
    {
        using var kernels = new ScalarKernels<double>();
        using var tape = new Tape<double>(kernels);
        var state = rule.State(layout).Select(tape.Zeros).ToArray();
        var row = new Shape(1, Coordinates);
        var theta = tape.Constant(startTheta, row);
        var parameters = Parameters(tape, earlyPhi);
        using (tape.PauseRecording())
            foreach (var gradient in early)
                rule.Step(tape, new StepInput<double>(layout, parameters, tape.Constant(gradient, row), theta), state);
        for (var i = 0; i < state.Length; i++) state[i] = tape.Detach(state[i]);
        parameters = Parameters(tape, phi);
        var loss = tape.Zeros(new Shape(1));
        for (var step = 0; step < Steps; step++)
        {
            var update = rule.Step(tape, new StepInput<double>(layout, parameters, tape.Constant(gradients[step], row), theta),
                state);
            theta = tape.Add(theta, update);
            loss = tape.Add(loss,
                tape.Scale(tape.Sum(tape.Multiply(theta, tape.Constant(gradients[step + 1], row))), weights[step]));
        }
        var results = new Tensor<double>[parameters.Length];
        tape.Gradient(loss, parameters, results);
        return [.. results.SelectMany(r => r.Span.ToArray())];
    }

    Tensor<double>[] Parameters(Tape<double> tape, ReadOnlySpan<float> phi)
    {
        var result = new List<Tensor<double>>();
        foreach (var tensor in rule.MetaParameters)
        {
            result.Add(tape.Variable(tape.Constant(Convert<float, double>(phi[..tensor.Shape.Count]), tensor.Shape)));
            phi = phi[tensor.Shape.Count..];
        }
        return [.. result];
    }

    /// <summary>In the order of the state that <see cref="ILearnedOptimizer.Start"/> gives; theta stands still.</summary>
    double[] StartState(IKernels<double> kernels)
    {
        if (_startState is not null) return _startState;
        using var arena = new Arena<double>();
        using var state = rule.Start(kernels, layout);
        state.SetParameters(Convert<float, double>(earlyPhi));
        foreach (var gradient in early)
            state.Step(arena.Copy(startTheta, new Shape(Coordinates)), arena.Copy(gradient, new Shape(Coordinates)));
        return _startState = state.State.Span.ToArray();
    }

    /// <summary>
    /// Largest relative error |a - b| / |b| over the tensors of phi; one that is less than <paramref name="least"/> of all of b
    /// is measured against that, as differences of the loss cannot show more digits of it.
    /// </summary>
    public double WorstRelativeError(double[] a, double[] b, double least = 0)
    {
        least *= Math.Sqrt(b.Sum(x => x * x));
        var (worst, at) = (0.0, 0);
        foreach (var tensor in rule.MetaParameters)
        {
            double difference = 0, size = 0;
            for (var i = at; i < at + tensor.Shape.Count; i++)
                (difference, size) = (difference + (a[i] - b[i]) * (a[i] - b[i]), size + b[i] * b[i]);
            worst = Math.Max(worst, Math.Sqrt(difference) / (size + least == 0 ? 1 : Math.Max(Math.Sqrt(size), least)));
            at += tensor.Shape.Count;
        }
        return worst;
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

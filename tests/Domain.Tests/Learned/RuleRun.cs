using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>A rule on given gradients, in double.</summary>
static class RuleRun
{
    /// <summary>Initial values with noise, so that no part of phi is zero.</summary>
    public static double[] Phi(ILearnedOptimizer rule, ulong seed, double noise = 0.1)
    {
        var phi = new float[rule.MetaParameterCount];
        rule.Initialise(seed, phi);
        var normal = new double[phi.Length];
        new RandomStream(seed, Split.Test, Purpose.Perturbation).FillNormal<double>(normal, noise);
        return [.. phi.Zip(normal, (x, n) => x + n)];
    }

    public static double[] Normal(int count, ulong seed, uint step)
    {
        var values = new double[count];
        new RandomStream(seed, Split.Test, Purpose.Instance, 0, step).FillNormal<double>(values, 1);
        return values;
    }

    /// <summary>theta after each step.</summary>
    public static List<double[]> Thetas(ILearnedOptimizer rule, double[] phi, Layout layout, double[] start,
        params double[][] gradients)
    {
        using var kernels = new ScalarKernels<double>();
        using var arena = new Arena<double>();
        using var state = rule.Start(kernels, layout);
        state.SetParameters(phi);
        var theta = arena.Copy(start, new Shape(layout.Count));
        var result = new List<double[]>();
        foreach (var gradient in gradients)
        {
            state.Step(theta, arena.Copy(gradient, theta.Shape));
            result.Add(theta.Span.ToArray());
        }
        return result;
    }

    public static void AssertClose(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], tolerance);
    }

    /// <summary>The part of phi called <paramref name="name"/>.</summary>
    public static Span<double> Part(ILearnedOptimizer rule, double[] phi, string name)
    {
        var at = 0;
        foreach (var tensor in rule.MetaParameters)
        {
            if (tensor.Name == name) return phi.AsSpan(at, tensor.Shape.Count);
            at += tensor.Shape.Count;
        }
        throw new ArgumentException($"phi has no {name}.");
    }
}

using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>A kernel set under test next to the reference in double, and the same numbers for both.</summary>
public sealed class KernelPair(string set, int threads = 2) : IDisposable
{
    readonly Random _random = new(1);
    Arena<float>? _singles;
    readonly Arena<double> _doubles = new();

    public IKernels<float> Single { get; } = KernelSets.Create(set, threads);

    Arena<float> Singles => _singles ??= Single.NewArena();

    public IKernels<double> Double { get; } = new ScalarKernels<double>();

    public Both Random(Shape shape, double low, double high) =>
        Of([.. Enumerable.Range(0, shape.Count).Select(_ => (float)(low + (high - low) * _random.NextDouble()))], shape);

    public Both Of(float[] values, Shape shape) =>
        new(Singles.Copy(values, shape), _doubles.Copy([.. values.Select(v => (double)v)], shape));

    public Both Empty(Shape shape) => new(Singles.Zeros(shape), _doubles.Zeros(shape));

    /// <summary>The two agree within tolerance x max(1, |value|).</summary>
    public void Same(Both both, double tolerance, string what)
    {
        var single = both.Single.ToArray();
        for (var i = 0; i < single.Length; i++)
        {
            var (got, want) = (single[i], both.Double.Span[i]);
            Assert.True(Math.Abs(got - want) <= tolerance * Math.Max(1, Math.Abs(want)),
                $"{Single.Name}, {what}: element {i} is {got:R}; expected {want:R}.");
        }
    }

    public void Dispose()
    {
        _singles?.Dispose();
        Single.Dispose();
        _doubles.Dispose();
    }
}

/// <summary>The same tensor twice.</summary>
public readonly struct Both(Tensor<float> single, Tensor<double> wide)
{
    public readonly Tensor<float> Single = single;
    public readonly Tensor<double> Double = wide;

    public Shape Shape => Single.Shape;
}

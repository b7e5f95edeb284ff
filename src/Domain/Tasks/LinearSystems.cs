using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>A random linear system W theta = y for each of B instances: what random least-squares problems are made of.</summary>
sealed class LinearSystems<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly Arena<T> _arena;
    readonly Tensor<T> _w; // [B, rows, columns]
    readonly Tensor<T> _y; // [B, rows, 1]

    public LinearSystems(IKernels<T> kernels, int count, int rows, int columns)
    {
        _arena = kernels.NewArena();
        _w = _arena.Zeros(new Shape(count, rows, columns));
        _y = _arena.Zeros(new Shape(count, rows, 1));
    }

    /// <summary>Draws the elements of W and y.</summary>
    public void Draw(in InstanceAddress address, QuadraticDistribution distribution)
    {
        Fill(address, distribution, _w, 0);
        Fill(address, distribution, _y, 1);
    }

    static void Fill(in InstanceAddress address, QuadraticDistribution distribution, Tensor<T> rows, int step)
    {
        if (distribution == QuadraticDistribution.Gaussian) address.FillNormal(Purpose.Instance, rows, 1, step);
        else address.FillUniform(Purpose.Instance, rows, 0, 1, step);
    }

    /// <summary>|W theta - y|^2 of each instance, [B], for theta [B, columns].</summary>
    public Tensor<T> SquaredResidual(Tape<T> tape, Tensor<T> theta)
    {
        var product = tape.MatMul(_w, tape.Reshape(theta, new Shape(_w.Shape.D0, _w.Shape.D2, 1)));
        return tape.Reshape(tape.SumAxis(tape.Square(tape.Subtract(product, _y)), 1), new Shape(_w.Shape.D0));
    }

    public void Dispose() => _arena.Dispose();
}

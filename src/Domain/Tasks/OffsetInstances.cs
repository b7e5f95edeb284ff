using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// f(theta - o) for a function f that all instances share and an offset o of each instance's own, from N(0, offsetDeviation
/// squared), so that the minimum's place cannot be learned by heart. theta_0 is drawn from N(0, initialDeviation squared).
/// </summary>
/// <param name="kernels">Where to compute.</param>
/// <param name="count">B.</param>
/// <param name="dimensions">d, coordinates of theta.</param>
/// <param name="offsetDeviation">Of the elements of o.</param>
/// <param name="initialDeviation">Of the elements of theta_0.</param>
/// <param name="function">f of each row of z [B, d]: [B].</param>
sealed class OffsetInstances<T>(
    IKernels<T> kernels, int count, int dimensions, double offsetDeviation, double initialDeviation,
    Func<Tape<T>, Tensor<T>, Tensor<T>> function)
    : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly Arena<T> _arena = kernels.NewArena();
    Tensor<T> _offset; // [B, d]
    InstanceAddress _address;

    public int Count => count;

    public void Draw(ulong seed, Split split, int first)
    {
        _address = new(seed, split, first);
        _arena.Reset();
        _offset = _arena.Take(new Shape(count, dimensions));
        _address.FillNormal(Purpose.Instance, _offset, offsetDeviation);
    }

    public void InitialTheta(Tensor<T> theta) => _address.FillNormal(Purpose.InitialTheta, theta, initialDeviation);

    public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step) => function(tape, tape.Subtract(theta, _offset));

    public void Dispose() => _arena.Dispose();
}

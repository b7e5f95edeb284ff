using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// A kernel set: the primitive and fused operations, and the memory they work on. Conventions: sources first, then
/// arguments, then the destination, which is <b>overwritten</b> unless the name says Add; source and destination may be the
/// same tensor for elementwise operations and must not overlap otherwise; shapes are checked by the tape, not here.
/// </summary>
public interface IKernels<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary><c>scalar</c> or <c>simd</c>: stored with each resume point.</summary>
    string Name { get; }

    /// <summary>Bits of the vectors in use (64 for plain double, 32 for plain float): stored with each resume point.</summary>
    int VectorBits { get; }

    /// <summary>Worker threads; results never depend on it.</summary>
    int Threads { get; }
}

using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MetaOpt.Compute;

/// <summary>Vectorised and multi-threaded: overrides what pays.</summary>
public sealed partial class SimdKernels : ScalarKernels<float>
{
    readonly WorkerPool _pool;

    /// <param name="threads">Threads that compute, the caller's included; at least 1.</param>
    public SimdKernels(int threads) => _pool = new WorkerPool(threads);

    /// <inheritdoc/>
    public override string Name => "simd";

    /// <inheritdoc/>
    public override int VectorBits => Avx512F.IsSupported ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <inheritdoc/>
    public override int Threads => _pool.Threads;

    /// <inheritdoc/>
    public override void Run<TJob>(int chunks, TJob job) => _pool.Run(chunks, ref job);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _pool.Dispose();
        base.Dispose();
    }
}

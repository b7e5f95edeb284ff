using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MetaOpt.Compute;

/// <summary>
/// Vectorised and multi-threaded: overrides what pays. Work is cut into chunks by sizes alone, and every sum has a fixed
/// order, so results are bit-identical for any number of threads. Vectors at the end of a tensor are read whole: see
/// <see cref="Arena{T}"/>.
/// </summary>
public sealed unsafe partial class SimdKernels : ScalarKernels<float>
{
    readonly WorkerPool _pool;

    /// <param name="threads">Threads that compute, the caller's included; at least 1.</param>
    /// <param name="vectorBits">512, 256 or 128; null: the widest that the processor has. Others work everywhere, slowly.</param>
    public SimdKernels(int threads, int? vectorBits = null)
    {
        if (vectorBits is not (null or 512 or 256 or 128))
            throw new ArgumentOutOfRangeException(nameof(vectorBits), vectorBits, "Vectors have 512, 256 or 128 bits.");
        _pool = new WorkerPool(threads);
        VectorBits = vectorBits ?? (Avx512F.IsSupported ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128);
    }

    /// <inheritdoc/>
    public override string Name => "simd";

    /// <inheritdoc/>
    public override int VectorBits { get; }

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

    void RunWide<TJob>(int chunks, TJob job) where TJob : struct, IWideJob => Run(chunks, new Wide<TJob>(job, VectorBits));

    static int Ceiling(long count, long size) => (int)((count + size - 1) / size);

    /// <summary>A chunk job written once for every vector width.</summary>
    interface IWideJob
    {
        void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>;
    }

    /// <summary>Runs it at one width.</summary>
    struct Wide<TJob>(TJob job, int vectorBits) : IChunkJob where TJob : struct, IWideJob
    {
        TJob _job = job;

        public void Run(int chunk)
        {
            if (vectorBits == 512) _job.Run<Vector512<float>, V512>(chunk);
            else if (vectorBits == 256) _job.Run<Vector256<float>, V256>(chunk);
            else _job.Run<Vector128<float>, V128>(chunk);
        }
    }
}

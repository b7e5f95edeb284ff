using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MetaOpt.Compute;

namespace MetaOpt.Bench;

/// <summary>The loops that measure the machine itself, at the width and on the threads of a kernel set.</summary>
static unsafe class Loops
{
    const int FmaChunks = 64;
    const int FmaIterations = 2048;
    const int Accumulators = 12;
    const int StreamChunk = 8192; // as the optimizers' chunks
    const int ClockIterations = 20_000;

    /// <summary>Floats in a vector of the kernel set.</summary>
    public static int Lanes(IKernels<float> kernels) => Math.Max(1, kernels.VectorBits / 32);

    /// <summary>Floating-point operations of one <see cref="MultiplyAdd"/>.</summary>
    public static double MultiplyAddFlops(IKernels<float> kernels) =>
        2.0 * FmaChunks * FmaIterations * Accumulators * Lanes(kernels);

    /// <summary>Fused multiply-adds into 12 registers that do not wait for each other; no memory.</summary>
    /// <param name="kernels">Width and threads.</param>
    /// <param name="sink">At least 64 elements, so that the compiler cannot drop the work.</param>
    public static void MultiplyAdd(IKernels<float> kernels, Tensor<float> sink)
    {
        switch (kernels.VectorBits)
        {
            case 512: kernels.Run(FmaChunks, new FmaJob<Vector512<float>, V512>(sink)); break;
            case 256: kernels.Run(FmaChunks, new FmaJob<Vector256<float>, V256>(sink)); break;
            case 128: kernels.Run(FmaChunks, new FmaJob<Vector128<float>, V128>(sink)); break;
            default: kernels.Run(FmaChunks, new FmaJob<float, ScalarOps<float>>(sink)); break;
        }
    }

    readonly struct FmaJob<V, O>(Tensor<float> sink) : IChunkJob where V : struct where O : IVectorOps<V, float>
    {
        public void Run(int chunk)
        {
            V a = O.Constant(0.999), b = O.Constant(chunk), start = O.Zero;
            V c0 = start, c1 = start, c2 = start, c3 = start, c4 = start, c5 = start;
            V c6 = start, c7 = start, c8 = start, c9 = start, c10 = start, c11 = start;
            for (var i = 0; i < FmaIterations; i++)
            {
                c0 = O.FusedMultiplyAdd(a, b, c0);
                c1 = O.FusedMultiplyAdd(a, b, c1);
                c2 = O.FusedMultiplyAdd(a, b, c2);
                c3 = O.FusedMultiplyAdd(a, b, c3);
                c4 = O.FusedMultiplyAdd(a, b, c4);
                c5 = O.FusedMultiplyAdd(a, b, c5);
                c6 = O.FusedMultiplyAdd(a, b, c6);
                c7 = O.FusedMultiplyAdd(a, b, c7);
                c8 = O.FusedMultiplyAdd(a, b, c8);
                c9 = O.FusedMultiplyAdd(a, b, c9);
                c10 = O.FusedMultiplyAdd(a, b, c10);
                c11 = O.FusedMultiplyAdd(a, b, c11);
            }
            var low = O.Add(O.Add(O.Add(c0, c1), O.Add(c2, c3)), O.Add(c4, c5));
            var high = O.Add(O.Add(O.Add(c6, c7), O.Add(c8, c9)), O.Add(c10, c11));
            sink.Data[chunk] = O.Sum(O.Add(low, high));
        }
    }

    /// <summary>Fused multiply-adds of one <see cref="DependentMultiplyAdds"/>.</summary>
    public const double ChainLength = 4.0 * ClockIterations;

    /// <summary>Fused multiply-adds that each wait for the last: the latency while vectors are in use.</summary>
    public static void DependentMultiplyAdds(IKernels<float> kernels, Tensor<float> sink)
    {
        switch (kernels.VectorBits)
        {
            case 512: Chain<Vector512<float>, V512>(sink); break;
            case 256: Chain<Vector256<float>, V256>(sink); break;
            case 128: Chain<Vector128<float>, V128>(sink); break;
            default: Chain<float, ScalarOps<float>>(sink); break;
        }
    }

    static void Chain<V, O>(Tensor<float> sink) where V : struct where O : IVectorOps<V, float>
    {
        V x = O.Constant(1), a = O.Constant(0.5), b = O.Constant(0.5);
        for (var i = 0; i < ClockIterations; i++)
        {
            x = O.FusedMultiplyAdd(x, a, b);
            x = O.FusedMultiplyAdd(x, a, b);
            x = O.FusedMultiplyAdd(x, a, b);
            x = O.FusedMultiplyAdd(x, a, b);
        }
        sink.Data[0] = O.Sum(x);
    }

    /// <summary>Clock cycles of one <see cref="Clock"/>: additions that wait for each other take one each.</summary>
    public const double ClockCycles = 16.0 * ClockIterations;

    /// <summary>A chain of dependent integer additions.</summary>
    public static void Clock(Tensor<float> sink)
    {
        ulong x = (ulong)sink.Data[0] | 1, y = x + 2;
        for (var i = 0; i < ClockIterations; i++)
        {
            x += y; y += x; x += y; y += x; x += y; y += x; x += y; y += x;
            x += y; y += x; x += y; y += x; x += y; y += x; x += y; y += x;
        }
        sink.Data[0] = x & 1;
    }

    /// <summary>A pass over memory: each written array becomes half of itself plus the read one.</summary>
    /// <param name="kernels">Width and threads.</param>
    /// <param name="written">Arrays that are read and written.</param>
    /// <param name="read">One array that is only read.</param>
    public static void Stream(IKernels<float> kernels, Tensor<float>[] written, Tensor<float> read)
    {
        var (a, b, c) = (written[0], written.Length > 1 ? written[1] : default, written.Length > 2 ? written[2] : default);
        var chunks = (read.Count + StreamChunk - 1) / StreamChunk;
        switch (kernels.VectorBits)
        {
            case 512: kernels.Run(chunks, new StreamJob<Vector512<float>, V512>(written.Length, a, b, c, read)); break;
            case 256: kernels.Run(chunks, new StreamJob<Vector256<float>, V256>(written.Length, a, b, c, read)); break;
            case 128: kernels.Run(chunks, new StreamJob<Vector128<float>, V128>(written.Length, a, b, c, read)); break;
            default: kernels.Run(chunks, new StreamJob<float, ScalarOps<float>>(written.Length, a, b, c, read)); break;
        }
    }

    /// <summary>Bytes that <see cref="Stream"/> moves for each element.</summary>
    public static int StreamBytes(int written) => 4 * (2 * written + 1);

    readonly struct StreamJob<V, O>(int written, Tensor<float> a, Tensor<float> b, Tensor<float> c, Tensor<float> read)
        : IChunkJob
        where V : struct
        where O : IVectorOps<V, float>
    {
        public void Run(int chunk)
        {
            var (from, to) = (chunk * StreamChunk, Math.Min(read.Count, (chunk + 1) * StreamChunk) / O.Width * O.Width);
            var half = O.Constant(0.5);
            switch (written)
            {
                case 1:
                    for (var i = from; i < to; i += O.Width) Update(a.Data + i, half, O.Load(read.Data + i));
                    break;
                case 2:
                    for (var i = from; i < to; i += O.Width)
                    {
                        var x = O.Load(read.Data + i);
                        Update(a.Data + i, half, x);
                        Update(b.Data + i, half, x);
                    }
                    break;
                default:
                    for (var i = from; i < to; i += O.Width)
                    {
                        var x = O.Load(read.Data + i);
                        Update(a.Data + i, half, x);
                        Update(b.Data + i, half, x);
                        Update(c.Data + i, half, x);
                    }
                    break;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Update(float* at, V half, V x) => O.Store(at, O.FusedMultiplyAdd(half, O.Load(at), x));
    }
}

using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <content>
/// sin(pi x) and cos(pi x): reducing x to a half turn is exact, so that no digit is lost however large x is; what is left is one
/// polynomial for sin(pi r) on |r| up to 1/2 (interpolated at Chebyshev's nodes; relative error 7e-9).
/// </content>
public sealed unsafe partial class SimdKernels
{
    struct SinPi : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float>
        {
            var r = O.CopySign(O.Constant(1), x);
            r = O.Multiply(r, HalfTurns<V, O>(x)); // -1..1
            var size = O.Abs(r);
            return SinOfHalfTurn<V, O>(O.CopySign(O.Min(size, O.Subtract(O.Constant(1), size)), r));
        }
    }

    struct CosPi : IMapFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Apply<V, O>(V x, V a, V b) where V : struct where O : IVectorOps<V, float> =>
            SinOfHalfTurn<V, O>(O.Subtract(O.Constant(0.5), O.Abs(HalfTurns<V, O>(x))));
    }

    /// <summary>|x| less a multiple of 2, within -1..1; NaN for infinities. Floats from 2^24 on are even numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V HalfTurns<V, O>(V x) where V : struct where O : IVectorOps<V, float>
    {
        x = O.Abs(x);
        x = O.SelectGreaterEqual(x, O.Constant(16777216), O.Subtract(x, x), x);
        // From 2^23 on the first rounding is to multiples of 4.
        return WithoutTurns<V, O>(WithoutTurns<V, O>(x));
    }

    /// <summary>x - 2 round(x / 2), for x within -1..2^24.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V WithoutTurns<V, O>(V x) where V : struct where O : IVectorOps<V, float>
    {
        var shifter = O.Constant(12582912); // 1.5 2^23: what is added to it is rounded to a whole number
        var turns = O.Subtract(O.FusedMultiplyAdd(x, O.Constant(0.5), shifter), shifter);
        return O.FusedMultiplyAdd(turns, O.Constant(-2), x);
    }

    /// <summary>sin(pi r) for |r| up to 1/2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V SinOfHalfTurn<V, O>(V r) where V : struct where O : IVectorOps<V, float>
    {
        var z = O.Multiply(r, r);
        var p = O.FusedMultiplyAdd(O.Constant(0.07765591227826862), z, O.Constant(-0.598290411284767));
        p = O.FusedMultiplyAdd(p, z, O.Constant(2.550077386529162));
        p = O.FusedMultiplyAdd(p, z, O.Constant(-5.167710076668327));
        p = O.FusedMultiplyAdd(p, z, O.Constant(3.1415926400772034));
        return O.Multiply(p, r);
    }
}

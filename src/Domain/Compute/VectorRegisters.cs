using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MetaOpt.Compute;

#pragma warning disable CS1591 // documented on IVectorOps
/// <summary>16 floats (AVX-512); use it where <c>Avx512F.IsSupported</c>.</summary>
public readonly struct V512 : IVectorOps<Vector512<float>, float>, IFloatBits<Vector512<float>>
{
    public static int Width => Vector512<float>.Count;
    public static Vector512<float> Zero => Vector512<float>.Zero;
    [MethodImpl(Inline)]
    public static unsafe Vector512<float> Load(float* source) => Vector512.Load(source);
    [MethodImpl(Inline)]
    public static unsafe void Store(float* destination, Vector512<float> value) => value.Store(destination);
    [MethodImpl(Inline)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);
    [MethodImpl(Inline)]
    public static Vector512<float> Constant(double value) => Vector512.Create((float)value);
    [MethodImpl(Inline)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;
    [MethodImpl(Inline)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;
    [MethodImpl(Inline)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;
    [MethodImpl(Inline)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;
    [MethodImpl(Inline)]
    public static Vector512<float> FusedMultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.FusedMultiplyAdd(a, b, c);
    [MethodImpl(Inline)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.Max(a, b);
    [MethodImpl(Inline)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.Min(a, b);
    [MethodImpl(Inline)]
    public static Vector512<float> Clamp(Vector512<float> x, Vector512<float> low, Vector512<float> high) =>
        Vector512.MinNative(high, Vector512.MaxNative(low, x)); // a NaN in the second operand stays
    [MethodImpl(Inline)]
    public static Vector512<float> Negate(Vector512<float> x) => -x;
    [MethodImpl(Inline)]
    public static Vector512<float> Abs(Vector512<float> x) => Vector512.Abs(x);
    [MethodImpl(Inline)]
    public static Vector512<float> CopySign(Vector512<float> magnitude, Vector512<float> sign) =>
        Vector512.ConditionalSelect(Vector512.Create(-0f), sign, magnitude);
    [MethodImpl(Inline)]
    public static Vector512<float> Sqrt(Vector512<float> x) => Vector512.Sqrt(x);
    [MethodImpl(Inline)]
    public static Vector512<float> SelectGreaterEqual(
        Vector512<float> a, Vector512<float> b, Vector512<float> yes, Vector512<float> no) =>
        Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(a, b), yes, no);
    [MethodImpl(Inline)]
    public static Vector512<float> Exp(Vector512<float> x) => VectorMaths<Vector512<float>, V512>.Exp(x);
    [MethodImpl(Inline)]
    public static Vector512<float> Log(Vector512<float> x) => VectorMaths<Vector512<float>, V512>.Log(x);
    [MethodImpl(Inline)]
    public static Vector512<float> Tanh(Vector512<float> x) => VectorMaths<Vector512<float>, V512>.Tanh(x);
    [MethodImpl(Inline)]
    public static Vector512<float> Sigmoid(Vector512<float> x) => VectorMaths<Vector512<float>, V512>.Sigmoid(x);
    [MethodImpl(Inline)]
    public static Vector512<float> OnePlusPowerOfTwo(Vector512<float> x) =>
        VectorMaths<Vector512<float>, V512>.OnePlusPowerOfTwo(x);
    [MethodImpl(Inline)]
    public static Vector512<float> TanhFraction(Vector512<float> x, out Vector512<float> denominator) =>
        VectorMaths<Vector512<float>, V512>.TanhFraction(x, out denominator);

    [MethodImpl(Inline)]
    public static float Sum(Vector512<float> x) => V256.Sum(x.GetLower() + x.GetUpper());

    [MethodImpl(Inline)]
    public static Vector512<float> ScaleByPowerOfTwo(Vector512<float> value, Vector512<float> shifted)
    {
        var n = shifted.AsInt32() - Vector512.Create(0x4B400000);
        var half = Vector512.ShiftRightArithmetic(n, 1);
        var bias = Vector512.Create(127);
        var first = Vector512.ShiftLeft(half + bias, 23).AsSingle();
        return value * first * Vector512.ShiftLeft(n - half + bias, 23).AsSingle();
    }

    [MethodImpl(Inline)]
    public static Vector512<float> PowerOfTwo(Vector512<float> shifted) =>
        (Vector512.ShiftLeft(shifted.AsInt32(), 23) + Vector512.Create(0x3F800000)).AsSingle();

    [MethodImpl(Inline)]
    public static Vector512<float> SplitMantissa(Vector512<float> x, out Vector512<float> exponent)
    {
        var origin = Vector512.Create(0x3F3504F3); // sqrt(1/2)
        var offset = x.AsInt32() - origin;
        var n = Vector512.ShiftRightArithmetic(offset, 23);
        exponent = Vector512.ConvertToSingle(n);
        return (x.AsInt32() - Vector512.ShiftLeft(n, 23)).AsSingle();
    }

    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}

/// <summary>8 floats (AVX2).</summary>
public readonly struct V256 : IVectorOps<Vector256<float>, float>, IFloatBits<Vector256<float>>
{
    public static int Width => Vector256<float>.Count;
    public static Vector256<float> Zero => Vector256<float>.Zero;
    [MethodImpl(Inline)]
    public static unsafe Vector256<float> Load(float* source) => Vector256.Load(source);
    [MethodImpl(Inline)]
    public static unsafe void Store(float* destination, Vector256<float> value) => value.Store(destination);
    [MethodImpl(Inline)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);
    [MethodImpl(Inline)]
    public static Vector256<float> Constant(double value) => Vector256.Create((float)value);
    [MethodImpl(Inline)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;
    [MethodImpl(Inline)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;
    [MethodImpl(Inline)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;
    [MethodImpl(Inline)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;
    [MethodImpl(Inline)]
    public static Vector256<float> FusedMultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.FusedMultiplyAdd(a, b, c);
    [MethodImpl(Inline)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.Max(a, b);
    [MethodImpl(Inline)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Vector256.Min(a, b);
    [MethodImpl(Inline)]
    public static Vector256<float> Clamp(Vector256<float> x, Vector256<float> low, Vector256<float> high) =>
        Vector256.MinNative(high, Vector256.MaxNative(low, x)); // a NaN in the second operand stays
    [MethodImpl(Inline)]
    public static Vector256<float> Negate(Vector256<float> x) => -x;
    [MethodImpl(Inline)]
    public static Vector256<float> Abs(Vector256<float> x) => Vector256.Abs(x);
    [MethodImpl(Inline)]
    public static Vector256<float> CopySign(Vector256<float> magnitude, Vector256<float> sign) =>
        Vector256.ConditionalSelect(Vector256.Create(-0f), sign, magnitude);
    [MethodImpl(Inline)]
    public static Vector256<float> Sqrt(Vector256<float> x) => Vector256.Sqrt(x);
    [MethodImpl(Inline)]
    public static Vector256<float> SelectGreaterEqual(
        Vector256<float> a, Vector256<float> b, Vector256<float> yes, Vector256<float> no) =>
        Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(a, b), yes, no);
    [MethodImpl(Inline)]
    public static Vector256<float> Exp(Vector256<float> x) => VectorMaths<Vector256<float>, V256>.Exp(x);
    [MethodImpl(Inline)]
    public static Vector256<float> Log(Vector256<float> x) => VectorMaths<Vector256<float>, V256>.Log(x);
    [MethodImpl(Inline)]
    public static Vector256<float> Tanh(Vector256<float> x) => VectorMaths<Vector256<float>, V256>.Tanh(x);
    [MethodImpl(Inline)]
    public static Vector256<float> Sigmoid(Vector256<float> x) => VectorMaths<Vector256<float>, V256>.Sigmoid(x);
    [MethodImpl(Inline)]
    public static Vector256<float> OnePlusPowerOfTwo(Vector256<float> x) =>
        VectorMaths<Vector256<float>, V256>.OnePlusPowerOfTwo(x);
    [MethodImpl(Inline)]
    public static Vector256<float> TanhFraction(Vector256<float> x, out Vector256<float> denominator) =>
        VectorMaths<Vector256<float>, V256>.TanhFraction(x, out denominator);

    [MethodImpl(Inline)]
    public static float Sum(Vector256<float> x) => V128.Sum(x.GetLower() + x.GetUpper());

    [MethodImpl(Inline)]
    public static Vector256<float> ScaleByPowerOfTwo(Vector256<float> value, Vector256<float> shifted)
    {
        var n = shifted.AsInt32() - Vector256.Create(0x4B400000);
        var half = Vector256.ShiftRightArithmetic(n, 1);
        var bias = Vector256.Create(127);
        var first = Vector256.ShiftLeft(half + bias, 23).AsSingle();
        return value * first * Vector256.ShiftLeft(n - half + bias, 23).AsSingle();
    }

    [MethodImpl(Inline)]
    public static Vector256<float> PowerOfTwo(Vector256<float> shifted) =>
        (Vector256.ShiftLeft(shifted.AsInt32(), 23) + Vector256.Create(0x3F800000)).AsSingle();

    [MethodImpl(Inline)]
    public static Vector256<float> SplitMantissa(Vector256<float> x, out Vector256<float> exponent)
    {
        var origin = Vector256.Create(0x3F3504F3); // sqrt(1/2)
        var offset = x.AsInt32() - origin;
        var n = Vector256.ShiftRightArithmetic(offset, 23);
        exponent = Vector256.ConvertToSingle(n);
        return (x.AsInt32() - Vector256.ShiftLeft(n, 23)).AsSingle();
    }

    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}

/// <summary>4 floats (NEON, SSE).</summary>
public readonly struct V128 : IVectorOps<Vector128<float>, float>, IFloatBits<Vector128<float>>
{
    public static int Width => Vector128<float>.Count;
    public static Vector128<float> Zero => Vector128<float>.Zero;
    [MethodImpl(Inline)]
    public static unsafe Vector128<float> Load(float* source) => Vector128.Load(source);
    [MethodImpl(Inline)]
    public static unsafe void Store(float* destination, Vector128<float> value) => value.Store(destination);
    [MethodImpl(Inline)]
    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);
    [MethodImpl(Inline)]
    public static Vector128<float> Constant(double value) => Vector128.Create((float)value);
    [MethodImpl(Inline)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;
    [MethodImpl(Inline)]
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;
    [MethodImpl(Inline)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;
    [MethodImpl(Inline)]
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;
    [MethodImpl(Inline)]
    public static Vector128<float> FusedMultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.FusedMultiplyAdd(a, b, c);
    [MethodImpl(Inline)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.Max(a, b);
    [MethodImpl(Inline)]
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.Min(a, b);
    [MethodImpl(Inline)]
    public static Vector128<float> Clamp(Vector128<float> x, Vector128<float> low, Vector128<float> high) =>
        Vector128.MinNative(high, Vector128.MaxNative(low, x)); // a NaN in the second operand stays
    [MethodImpl(Inline)]
    public static Vector128<float> Negate(Vector128<float> x) => -x;
    [MethodImpl(Inline)]
    public static Vector128<float> Abs(Vector128<float> x) => Vector128.Abs(x);
    [MethodImpl(Inline)]
    public static Vector128<float> CopySign(Vector128<float> magnitude, Vector128<float> sign) =>
        Vector128.ConditionalSelect(Vector128.Create(-0f), sign, magnitude);
    [MethodImpl(Inline)]
    public static Vector128<float> Sqrt(Vector128<float> x) => Vector128.Sqrt(x);
    [MethodImpl(Inline)]
    public static Vector128<float> SelectGreaterEqual(
        Vector128<float> a, Vector128<float> b, Vector128<float> yes, Vector128<float> no) =>
        Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(a, b), yes, no);
    [MethodImpl(Inline)]
    public static Vector128<float> Exp(Vector128<float> x) => VectorMaths<Vector128<float>, V128>.Exp(x);
    [MethodImpl(Inline)]
    public static Vector128<float> Log(Vector128<float> x) => VectorMaths<Vector128<float>, V128>.Log(x);
    [MethodImpl(Inline)]
    public static Vector128<float> Tanh(Vector128<float> x) => VectorMaths<Vector128<float>, V128>.Tanh(x);
    [MethodImpl(Inline)]
    public static Vector128<float> Sigmoid(Vector128<float> x) => VectorMaths<Vector128<float>, V128>.Sigmoid(x);
    [MethodImpl(Inline)]
    public static Vector128<float> OnePlusPowerOfTwo(Vector128<float> x) =>
        VectorMaths<Vector128<float>, V128>.OnePlusPowerOfTwo(x);
    [MethodImpl(Inline)]
    public static Vector128<float> TanhFraction(Vector128<float> x, out Vector128<float> denominator) =>
        VectorMaths<Vector128<float>, V128>.TanhFraction(x, out denominator);

    [MethodImpl(Inline)]
    public static float Sum(Vector128<float> x)
    {
        var pairs = x + Vector128.Shuffle(x, Vector128.Create(2, 3, 0, 1));
        return pairs[0] + pairs[1];
    }

    [MethodImpl(Inline)]
    public static Vector128<float> ScaleByPowerOfTwo(Vector128<float> value, Vector128<float> shifted)
    {
        var n = shifted.AsInt32() - Vector128.Create(0x4B400000);
        var half = Vector128.ShiftRightArithmetic(n, 1);
        var bias = Vector128.Create(127);
        var first = Vector128.ShiftLeft(half + bias, 23).AsSingle();
        return value * first * Vector128.ShiftLeft(n - half + bias, 23).AsSingle();
    }

    [MethodImpl(Inline)]
    public static Vector128<float> PowerOfTwo(Vector128<float> shifted) =>
        (Vector128.ShiftLeft(shifted.AsInt32(), 23) + Vector128.Create(0x3F800000)).AsSingle();

    [MethodImpl(Inline)]
    public static Vector128<float> SplitMantissa(Vector128<float> x, out Vector128<float> exponent)
    {
        var origin = Vector128.Create(0x3F3504F3); // sqrt(1/2)
        var offset = x.AsInt32() - origin;
        var n = Vector128.ShiftRightArithmetic(offset, 23);
        exponent = Vector128.ConvertToSingle(n);
        return (x.AsInt32() - Vector128.ShiftLeft(n, 23)).AsSingle();
    }

    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}

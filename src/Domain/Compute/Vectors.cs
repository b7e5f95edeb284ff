using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <summary>
/// One vector register of <typeparamref name="E"/> as a type parameter: a kernel written once over <typeparamref name="V"/>
/// runs at every width. All operations are exact IEEE operations or the polynomials of <see cref="VectorMaths{V, O}"/>, so a
/// lane's result depends on that lane's inputs only.
/// </summary>
/// <typeparam name="V">The register: a <c>Vector512/256/128&lt;float&gt;</c>, or a plain <c>float</c> or
/// <c>double</c>.</typeparam>
/// <typeparam name="E">Its element.</typeparam>
public unsafe interface IVectorOps<V, E> where V : struct where E : unmanaged
{
    /// <summary>Lanes.</summary>
    static abstract int Width { get; }
    /// <summary>All lanes zero.</summary>
    static abstract V Zero { get; }
    /// <summary>Reads Width elements; no alignment needed.</summary>
    static abstract V Load(E* source);
    /// <summary>Writes Width elements; no alignment needed.</summary>
    static abstract void Store(E* destination, V value);
    /// <summary>The same element in every lane.</summary>
    static abstract V Broadcast(E value);
    /// <summary>The same constant, rounded to <typeparamref name="E"/>, in every lane.</summary>
    static abstract V Constant(double value);
    /// <summary>a + b.</summary>
    static abstract V Add(V a, V b);
    /// <summary>a - b.</summary>
    static abstract V Subtract(V a, V b);
    /// <summary>a b.</summary>
    static abstract V Multiply(V a, V b);
    /// <summary>a / b.</summary>
    static abstract V Divide(V a, V b);
    /// <summary>a b + c, rounded once.</summary>
    static abstract V FusedMultiplyAdd(V a, V b, V c);
    /// <summary>The larger; NaN if one is NaN.</summary>
    static abstract V Max(V a, V b);
    /// <summary>The smaller; NaN if one is NaN.</summary>
    static abstract V Min(V a, V b);
    /// <summary>x held between two bounds; NaN stays NaN.</summary>
    static abstract V Clamp(V x, V low, V high);
    /// <summary>-x.</summary>
    static abstract V Negate(V x);
    /// <summary>|x|.</summary>
    static abstract V Abs(V x);
    /// <summary>|magnitude| with the sign bit of <paramref name="sign"/>.</summary>
    static abstract V CopySign(V magnitude, V sign);
    /// <summary>Square root, correctly rounded.</summary>
    static abstract V Sqrt(V x);
    /// <summary>a >= b ? yes : no, lane by lane (NaN: no).</summary>
    static abstract V SelectGreaterEqual(V a, V b, V yes, V no);
    /// <summary>e^x; relative error below 2e-7 in float; 0 and infinity where it under- and overflows.</summary>
    static abstract V Exp(V x);
    /// <summary>Natural logarithm; -infinity at 0, NaN below; relative error below 3e-7 in float.</summary>
    static abstract V Log(V x);
    /// <summary>Hyperbolic tangent; relative error below 4e-7 in float; -1 and 1 at the ends.</summary>
    static abstract V Tanh(V x);
    /// <summary>1 / (1 + e^-x), without overflow; relative error below 4e-7 in float.</summary>
    static abstract V Sigmoid(V x);
    /// <summary>
    /// 1 + 2^x, with x held within -62..62 so that a product of two is finite; relative error below 3e-7 in float.
    /// </summary>
    static abstract V OnePlusPowerOfTwo(V x);
    /// <summary>
    /// tanh x as a quotient that is still to be divided; the denominator lies in 1..500. Relative error below 4e-7 in float.
    /// </summary>
    static abstract V TanhFraction(V x, out V denominator);
    /// <summary>The lanes added in a fixed order: the upper half to the lower one, and so on.</summary>
    static abstract E Sum(V x);
}

/// <summary>The two operations on a float's bits that the polynomials need.</summary>
public interface IFloatBits<V> where V : struct
{
    /// <summary>
    /// value 2^n, where <paramref name="shifted"/> is 1.5 2^23 + n as a float and -150 &lt;= n &lt;= 129; rounds to subnormals
    /// and infinity.
    /// </summary>
    static abstract V ScaleByPowerOfTwo(V value, V shifted);
    /// <summary>2^n, where <paramref name="shifted"/> is 1.5 2^23 + n as a float and -126 &lt;= n &lt;= 127.</summary>
    static abstract V PowerOfTwo(V shifted);
    /// <summary>x = mantissa 2^exponent with mantissa in [sqrt(1/2), sqrt(2)), for normal positive x.</summary>
    static abstract V SplitMantissa(V x, out V exponent);
}

/// <summary>
/// Elementary functions in float by range reduction and minimax polynomials (coefficients of e^x and ln x: Cephes, Moshier 1989).
/// </summary>
public static class VectorMaths<V, O> where V : struct where O : IVectorOps<V, float>, IFloatBits<V>
{
    /// <summary>e^x = 2^n e^r with |r| at most ln(2) / 2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp(V x)
    {
        var clamped = O.Clamp(x, O.Constant(-104), O.Constant(89));
        var shifted = O.FusedMultiplyAdd(clamped, O.Constant(1.44269504088896341), O.Constant(12582912));
        var n = O.Subtract(shifted, O.Constant(12582912));
        var r = O.FusedMultiplyAdd(n, O.Constant(-0.693359375), clamped);
        r = O.FusedMultiplyAdd(n, O.Constant(2.12194440e-4), r);
        var p = O.FusedMultiplyAdd(O.Constant(1.9875691500e-4), r, O.Constant(1.3981999507e-3));
        p = O.FusedMultiplyAdd(p, r, O.Constant(8.3334519073e-3));
        p = O.FusedMultiplyAdd(p, r, O.Constant(4.1665795894e-2));
        p = O.FusedMultiplyAdd(p, r, O.Constant(1.6666665459e-1));
        p = O.FusedMultiplyAdd(p, r, O.Constant(0.5));
        var y = O.Add(O.FusedMultiplyAdd(p, O.Multiply(r, r), r), O.Constant(1));
        return O.ScaleByPowerOfTwo(y, shifted);
    }

    /// <summary>ln x = n ln 2 + ln(1 + m).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log(V x)
    {
        var smallestNormal = O.Constant(1.17549435e-38);
        var normal = O.SelectGreaterEqual(x, smallestNormal, x, O.Multiply(x, O.Constant(16777216)));
        var m = O.Subtract(O.SplitMantissa(normal, out var n), O.Constant(1));
        n = O.SelectGreaterEqual(x, smallestNormal, n, O.Subtract(n, O.Constant(24)));
        var z = O.Multiply(m, m);
        var p = O.FusedMultiplyAdd(O.Constant(7.0376836292e-2), m, O.Constant(-1.1514610310e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(1.1676998740e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(-1.2420140846e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(1.4249322787e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(-1.6668057665e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(2.0000714765e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(-2.4999993993e-1));
        p = O.FusedMultiplyAdd(p, m, O.Constant(3.3333331174e-1));
        var y = O.Multiply(O.Multiply(p, m), z);
        y = O.FusedMultiplyAdd(n, O.Constant(-2.12194440e-4), y);
        y = O.FusedMultiplyAdd(z, O.Constant(-0.5), y);
        var result = O.FusedMultiplyAdd(n, O.Constant(0.693359375), O.Add(m, y));
        result = O.SelectGreaterEqual(x, O.Constant(double.PositiveInfinity), x, result);
        result = O.SelectGreaterEqual(x, O.Constant(1e-45), result, O.Constant(double.NaN));
        return O.SelectGreaterEqual(O.Negate(O.Abs(x)), O.Zero, O.Constant(double.NegativeInfinity), result);
    }

    /// <summary>2^x = 2^n 2^r with |r| at most 1/2; a minimax polynomial of degree 5.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V OnePlusPowerOfTwo(V x)
    {
        x = O.Clamp(x, O.Constant(-62), O.Constant(62));
        var shifted = O.Add(x, O.Constant(12582912));
        var r = O.Subtract(x, O.Subtract(shifted, O.Constant(12582912)));
        var p = O.FusedMultiplyAdd(O.Constant(1.326472731307149e-3), r, O.Constant(9.671512991189957e-3));
        p = O.FusedMultiplyAdd(p, r, O.Constant(5.550733581185341e-2));
        p = O.FusedMultiplyAdd(p, r, O.Constant(0.24022242426872253));
        p = O.FusedMultiplyAdd(p, r, O.Constant(0.6931470036506653));
        p = O.FusedMultiplyAdd(p, r, O.Constant(1));
        return O.FusedMultiplyAdd(p, O.PowerOfTwo(shifted), O.Constant(1));
    }

    /// <summary>x P(x^2) / Q(x^2), a minimax quotient of degrees 4 and 4 on |x| up to 9.02, where tanh rounds to 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V TanhFraction(V x, out V denominator)
    {
        x = O.Clamp(x, O.Constant(-9.02), O.Constant(9.02));
        var z = O.Multiply(x, x);
        var p = O.FusedMultiplyAdd(O.Constant(1.3319028707793225e-8), z, O.Constant(2.0583449375173485e-5));
        p = O.FusedMultiplyAdd(p, z, O.Constant(3.4940325814618183e-3));
        p = O.FusedMultiplyAdd(p, z, O.Constant(0.13379716257424581));
        p = O.FusedMultiplyAdd(p, z, O.Constant(0.9999999790104253));
        var q = O.FusedMultiplyAdd(O.Constant(7.762001561927209e-7), z, O.Constant(3.2830896348548576e-4));
        q = O.FusedMultiplyAdd(q, z, O.Constant(2.5871065622432597e-2));
        q = O.FusedMultiplyAdd(q, z, O.Constant(0.46713031495987545));
        denominator = O.FusedMultiplyAdd(q, z, O.Constant(1));
        return O.Multiply(x, p);
    }

    /// <summary>The quotient of <see cref="TanhFraction"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh(V x)
    {
        var numerator = O.TanhFraction(x, out var denominator);
        return O.Divide(numerator, denominator);
    }

    /// <summary>1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid(V x)
    {
        var e = O.Exp(O.Negate(O.Abs(x)));
        var one = O.Constant(1);
        return O.Divide(O.SelectGreaterEqual(x, O.Zero, one, e), O.Add(one, e));
    }
}

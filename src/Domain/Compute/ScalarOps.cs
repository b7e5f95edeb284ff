using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>A "vector" of one element: the readable reference, in float and in double, with the runtime's functions.</summary>
public readonly struct ScalarOps<E> : IVectorOps<E, E> where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
#pragma warning disable CS1591 // documented on the interface
    public static int Width => 1;
    public static E Zero => E.Zero;
    public static unsafe E Load(E* source) => *source;
    public static unsafe void Store(E* destination, E value) => *destination = value;
    public static E Broadcast(E value) => value;
    public static E Constant(double value) => E.CreateTruncating(value);
    public static E Add(E a, E b) => a + b;
    public static E Subtract(E a, E b) => a - b;
    public static E Multiply(E a, E b) => a * b;
    public static E Divide(E a, E b) => a / b;
    public static E FusedMultiplyAdd(E a, E b, E c) => E.FusedMultiplyAdd(a, b, c);
    public static E Max(E a, E b) => E.Max(a, b);
    public static E Min(E a, E b) => E.Min(a, b);
    public static E Clamp(E x, E low, E high) => x < low ? low : x > high ? high : x;
    public static E Negate(E x) => -x;
    public static E Abs(E x) => E.Abs(x);
    public static E CopySign(E magnitude, E sign) => E.CopySign(magnitude, sign);
    public static E Sqrt(E x) => E.Sqrt(x);
    public static E SelectGreaterEqual(E a, E b, E yes, E no) => a >= b ? yes : no;
    public static E Exp(E x) => E.Exp(x);
    public static E Log(E x) => E.Log(x);
    public static E Tanh(E x) => E.Tanh(x);
    public static E Sigmoid(E x) => E.Exp(-E.Abs(x)) is var e && x >= E.Zero ? E.One / (E.One + e) : e / (E.One + e);
    public static E OnePlusPowerOfTwo(E x) => E.One + E.Exp2(Clamp(x, Constant(-62), Constant(62)));
    public static E TanhFraction(E x, out E denominator)
    {
        denominator = E.One;
        return E.Tanh(x);
    }
    public static E Sum(E x) => x;
#pragma warning restore CS1591
}

using System.Runtime.Intrinsics;

namespace MetaOpt.Optimizers;

/// <summary>
/// Arithmetic on one row of coordinates. Sums are eight partial ones in double, added in a fixed order: the result is the same at
/// every vector width and for any number of threads.
/// </summary>
static unsafe class Row
{
    /// <summary>x'y; the products of floats are exact in double.</summary>
    public static double Dot(float* x, float* y, int count)
    {
        var (even, odd) = (Vector256<double>.Zero, Vector256<double>.Zero);
        var i = 0;
        for (; i <= count - 8; i += 8)
        {
            var (x0, x1) = Vector256.Widen(Vector256.Load(x + i));
            var (y0, y1) = Vector256.Widen(Vector256.Load(y + i));
            even += x0 * y0;
            odd += x1 * y1;
        }
        var sum = Total(even + odd);
        for (; i < count; i++) sum += (double)x[i] * y[i];
        return sum;
    }

    /// <summary>|x|_1.</summary>
    public static double SumOfSizes(float* x, int count)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++) sum += Math.Abs(x[i]);
        return sum;
    }

    /// <summary>y += a x, each element rounded once.</summary>
    public static void AddScaled(float* y, double a, float* x, int count)
    {
        var (factor, factors) = ((float)a, Vector256.Create((float)a));
        var i = 0;
        for (; i <= count - 8; i += 8)
            Vector256.FusedMultiplyAdd(factors, Vector256.Load(x + i), Vector256.Load(y + i)).Store(y + i);
        for (; i < count; i++) y[i] = MathF.FusedMultiplyAdd(factor, x[i], y[i]);
    }

    static double Total(Vector256<double> x) => x[0] + x[1] + (x[2] + x[3]);
}

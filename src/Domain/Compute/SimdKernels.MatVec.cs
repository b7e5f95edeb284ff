using System.Runtime.CompilerServices;

namespace MetaOpt.Compute;

/// <content>Matrix times vector: rows are dot products, or, for a transposed matrix, columns are accumulated side by
/// side.</content>
public sealed unsafe partial class SimdKernels
{
    readonly struct MatVecJob(float* matrix, bool transposed, float* vector, float* z, Units units) : IWideJob
    {
        public void Run<V, O>(int chunk) where V : struct where O : IVectorOps<V, float>
        {
            var (m, k) = (units.Sizes.M, units.Sizes.K);
            var (first, end) = units.Of(chunk);
            for (var unit = first; unit < end; unit++)
            {
                var batch = unit / units.PerProduct;
                var row = unit % units.PerProduct * units.Rows;
                var rows = Math.Min(units.Rows, m - row);
                var a = matrix + (long)batch * m * k;
                var b = vector + (long)batch * k;
                var c = z + (long)batch * m + row;
                if (transposed) Columns<V, O>(a + row, m, b, k, c, rows);
                else if (k < 2 * O.Width) ShortRows(a + (long)row * k, b, k, c, rows);
                else LongRows<V, O>(a + (long)row * k, b, k, c, rows);
            }
        }

        /// <summary>Four rows at a time, one element at a time: horizontal sums would cost more than they save.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void ShortRows(float* a, float* b, int k, float* c, int rows)
        {
            var row = 0;
            for (; row + 4 <= rows; row += 4, a += 4 * k)
            {
                float c0 = 0, c1 = 0, c2 = 0, c3 = 0;
                for (var i = 0; i < k; i++)
                {
                    var x = b[i];
                    c0 = MathF.FusedMultiplyAdd(a[i], x, c0);
                    c1 = MathF.FusedMultiplyAdd(a[k + i], x, c1);
                    c2 = MathF.FusedMultiplyAdd(a[2 * k + i], x, c2);
                    c3 = MathF.FusedMultiplyAdd(a[3 * k + i], x, c3);
                }
                (c[row], c[row + 1], c[row + 2], c[row + 3]) = (c0, c1, c2, c3);
            }
            for (; row < rows; row++, a += k)
            {
                var sum = 0f;
                for (var i = 0; i < k; i++) sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
                c[row] = sum;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void LongRows<V, O>(float* a, float* b, int k, float* c, int rows) where V : struct where O : IVectorOps<V, float>
        {
            for (var row = 0; row < rows; row++, a += k)
            {
                var (even, odd, i) = (O.Zero, O.Zero, 0);
                for (; i <= k - 2 * O.Width; i += 2 * O.Width)
                {
                    even = O.FusedMultiplyAdd(O.Load(a + i), O.Load(b + i), even);
                    odd = O.FusedMultiplyAdd(O.Load(a + i + O.Width), O.Load(b + i + O.Width), odd);
                }
                var sum = O.Sum(O.Add(even, odd));
                for (; i < k; i++) sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
                c[row] = sum;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void Columns<V, O>(float* a, int stride, float* b, int k, float* c, int columns)
            where V : struct where O : IVectorOps<V, float>
        {
            for (var column = 0; column < columns; column += 2 * O.Width)
            {
                var (left, right) = (O.Zero, O.Zero);
                var row = a + column;
                for (var i = 0; i < k; i++, row += stride)
                {
                    var x = O.Broadcast(b[i]);
                    left = O.FusedMultiplyAdd(x, O.Load(row), left);
                    right = O.FusedMultiplyAdd(x, O.Load(row + O.Width), right);
                }
                Put<V, O>(c + column, columns - column, left);
                if (columns - column > O.Width) Put<V, O>(c + column + O.Width, columns - column - O.Width, right);
            }
        }
    }
}

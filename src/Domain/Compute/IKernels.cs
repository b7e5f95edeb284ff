using System.Collections.ObjectModel;
using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// A kernel set: the primitive and fused operations, and the memory they work on. This file is the numerical
/// specification. Conventions: sources first, then arguments, then the destination, which is <b>overwritten</b>; source and
/// destination may be the same tensor for elementwise operations (Map, Zip, Select, Fill) and must not overlap otherwise;
/// shapes are checked by the tape, not here. Results depend on sizes and values only, never on the number of threads.
/// </summary>
public partial interface IKernels<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary><c>scalar</c> or <c>simd</c>: stored with each resume point.</summary>
    string Name { get; }

    /// <summary>Bits of the vectors in use (64 for plain double, 32 for plain float): stored with each resume point.</summary>
    int VectorBits { get; }

    /// <summary>
    /// Name of the arithmetic, each of which rounds in its own way: stored with each resume point, which goes on under the same
    /// alone.
    /// </summary>
    string Identity => FormattableString.Invariant($"{Name}/{VectorBits}");

    /// <summary>The device and its libraries, by name; becomes part of a run's metadata.</summary>
    IReadOnlyDictionary<string, string> Facts => ReadOnlyDictionary<string, string>.Empty;

    /// <summary>
    /// From now on matrix products and convolutions multiply in bfloat16; the LSTM's fused kernels do not. False: it cannot.
    /// </summary>
    bool UseBfloat16Products() => false;

    /// <summary>
    /// The set that computes in the host's memory: this one, or beside one whose arenas lie on a device the one for jobs
    /// (<see cref="Run"/>), which follow addresses, and for what is too small for the way to the device.
    /// </summary>
    IKernels<T> Host => this;

    /// <summary>Threads that compute, the caller's included; results never depend on it.</summary>
    int Threads { get; }

    /// <summary>Memory that this kernel set can compute on.</summary>
    Arena<T> NewArena(long blockElements = 1 << 16);

    /// <summary>
    /// Runs the job's chunks 0 .. chunks - 1, each exactly once, in any order and on any of the threads, and returns when
    /// all are done, in the host's memory. Without allocation. A job started from within a chunk runs on that thread alone. The
    /// first exception is rethrown.
    /// </summary>
    void Run<TJob>(int chunks, TJob job) where TJob : struct, IChunkJob;

    /// <summary>y_i = value.</summary>
    void Fill(T value, Tensor<T> y);

    /// <summary>y_i = op(x_i; a, b), see <see cref="MapOp"/>.</summary>
    void Map(MapOp op, Tensor<T> x, T a, T b, Tensor<T> y);

    /// <summary>z_i = x_i op y_i, see <see cref="ZipOp"/>; equal counts.</summary>
    void Zip(ZipOp op, Tensor<T> x, Tensor<T> y, Tensor<T> z);

    /// <summary>z_i = mask_i is not 0 ? x_i : y_i; the other branch is not looked at.</summary>
    void Select(Tensor<T> mask, Tensor<T> x, Tensor<T> y, Tensor<T> z);

    /// <summary>
    /// z [M, N] = op(x) op(y) with op(x) [M, K] stored as [K, M] if <paramref name="transposeX"/>, op(y) [K, N] stored as
    /// [N, K] if <paramref name="transposeY"/>; with three dimensions the first counts independent products.
    /// </summary>
    void MatMul(Tensor<T> x, bool transposeX, Tensor<T> y, bool transposeY, Tensor<T> z);

    /// <summary>y [.., N, M] = x [.., M, N] with the last two axes swapped (rank 2 or 3).</summary>
    void Transpose(Tensor<T> x, Tensor<T> y);

    /// <summary>y = the sum of x over <paramref name="axis"/>, where y has size 1.</summary>
    void SumAxis(Tensor<T> x, int axis, Tensor<T> y);

    /// <summary>y = x, whose size along <paramref name="axis"/> is 1, repeated.</summary>
    void Broadcast(Tensor<T> x, int axis, Tensor<T> y);

    /// <summary>y = x from <paramref name="start"/> on along <paramref name="axis"/>; y's shape says how many.</summary>
    void Slice(Tensor<T> x, int axis, int start, Tensor<T> y);

    /// <summary>y = x at <paramref name="before"/> along <paramref name="axis"/>, zeros elsewhere.</summary>
    void Pad(Tensor<T> x, int axis, int before, Tensor<T> y);

    /// <summary>y [R, C]: each row of x [R, C] as e^x_c / sum e^x, shifted by its maximum.</summary>
    void Softmax(Tensor<T> x, Tensor<T> y);

    /// <summary>loss_r = log sum_c e^x_rc - x_r,label: x [R, C], labels [R] are whole numbers 0 .. C - 1, loss [R].</summary>
    void SoftmaxCrossEntropy(Tensor<T> x, Tensor<T> labels, Tensor<T> loss);

    /// <summary>y [R, C]: 1 at each row's label, else 0.</summary>
    void OneHot(Tensor<T> labels, Tensor<T> y);

    /// <summary>
    /// y [R, width]: row r is scale times the bytes of row rows[r] of <paramref name="source"/> (row-major, in host memory);
    /// how a mini-batch is gathered.
    /// </summary>
    void GatherRows(byte[] source, int width, int[] rows, T scale, Tensor<T> y);
}

/// <summary>
/// Work that is split into independent chunks; how many depends on sizes alone. A struct, so that running it allocates nothing.
/// </summary>
public interface IChunkJob
{
    /// <summary>Does chunk <paramref name="chunk"/>.</summary>
    void Run(int chunk);
}

/// <summary>Elementwise functions of one tensor and two scalars a, b.</summary>
public enum MapOp
{
    /// <summary>a x</summary>
    Scale,
    /// <summary>x + a</summary>
    AddScalar,
    /// <summary>1 / (1 + e^-x)</summary>
    Sigmoid,
    /// <summary>tanh x</summary>
    Tanh,
    /// <summary>max(x, 0)</summary>
    Relu,
    /// <summary>x > 0 ? 1 : 0, the derivative of relu</summary>
    Positive,
    /// <summary>x > 0 ? x : e^x - 1</summary>
    Elu,
    /// <summary>e^x</summary>
    Exp,
    /// <summary>ln x</summary>
    Log,
    /// <summary>square root of x</summary>
    Sqrt,
    /// <summary>sin(pi x)</summary>
    SinPi,
    /// <summary>cos(pi x)</summary>
    CosPi,
    /// <summary>x x</summary>
    Square,
    /// <summary>|x|</summary>
    Abs,
    /// <summary>x > 0 ? 1 : x &lt; 0 ? -1 : 0</summary>
    Sign,
    /// <summary>min(max(x, a), b); NaN stays NaN</summary>
    Clamp,
    /// <summary>a &lt;= x &lt;= b ? 1 : 0, the derivative of clamp</summary>
    InRange,
}

/// <summary>Elementwise functions of two tensors.</summary>
public enum ZipOp
{
    /// <summary>x + y</summary>
    Add,
    /// <summary>x - y</summary>
    Subtract,
    /// <summary>x y</summary>
    Multiply,
    /// <summary>x / y</summary>
    Divide,
    /// <summary>x >= y ? 1 : 0</summary>
    GreaterEqual,
}

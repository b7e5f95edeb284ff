using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>Up to four dimensions, row-major; missing trailing ones count as absent (<see cref="Rank"/>).</summary>
public readonly record struct Shape(int Rank, int D0, int D1, int D2, int D3)
{
    /// <summary>A vector of <paramref name="d0"/> elements.</summary>
    public Shape(int d0) : this(1, d0, 1, 1, 1) { }
    /// <summary>A matrix [d0, d1].</summary>
    public Shape(int d0, int d1) : this(2, d0, d1, 1, 1) { }
    /// <summary>A stack of matrices [d0, d1, d2].</summary>
    public Shape(int d0, int d1, int d2) : this(3, d0, d1, d2, 1) { }
    /// <summary>[d0, d1, d2, d3].</summary>
    public Shape(int d0, int d1, int d2, int d3) : this(4, d0, d1, d2, d3) { }

    /// <summary>
    /// Product of the dimensions of a tensor that there is: <see cref="Arena{T}.Take"/> makes none of more elements than an int
    /// can count.
    /// </summary>
    public int Count => D0 * D1 * D2 * D3;

    /// <summary>Product of the dimensions, also of a tensor that would be too large.</summary>
    public long Elements => checked((long)D0 * D1 * D2 * D3);

    /// <summary>The size of dimension <paramref name="axis"/>.</summary>
    public int this[int axis] =>
        axis switch { 0 => D0, 1 => D1, 2 => D2, 3 => D3, _ => throw new ArgumentOutOfRangeException(nameof(axis)) };

    /// <summary>This shape with dimension <paramref name="axis"/> of size <paramref name="size"/>.</summary>
    public Shape With(int axis, int size) => axis switch
    {
        0 => this with { D0 = size },
        1 => this with { D1 = size },
        2 => this with { D2 = size },
        3 => this with { D3 = size },
        _ => throw new ArgumentOutOfRangeException(nameof(axis)),
    };

    /// <summary>Row-major memory seen as [product before the axis, the axis, product after it].</summary>
    public (int Outer, int Size, int Inner) Around(int axis) => axis switch
    {
        0 => (1, D0, D1 * D2 * D3),
        1 => (D0, D1, D2 * D3),
        2 => (D0 * D1, D2, D3),
        3 => (D0 * D1 * D2, D3, 1),
        _ => throw new ArgumentOutOfRangeException(nameof(axis)),
    };

    /// <summary>The dimensions as an array of length <see cref="Rank"/>.</summary>
    public int[] ToArray() => [.. new[] { D0, D1, D2, D3 }.Take(Rank)];

    /// <inheritdoc/>
    public override string ToString() => "[" + string.Join(", ", ToArray()) + "]";
}

/// <summary>
/// A view of contiguous, row-major, 64-byte aligned memory that a kernel set's <see cref="Arena{T}"/> owns, the host's or a
/// device's (<see cref="IDeviceMemory{T}"/>). Float32 in production; the same code in double is the reference. <see cref="Node"/>
/// is its place on the <see cref="Tape{T}"/> (-1: a constant, no gradient flows).
/// </summary>
public readonly unsafe struct Tensor<T>(T* data, Shape shape, int node = -1) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>First element.</summary>
    public readonly T* Data = data;
    /// <summary>Dimensions.</summary>
    public readonly Shape Shape = shape;
    /// <summary>Index on the tape, or -1.</summary>
    public readonly int Node = node;

    /// <summary>Number of elements.</summary>
    public int Count => Shape.Count;

    /// <summary>It lies on a device: only its kernel set can follow <see cref="Data"/>.</summary>
    public bool IsOnDevice => (nint)Data < 0;

    /// <summary>The elements, in row-major order (host memory only; see <see cref="DeviceTensors"/>).</summary>
    public Span<T> Span =>
        IsOnDevice ? throw new InvalidOperationException($"A tensor {Shape} lies on a device; Read, Write or Edit it.")
            : new(Data, Shape.Count);

    /// <summary>The same memory seen as <paramref name="shape"/>, off the tape; the counts must agree.</summary>
    public Tensor<T> As(Shape shape) => shape.Count == Count
        ? new(Data, shape)
        : throw new ArgumentException($"{Shape} has {Count} elements and cannot be seen as {shape}.");

    /// <summary>The same memory at another place on the tape.</summary>
    internal Tensor<T> At(int node) => new(Data, Shape, node);

    /// <summary>Elements start .. start + count as a vector, off the tape; no copy.</summary>
    public Tensor<T> Range(int start, int count) => start >= 0 && count >= 0 && count <= Count - start
        ? new(Data + start, new Shape(count))
        : throw new ArgumentException($"{count} elements from {start} lie outside {Shape}.");
}

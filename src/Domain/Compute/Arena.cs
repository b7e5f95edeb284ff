using System.Numerics;
using System.Runtime.InteropServices;

namespace MetaOpt.Compute;

/// <summary>
/// A growing stack of memory, native or a device's: tensors are taken one after the other and all given back at once by
/// <see cref="Reset"/>, so the inner loop never meets the garbage collector. Kernels may read (and ignore) up to 256 bytes
/// past a tensor's end in native memory, so that the last vector needs no special case. Not thread-safe.
/// </summary>
public sealed unsafe class Arena<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    const nuint Alignment = 64;
    const int ReadableBytesPastTheEnd = 256;
    readonly List<(nint Address, long Capacity)> _blocks = [];
    readonly long _blockElements;
    readonly IDeviceMemory<T>? _device;
    int _block;
    long _used;

    /// <param name="blockElements">Elements of the first block; later blocks are at least as large.</param>
    /// <param name="device">Whose memory it is; null: the host's.</param>
    public Arena(long blockElements = 1 << 16, IDeviceMemory<T>? device = null) =>
        (_blockElements, _device) = (blockElements, device);

    /// <summary>Elements reserved from the system, over all blocks.</summary>
    public long Capacity => _blocks.Sum(b => b.Capacity);

    /// <summary>Uninitialised memory for <paramref name="shape"/>, valid until <see cref="Reset"/>.</summary>
    /// <exception cref="ArgumentException">It has more elements than an int can count.</exception>
    public Tensor<T> Take(Shape shape)
    {
        var elements = shape.Elements;
        if (elements is < 0 or > int.MaxValue)
            throw new ArgumentException($"A tensor of {shape} has more than {int.MaxValue} elements.");
        var need = (Math.Max(1, elements) * sizeof(T) + 63) / 64 * 64 / sizeof(T);
        while (_block < _blocks.Count && _used + need > _blocks[_block].Capacity)
        {
            _block++;
            _used = 0;
        }
        if (_block == _blocks.Count)
        {
            var capacity = Math.Max(need, _blockElements);
            _blocks.Add((_device is null ? Native(capacity) : _device.Allocate(capacity), capacity));
        }
        var tensor = new Tensor<T>((T*)_blocks[_block].Address + _used, shape);
        _used += need;
        return tensor;
    }

    static nint Native(long elements) =>
        (nint)NativeMemory.AlignedAlloc((nuint)(elements * sizeof(T) + ReadableBytesPastTheEnd), Alignment);

    /// <summary>Like <see cref="Take"/>, filled with zeros.</summary>
    public Tensor<T> Zeros(Shape shape)
    {
        var tensor = Take(shape);
        tensor.Clear();
        return tensor;
    }

    /// <summary>A copy of <paramref name="values"/>.</summary>
    public Tensor<T> Copy(ReadOnlySpan<T> values, Shape shape)
    {
        var tensor = Take(shape);
        tensor.CopyFrom(values);
        return tensor;
    }

    /// <summary>A copy of <paramref name="source"/>, which may lie elsewhere.</summary>
    public Tensor<T> Copy(Tensor<T> source)
    {
        var tensor = Take(source.Shape);
        source.CopyTo(tensor);
        return tensor;
    }

    /// <summary>Gives everything back to the arena (not to the system).</summary>
    public void Reset() => (_block, _used) = (0, 0);

    /// <summary>Gives the memory back to the system.</summary>
    public void Dispose()
    {
        foreach (var (address, _) in _blocks)
        {
            if (_device is null) NativeMemory.AlignedFree((void*)address);
            else _device.Free(address);
        }
        _blocks.Clear();
        Reset();
        GC.SuppressFinalize(this);
    }

    /// <summary>An arena that was forgotten does not leak.</summary>
    ~Arena() => Dispose();
}

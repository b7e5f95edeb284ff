using System.Runtime.InteropServices;
using MetaOpt.Compute;
using TorchSharp;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <summary>
/// Memory that libtorch hands out: an arena's block is a tensor of libtorch, and an address names a block and a place in it. Also
/// on the CPU nobody can follow an address, so what works there works with a GPU's memory.
/// </summary>
sealed unsafe class TorchMemory : IDeviceMemory<float>, IDisposable
{
    const int BlockShift = 36; // 64 GiB of addresses for each block
    readonly nint _first;
    readonly List<Tensor?> _blocks = [];
    readonly Stack<int> _free = [];

    public TorchMemory(Device device) => (Device, _first) = (device, Devices<float>.Add(this));

    public Device Device { get; }

    /// <summary>How often the host waited for the device to bring something over.</summary>
    public int Downloads { get; private set; }

    /// <summary>A tensor as libtorch sees it, without a copy; with <paramref name="sizes"/> instead of its shape.</summary>
    public Tensor View(Tensor<float> x, params ReadOnlySpan<long> sizes)
    {
        if (!x.IsOnDevice) throw new InvalidOperationException($"A tensor {x.Shape} of the host's memory was given to {Device}.");
        var at = (nint)x.Data - _first;
        var block = _blocks[(int)(at >> BlockShift)] ?? throw new ObjectDisposedException($"The arena of a tensor {x.Shape}");
        long[] shape = sizes.Length > 0 ? [.. sizes] : [.. x.Shape.ToArray()];
        var strides = new long[shape.Length];
        var stride = 1L;
        for (var i = shape.Length - 1; i >= 0; stride *= shape[i--]) strides[i] = stride;
        return block.as_strided(shape, strides, (at & ((1L << BlockShift) - 1)) / sizeof(float));
    }

    public nint Allocate(long elements)
    {
        var block = empty([elements], dtype: ScalarType.Float32, device: Device).DetachFromDisposeScope();
        lock (_blocks)
        {
            if (!_free.TryPop(out var index))
            {
                index = _blocks.Count;
                _blocks.Add(null);
            }
            _blocks[index] = block;
            return _first + ((nint)index << BlockShift);
        }
    }

    public void Free(nint address)
    {
        lock (_blocks)
        {
            var index = (int)(address - _first >> BlockShift);
            if (index >= _blocks.Count) return; // of an arena that outlived its kernel set
            _blocks[index]?.Dispose();
            _blocks[index] = null;
            _free.Push(index);
        }
    }

    public void Upload(ReadOnlySpan<float> values, Tensor<float> y)
    {
        if (values.IsEmpty) return;
        using var scope = NewDisposeScope();
        var to = View(y, values.Length);
        if (Device.type == DeviceType.CPU)
        {
            MemoryMarshal.AsBytes(values).CopyTo(to.bytes);
            return;
        }
        var staged = empty([values.Length], dtype: ScalarType.Float32);
        MemoryMarshal.AsBytes(values).CopyTo(staged.bytes);
        to.copy_(staged);
    }

    public void Download(Tensor<float> x, Span<float> values)
    {
        if (values.IsEmpty) return;
        using var scope = NewDisposeScope();
        Downloads++;
        View(x, x.Count).cpu().bytes.CopyTo(MemoryMarshal.AsBytes(values));
    }

    public void Copy(Tensor<float> x, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y, y.Count).copy_(View(x, x.Count));
    }

    public void Fill(float value, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        View(y, y.Count).fill_(value);
    }

    public void Dispose()
    {
        Devices<float>.Remove(this);
        lock (_blocks)
        {
            foreach (var block in _blocks) block?.Dispose();
            _blocks.Clear();
            _free.Clear();
        }
    }
}

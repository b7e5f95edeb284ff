using System.Runtime.InteropServices;
using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>The plain loops, counting the bytes that their arenas hold.</summary>
public sealed unsafe class CountedKernels : ScalarKernels<float>, IDeviceMemory<float>
{
    readonly Dictionary<nint, long> _held = [];

    /// <summary>The most that was held at once.</summary>
    public long PeakBytes { get; private set; }

    public override Arena<float> NewArena(long blockElements = 1 << 16) => new(blockElements, this);

    nint IDeviceMemory<float>.Allocate(long elements)
    {
        var address = (nint)NativeMemory.AlignedAlloc((nuint)(elements * sizeof(float) + 256), 64);
        _held[address] = elements * sizeof(float);
        PeakBytes = Math.Max(PeakBytes, _held.Values.Sum());
        return address;
    }

    void IDeviceMemory<float>.Free(nint address)
    {
        _held.Remove(address);
        NativeMemory.AlignedFree((void*)address);
    }

    // Its addresses are the host's, so nothing else of a device is asked for.
    void IDeviceMemory<float>.Upload(ReadOnlySpan<float> values, Tensor<float> y) => throw new NotSupportedException();

    void IDeviceMemory<float>.Download(Tensor<float> x, Span<float> values) => throw new NotSupportedException();

    void IDeviceMemory<float>.Copy(Tensor<float> x, Tensor<float> y) => throw new NotSupportedException();

    void IDeviceMemory<float>.Fill(float value, Tensor<float> y) => throw new NotSupportedException();
}

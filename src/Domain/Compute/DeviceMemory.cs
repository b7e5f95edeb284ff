using System.Buffers;
using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Memory that is not the host's: a kernel set whose arenas are made of it computes there, and everybody else goes through
/// <see cref="DeviceTensors"/>. Addresses are what <see cref="Devices{T}.Add"/> gave, counted in elements' bytes; nobody follows
/// them.
/// </summary>
public interface IDeviceMemory<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Room for so many elements; the address of the first.</summary>
    nint Allocate(long elements);

    /// <summary>Gives back what <see cref="Allocate"/> gave.</summary>
    void Free(nint address);

    /// <summary>Overwrites y with the host's values.</summary>
    void Upload(ReadOnlySpan<T> values, Tensor<T> y);

    /// <summary>Waits until x is computed, and copies it to the host.</summary>
    void Download(Tensor<T> x, Span<T> values);

    /// <summary>y = x; both on this device, and they do not overlap.</summary>
    void Copy(Tensor<T> x, Tensor<T> y);

    /// <summary>y_i = value.</summary>
    void Fill(T value, Tensor<T> y);
}

/// <summary>
/// The devices in use. Their addresses are negative, which no address of the host is, and begin with the device's number.
/// </summary>
public static class Devices<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    const int NumberShift = 57;
    static readonly IDeviceMemory<T>?[] s_devices = new IDeviceMemory<T>?[64];

    /// <summary>Takes a device up; its addresses begin at the result, and there are 2^56 of them.</summary>
    public static nint Add(IDeviceMemory<T> device)
    {
        lock (s_devices)
        {
            var number = Array.IndexOf(s_devices, null);
            if (number < 0) throw new InvalidOperationException($"{s_devices.Length} devices are in use; dispose kernel sets.");
            s_devices[number] = device;
            return (nint)(1UL << 63 | (ulong)number << NumberShift);
        }
    }

    /// <summary>Its addresses mean nothing any more.</summary>
    public static void Remove(IDeviceMemory<T> device)
    {
        lock (s_devices) s_devices[Array.IndexOf(s_devices, device)] = null;
    }

    /// <summary>Whose address it is.</summary>
    internal static unsafe IDeviceMemory<T> Of(Tensor<T> tensor) =>
        s_devices[(int)((ulong)tensor.Data >> NumberShift & 63)] ?? throw new ObjectDisposedException("The tensor's kernel set");
}

/// <summary>The host's access to tensors, wherever they lie. In the host's own memory nothing is copied for it.</summary>
public static class DeviceTensors
{
    /// <summary>The elements, to look at.</summary>
    public static HostView<T> Read<T>(this Tensor<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new(x, read: true, write: false);

    /// <summary>Room for new elements, all of which are to be written before it is disposed.</summary>
    public static HostView<T> Write<T>(this Tensor<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new(y, read: false, write: true);

    /// <summary>The elements, to change.</summary>
    public static HostView<T> Edit<T>(this Tensor<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new(y, read: true, write: true);

    /// <summary>A copy on the host.</summary>
    public static T[] ToArray<T>(this Tensor<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var values = new T[x.Count];
        x.CopyTo(values);
        return values;
    }

    /// <summary>Copies to the host.</summary>
    public static void CopyTo<T>(this Tensor<T> x, Span<T> values) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (x.IsOnDevice) Devices<T>.Of(x).Download(x, values[..x.Count]);
        else x.Span.CopyTo(values);
    }

    /// <summary>Copies from the host.</summary>
    public static void CopyFrom<T>(this Tensor<T> y, ReadOnlySpan<T> values) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (y.IsOnDevice) Devices<T>.Of(y).Upload(values, y.Range(0, values.Length));
        else values.CopyTo(y.Span);
    }

    /// <summary>y = x, whose counts agree, from any memory to any.</summary>
    public static void CopyTo<T>(this Tensor<T> x, Tensor<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (!x.IsOnDevice) y.CopyFrom<T>(x.Span);
        else if (!y.IsOnDevice) x.CopyTo(y.Span);
        else Devices<T>.Of(x).Copy(x, y);
    }

    /// <summary>y = 0.</summary>
    public static void Clear<T>(this Tensor<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (y.IsOnDevice) Devices<T>.Of(y).Fill(T.Zero, y);
        else y.Span.Clear();
    }
}

/// <summary>
/// A tensor's elements where the host can touch them; disposing it brings what was written to where the tensor lies.
/// </summary>
public readonly ref struct HostView<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly Tensor<T> _tensor;
    readonly T[]? _copy;
    readonly bool _write;

    internal HostView(Tensor<T> tensor, bool read, bool write)
    {
        (_tensor, _write) = (tensor, write);
        if (!tensor.IsOnDevice)
        {
            Span = tensor.Span;
            return;
        }
        _copy = ArrayPool<T>.Shared.Rent(tensor.Count);
        Span = _copy.AsSpan(0, tensor.Count);
        if (read) tensor.CopyTo(Span);
    }

    /// <summary>The elements, in row-major order.</summary>
    public Span<T> Span { get; }

    /// <summary>The values of element <paramref name="row"/> of the first axis.</summary>
    public Span<T> Row(int row)
    {
        var count = Span.Length / _tensor.Shape.D0;
        return Span.Slice(row * count, count);
    }

    /// <summary>After this, the elements are not to be touched.</summary>
    public void Dispose()
    {
        if (_copy is null) return;
        if (_write) _tensor.CopyFrom(Span);
        ArrayPool<T>.Shared.Return(_copy);
    }
}

using System.Runtime.CompilerServices;
using MetaOpt.Compute;
using TorchSharp;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <summary>
/// The kernel set over libtorch, on a GPU or, with the same code, on the CPU. Memory is libtorch's and stays on the device; each
/// operation ends its temporaries with a dispose scope and waits for nothing. Full float32 products, no TF32.
/// </summary>
sealed partial class TorchKernels : IKernels<float>
{
    readonly TorchMemory _memory;
    readonly SimdKernels _host;
    readonly ConditionalWeakTable<byte[], Tensor> _datasets = new();
    bool _bfloat16;

    /// <param name="device">Where to compute.</param>
    /// <param name="threads">Threads of the host.</param>
    public TorchKernels(Device device, int threads)
    {
        (_memory, _host) = (new TorchMemory(device), new SimdKernels(threads));
        if (device.type != DeviceType.CUDA) return;
        backends.cuda.matmul.allow_tf32 = false;
        backends.cudnn.allow_tf32 = false;
    }

    /// <inheritdoc/>
    public string Name => _memory.Device.type == DeviceType.CUDA ? "torch-cuda" : "torch-cpu";

    /// <inheritdoc cref="TorchMemory.Downloads"/>
    public int Downloads => _memory.Downloads;

    /// <summary>Where it computes.</summary>
    public Device Device => _memory.Device;

    /// <inheritdoc/>
    public int VectorBits => 32;

    /// <inheritdoc/>
    public string Identity =>
        $"{Name}/{TorchFlavour.DeviceName(_memory.Device)}/{TorchFlavour.LibraryVersion}{(_bfloat16 ? "/bfloat16" : "")}";

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Facts => TorchFlavour.Facts(_memory.Device);

    /// <inheritdoc/>
    public bool UseBfloat16Products() => _bfloat16 = true;

    /// <inheritdoc/>
    public int Threads => _host.Threads;

    /// <inheritdoc/>
    public IKernels<float> Host => _host;

    /// <inheritdoc/>
    public Arena<float> NewArena(long blockElements = 1 << 16) => new(blockElements, _memory);

    /// <inheritdoc/>
    public void Run<TJob>(int chunks, TJob job) where TJob : struct, IChunkJob => _host.Run(chunks, job);

    /// <inheritdoc/>
    public void Fill(float value, Tensor<float> y) => _memory.Fill(value, y);

    /// <inheritdoc/>
    public void Map(MapOp op, Tensor<float> x, float a, float b, Tensor<float> y)
    {
        using var scope = NewDisposeScope();
        var v = View(x);
        View(y).copy_(op switch
        {
            MapOp.Scale => v.mul(a),
            MapOp.AddScalar => v.add(a),
            // In double where single precision loses the smallest values; the copy back rounds once.
            MapOp.Sigmoid => v.to(ScalarType.Float64).sigmoid(),
            MapOp.Tanh => v.tanh(),
            MapOp.Relu => v.relu(),
            MapOp.Positive => v.gt(0),
            MapOp.Elu => where(v.gt(0), v, v.expm1()),
            MapOp.Exp => v.exp(),
            MapOp.Log => v.log(),
            MapOp.Sqrt => v.sqrt(),
            MapOp.SinPi => NearZero(HalfTurns(v)).mul(Math.PI).sin(),
            MapOp.CosPi => HalfTurns(v).abs().neg().add(0.5).mul(Math.PI).sin(),
            MapOp.Square => v.mul(v),
            MapOp.Abs => v.abs(),
            MapOp.Sign => v.gt(0).to(ScalarType.Float32).sub(v.lt(0).to(ScalarType.Float32)),
            MapOp.Clamp => v.clamp(a, b),
            MapOp.InRange => v.ge(a).logical_and(v.le(b)),
            _ => throw new ArgumentOutOfRangeException(nameof(op), op, "is not a MapOp."),
        });
    }

    /// <summary>x less the nearest even number: exact, and from -1 to 1.</summary>
    static Tensor HalfTurns(Tensor x)
    {
        var wide = x.to(ScalarType.Float64);
        return wide.sub(wide.div(2).round().mul(2));
    }

    /// <summary>The number from -1/2 to 1/2 with the same sine: exact, so that the sine of whole half turns is 0.</summary>
    static Tensor NearZero(Tensor halfTurns) => halfTurns.clamp(-0.5, 0.5).mul(2).sub(halfTurns);

    /// <inheritdoc/>
    public void Zip(ZipOp op, Tensor<float> x, Tensor<float> y, Tensor<float> z)
    {
        using var scope = NewDisposeScope();
        View(z).copy_(Zipped(op, View(x, z.Shape), View(y, z.Shape)));
    }

    static Tensor Zipped(ZipOp op, Tensor x, Tensor y) => op switch
    {
        ZipOp.Add => x.add(y),
        ZipOp.Subtract => x.sub(y),
        ZipOp.Multiply => x.mul(y),
        ZipOp.Divide => x.div(y),
        ZipOp.GreaterEqual => x.ge(y),
        _ => throw new ArgumentOutOfRangeException(nameof(op), op, "is not a ZipOp."),
    };

    /// <inheritdoc/>
    public void Select(Tensor<float> mask, Tensor<float> x, Tensor<float> y, Tensor<float> z)
    {
        using var scope = NewDisposeScope();
        View(z).copy_(where(View(mask, z.Shape).ne(0), View(x, z.Shape), View(y, z.Shape)));
    }

    /// <summary>As libtorch sees it, without a copy.</summary>
    public Tensor View(Tensor<float> x) => _memory.View(x);

    Tensor View(Tensor<float> x, Shape shape) => _memory.View(x.As(shape));

    Tensor View(Tensor<float> x, params ReadOnlySpan<long> sizes) => _memory.View(x, sizes);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, lstm) in _lstms) lstm.Dispose();
        foreach (var (_, dataset) in _datasets) dataset.Dispose();
        _memory.Dispose();
        _host.Dispose();
    }
}

using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MetaOpt.Compute;
using MetaOpt.Tasks;
using TorchSharp;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <summary>
/// A TorchScript module with forward(images [batch, channels, rows, columns], 0..1) -> logits [batch, classes], one instance
/// after the other. It computes on the kernel set's device, or on the CPU beside one that is not libtorch's, in the numbers and
/// the mode (training or not) that its file has.
/// </summary>
sealed class TorchNetwork : INetwork
{
    readonly jit.ScriptModule<torch.Tensor, torch.Tensor> _module;
    readonly List<torch.Tensor> _leaves;
    Device _device = CPU;

    /// <param name="file">The bytes that <c>torch.jit.save</c> wrote.</param>
    /// <exception cref="SpecException">They are no module, or one without parameters.</exception>
    public TorchNetwork(byte[] file)
    {
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(file));
        try
        {
            _module = jit.load<torch.Tensor, torch.Tensor>(file, CPU);
        }
        catch (ExternalException wrong)
        {
            throw Wrong($"is no TorchScript module: {Reason(wrong)}");
        }
        var named = _module.named_parameters().ToList();
        if (named.Count == 0) throw Wrong("has no parameters.");
        // A file may claim sizes that it does not hold: an expanded parameter has one element however large it is.
        if (named.Aggregate(0.0,
            (sum, p) => sum + p.parameter.shape.Aggregate(1.0, (size, d) => size * d)) is > TorchScriptTask.MostCoordinates
                and var all)
            throw Wrong($"has {all:N0} parameters; at most {TorchScriptTask.MostCoordinates:N0} are allowed.");
        if (named.Find(p => p.parameter.shape.Length > 4).name is { } deep)
            throw Wrong($"has a parameter, {deep}, with more than 4 dimensions.");
        _leaves = [.. named.Select(p => (torch.Tensor)p.parameter.requires_grad_(true))];
        Parameters = [.. named.Select(p => new ParameterTensor(p.name, ShapeOf(p.parameter)))];
        using var scope = NewDisposeScope();
        Values = Flat(_leaves).data<float>().ToArray();
    }

    /// <inheritdoc/>
    public string Sha256 { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; }

    /// <inheritdoc/>
    public ReadOnlyMemory<float> Values { get; }

    /// <inheritdoc/>
    public void Evaluate<T>(
        IKernels<T> kernels, Tensor<T> theta, Tensor<T> images, Tensor<T> labels, int classes, ReadOnlySpan<long> seeds,
        Tensor<T> losses, Tensor<T> gradients)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        using var scope = NewDisposeScope();
        var own = kernels as TorchKernels;
        MoveTo(own?.Device ?? CPU);
        var (thetas, y) = (Given(own, theta), Given(own, labels).to(ScalarType.Int64));
        var x = Given(own, images).permute(0, 3, 1, 2).contiguous().to(_leaves[0].dtype);
        var batch = labels.Count / seeds.Length;
        var (found, slopes) = (new torch.Tensor[seeds.Length], new torch.Tensor[seeds.Length]);
        for (var b = 0; b < seeds.Length; b++)
        {
            Load(thetas[b]);
            random.manual_seed(seeds[b]);
            var logits = Logits(x.narrow(0, b * batch, batch), classes).to(ScalarType.Float32);
            var loss = nn.functional.cross_entropy(logits, y.narrow(0, b * batch, batch));
            foreach (var leaf in _leaves) leaf.grad = null;
            loss.backward();
            // What has no influence has no slope.
            slopes[b] = Flat(_leaves.Select(leaf => leaf.grad ?? zeros_like(leaf)));
            found[b] = loss.detach();
        }
        Give(own, stack(found), losses);
        Give(own, stack(slopes), gradients);
    }

    torch.Tensor Logits(torch.Tensor x, int classes)
    {
        torch.Tensor logits;
        try
        {
            logits = _module.call(x);
        }
        catch (ExternalException wrong)
        {
            throw Wrong($"takes no images [{string.Join(", ", x.shape)}]: {Reason(wrong)}");
        }
        return logits.shape is [var rows, var columns] && rows == x.shape[0] && columns == classes
            ? logits
            : throw Wrong($"makes [{string.Join(", ", logits.shape)}] of images [{string.Join(", ", x.shape)}]; "
                + $"it must make logits [{x.shape[0]}, {classes}].");
    }

    void MoveTo(Device device)
    {
        if (device.type == _device.type && device.index == _device.index) return;
        _module.to(device);
        _leaves.Clear();
        _leaves.AddRange(_module.parameters());
        _device = device;
    }

    /// <summary>Takes over one instance's theta.</summary>
    void Load(torch.Tensor theta)
    {
        using var noGraph = no_grad();
        var at = 0L;
        foreach (var leaf in _leaves)
        {
            var count = leaf.numel();
            leaf.copy_(theta.narrow(0, at, count).view(leaf.shape));
            at += count;
        }
    }

    static torch.Tensor Flat(IEnumerable<torch.Tensor> parts) =>
        cat([.. parts.Select(p => p.detach().reshape(-1).to(ScalarType.Float32))], 0);

    static torch.Tensor Given<T>(TorchKernels? kernels, Tensor<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (kernels is not null) return kernels.View((Tensor<float>)(object)x);
        using var values = x.Read();
        var copy = new float[x.Count];
        for (var i = 0; i < copy.Length; i++) copy[i] = float.CreateTruncating(values.Span[i]);
        return tensor(copy, [.. x.Shape.ToArray()]);
    }

    static void Give<T>(TorchKernels? kernels, torch.Tensor x, Tensor<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (kernels is not null)
        {
            kernels.View((Tensor<float>)(object)y).copy_(x);
            return;
        }
        using var values = y.Write();
        var from = x.cpu().data<float>();
        for (var i = 0; i < values.Span.Length; i++) values.Span[i] = T.CreateTruncating(from[i]);
    }

    static Shape ShapeOf(torch.Tensor x) => x.shape switch
    {
        [] => new(1),
        [var a] => new((int)a),
        [var a, var b] => new((int)a, (int)b),
        [var a, var b, var c] => new((int)a, (int)b, (int)c),
        [var a, var b, var c, var d, ..] => new((int)a, (int)b, (int)c, (int)d),
    };

    static SpecException Wrong(string what) => new("/task/network", "the module " + what);

    /// <summary>
    /// The reason that libtorch gives, without its frames: an error of the module's own code stands last, with the error's type.
    /// </summary>
    static string Reason(Exception wrong)
    {
        var lines = wrong.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith("frame #", StringComparison.Ordinal)).ToList();
        var reason = lines.FindLast(line => line.Contains("Error:", StringComparison.Ordinal)) ?? lines.FirstOrDefault()
            ?? wrong.GetType().Name;
        return reason.Length <= 300 ? reason : reason[..300];
    }
}

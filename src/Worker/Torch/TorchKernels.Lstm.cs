using MetaOpt.Compute;

namespace MetaOpt.Workers.Torch;

/// <content>The fused kernels by libtorch's LSTM.</content>
sealed unsafe partial class TorchKernels
{
    readonly Dictionary<nint, TorchLstm> _lstms = [];

    /// <inheritdoc/>
    /// <remarks>
    /// The packed weights are phi itself; beside them stands a network of libtorch's that has it, until others are packed there.
    /// </remarks>
    public void LstmPack(LstmShape shape, ReadOnlySpan<float> phi, Tensor<float> packed)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var place = packed.Range(0, phi.Length);
        place.CopyFrom(phi);
        if (_lstms.TryGetValue((nint)packed.Data, out var lstm) && !ReferenceEquals(lstm.Shape, shape))
        {
            lstm.Dispose();
            lstm = null;
        }
        _lstms[(nint)packed.Data] = lstm ??= new TorchLstm(shape, _memory.Device);
        lstm.Load(View(place));
    }

    /// <inheritdoc/>
    public void LstmStep(LstmShape shape, Tensor<float> packed, Tensor<float> gradient, Tensor<float> state, Tensor<float> theta)
    {
        if (gradient.Count == 0) return;
        using var scope = TorchSharp.torch.NewDisposeScope();
        using var noGraph = TorchSharp.torch.no_grad();
        var blocks = LstmShape.Blocks(gradient.Count);
        _lstms[(nint)packed.Data].Step(View(gradient, gradient.Count),
            View(state, blocks, shape.StatePerCoordinate, LstmShape.Block), View(theta, theta.Count));
    }

    /// <inheritdoc/>
    public void LstmBackward(LstmShape shape, Tensor<float> packed, in Unrolled<float> unrolled, Span<double> phiGradient)
    {
        phiGradient.Clear();
        if (unrolled.Coordinates == 0) return;
        using var scope = TorchSharp.torch.NewDisposeScope();
        var (steps, coordinates) = (unrolled.Steps, unrolled.Coordinates);
        var sum = _lstms[(nint)packed.Data].Backward(
            View(unrolled.Gradients.Range(0, steps * coordinates), steps, coordinates),
            View(unrolled.Adjoints, steps, coordinates),
            View(unrolled.Weights),
            View(unrolled.StartState, LstmShape.Blocks(coordinates), shape.StatePerCoordinate, LstmShape.Block), unrolled.Forced);
        sum.cpu().data<double>().CopyTo(phiGradient);
    }
}

using MetaOpt.Compute;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <summary>
/// A coordinatewise rule as a network of libtorch: on a GPU its layers are cuDNN's. Coordinates are the batch. A cell without
/// forget gates has one that is always open.
/// </summary>
sealed class TorchLstm : IDisposable
{
    /// <summary>sigmoid(100) is 1 in single precision.</summary>
    const float Open = 100;

    readonly Device _device;
    readonly LSTM[] _layers;
    readonly Tensor _outputWeight, _outputBias;
    readonly Tensor? _inputWeight, _inputBias;

    public TorchLstm(LstmShape shape, Device device)
    {
        (Shape, _device) = (shape, device);
        var inputs = shape.Features;
        if (shape.Moments is not null) (_inputWeight, _inputBias) = (Leaf(inputs, LstmMoments.Features), Leaf(inputs));
        _layers = new LSTM[shape.LayerUnits.Count];
        for (var l = 0; l < _layers.Length; l++)
        {
            _layers[l] = nn.LSTM(inputs, shape.LayerUnits[l], device: device, dtype: ScalarType.Float32);
            foreach (var parameter in _layers[l].parameters()) parameter.DetachFromDisposeScope();
            inputs = shape.LayerUnits[l];
        }
        (_outputWeight, _outputBias) = (Leaf(1, inputs), Leaf(1));
    }

    public LstmShape Shape { get; }

    /// <summary>
    /// Coordinates of one piece of the way back: bounds the memory for activations, about 1.5 KB a coordinate and step.
    /// </summary>
    int Piece => _device.type == DeviceType.CUDA ? 1 << 16 : 1 << 12;

    Tensor Leaf(params long[] sizes) =>
        zeros(sizes, dtype: ScalarType.Float32, device: _device, requires_grad: true).DetachFromDisposeScope();

    /// <summary>Takes over phi.</summary>
    public void Load(Tensor phi)
    {
        using var scope = NewDisposeScope();
        using var noGraph = no_grad();
        var at = 0L;
        if (_inputWeight is not null)
        {
            _inputWeight.copy_(Next(_inputWeight.shape));
            _inputBias!.copy_(Next(_inputBias.shape));
        }
        foreach (var layer in _layers)
        {
            var (inputToGates, stateToGates, bias, none) = Parameters(layer);
            var (units, inputs) = (stateToGates.shape[1], inputToGates.shape[1]);
            var rows = Next(Shape.Gates * units, inputs + units);
            var biases = Next(Shape.Gates * units);
            inputToGates.copy_(AllGates(rows.narrow(1, 0, inputs), units, 0));
            stateToGates.copy_(AllGates(rows.narrow(1, inputs, units), units, 0));
            bias.copy_(AllGates(biases, units, Open));
            none.zero_();
        }
        _outputWeight.copy_(Next(_outputWeight.shape));
        _outputBias.copy_(Next(_outputBias.shape));

        Tensor Next(params long[] sizes)
        {
            var count = sizes.Aggregate(1L, (a, b) => a * b);
            at += count;
            return phi.narrow(0, at - count, count).view(sizes);
        }
    }

    /// <summary>i, f, g, o of rows that may be i, g, o.</summary>
    Tensor AllGates(Tensor rows, long units, float forget) => Shape.ForgetGates
        ? rows
        : cat([rows.narrow(0, 0, units), full_like(rows.narrow(0, 0, units), forget), rows.narrow(0, units, 2 * units)], 0);

    Tensor OwnGates(Tensor rows, long units) =>
        Shape.ForgetGates ? rows : cat([rows.narrow(0, 0, units), rows.narrow(0, 2 * units, 2 * units)], 0);

    static (Tensor Inputs, Tensor State, Tensor Bias, Tensor SecondBias) Parameters(LSTM layer)
    {
        var byName = layer.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter);
        return (byName["weight_ih_l0"], byName["weight_hh_l0"], byName["bias_ih_l0"], byName["bias_hh_l0"]);
    }

    /// <summary>theta += update, and the state [blocks, rows, 32] goes on.</summary>
    public void Step(Tensor gradient, Tensor state, Tensor theta)
    {
        var count = gradient.shape[0];
        var rows = ByCoordinate(state);
        var padded = cat([gradient, zeros([rows.shape[0] - count], dtype: ScalarType.Float32, device: _device)], 0).unsqueeze(0);
        var (update, after) = Forward(padded, rows);
        theta.add_(update.view(-1).narrow(0, 0, count));
        state.copy_(after.view(state.shape[0], state.shape[2], state.shape[1]).transpose(1, 2));
    }

    /// <summary>State [blocks, rows, 32] as [coordinates, rows].</summary>
    static Tensor ByCoordinate(Tensor state) => state.transpose(1, 2).reshape(state.shape[0] * state.shape[2], state.shape[1]);

    /// <summary>Updates [K, N] of gradients [K, N], and the state [N, rows] after the last.</summary>
    (Tensor Updates, Tensor State) Forward(Tensor gradients, Tensor state)
    {
        var after = new List<Tensor>();
        Tensor x, moments = state.narrow(1, 2 * Shape.Units, state.shape[1] - 2 * Shape.Units);
        if (Shape.Moments is { } settings)
        {
            (x, moments) = TorchFeatures.Moments(settings, gradients, moments);
            x = nn.functional.elu(nn.functional.linear(x, _inputWeight!, _inputBias), 1);
        }
        else x = TorchFeatures.OfGradient(gradients, Shape.PreprocessingExponent);
        var at = 0L;
        foreach (var (layer, units) in _layers.Zip(Shape.LayerUnits))
        {
            var cells = state.narrow(1, at, units).unsqueeze(0).contiguous();
            var outputs = state.narrow(1, at + units, units).unsqueeze(0).contiguous();
            (x, var h, var c) = layer.call(x, (outputs, cells));
            after.Add(c.squeeze(0));
            after.Add(h.squeeze(0));
            at += 2 * units;
        }
        after.Add(moments);
        var output = nn.functional.linear(x, _outputWeight, _outputBias).squeeze(-1);
        if (Shape.Moments is not null) output = output.tanh();
        return (output.mul(Shape.OutputScale), cat(after, 1));
    }

    /// <summary>
    /// The meta-gradient, in double and in phi's order: one piece of the coordinates after the other, added up in that order.
    /// </summary>
    public Tensor Backward(Tensor gradients, Tensor adjoints, Tensor weights, Tensor startState, bool forced)
    {
        var (coordinates, steps) = (gradients.shape[1], gradients.shape[0]);
        var sum = zeros([Shape.MetaParameterCount], dtype: ScalarType.Float64, device: _device);
        var leaves = Leaves();
        for (var first = 0L; first < coordinates; first += Piece)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(Piece, coordinates - first);
            var blocks = (count + LstmShape.Block - 1) / LstmShape.Block;
            var state = ByCoordinate(startState.narrow(0, first / LstmShape.Block, blocks)).narrow(0, 0, count);
            var (updates, _) = Forward(gradients.narrow(1, first, count).contiguous(), state);
            var own = adjoints.narrow(1, first, count).mul(weights.view(steps, 1));
            // An update counts in all losses from its own step on.
            if (!forced) own = own.flip(0).cumsum(0).flip(0);
            var found = autograd.grad([updates], leaves, [own]);
            sum.add_(InOrder(found));
        }
        return sum;
    }

    /// <summary>The parameters that phi went into.</summary>
    List<Tensor> Leaves()
    {
        List<Tensor> leaves = _inputWeight is null ? [] : [_inputWeight, _inputBias!];
        foreach (var layer in _layers)
        {
            var (inputs, state, bias, _) = Parameters(layer);
            leaves.AddRange([inputs, state, bias]);
        }
        leaves.AddRange([_outputWeight, _outputBias]);
        return leaves;
    }

    /// <summary>Gradients of <see cref="Leaves"/> as phi.</summary>
    Tensor InOrder(IList<Tensor> found)
    {
        var at = 0;
        var parts = new List<Tensor>();
        if (_inputWeight is not null) parts.AddRange([found[at++].view(-1), found[at++]]);
        foreach (var units in Shape.LayerUnits)
        {
            parts.Add(OwnGates(cat([found[at++], found[at++]], 1), units).reshape(-1));
            parts.Add(OwnGates(found[at++], units));
        }
        parts.AddRange([found[at++].view(-1), found[at]]);
        return cat(parts, 0).to(ScalarType.Float64);
    }

    public void Dispose()
    {
        foreach (var layer in _layers) layer.Dispose();
        foreach (var leaf in new[] { _inputWeight, _inputBias, _outputWeight, _outputBias }) leaf?.Dispose();
    }
}

using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MetaOpt.Bench.LibTorch;

/// <summary>
/// The paper's optimizer on libtorch: LSTM layers over two features of a gradient's element, and an output. Two ways of writing a
/// step, as in ../peers/rule.py. <paramref name="scale"/> multiplies the output.
/// </summary>
abstract class Rule(double scale)
{
    /// <summary>Leaves in the order of MetaOpt's tensors, but for what a way of writing splits.</summary>
    public abstract IReadOnlyList<Parameter> Phi { get; }

    /// <summary>Units of each layer.</summary>
    protected abstract IEnumerable<long> Units { get; }

    /// <summary>Zero state, (h, c) a layer, of <paramref name="count"/> coordinates.</summary>
    public (Tensor H, Tensor C)[] Start(long count) => [.. Units.Select(units => (zeros(count, units), zeros(count, units)))];

    /// <summary>Updates [N] of features [N, 2], and the new state.</summary>
    public abstract (Tensor Update, (Tensor H, Tensor C)[] State) Step(Tensor x, (Tensor H, Tensor C)[] state);

    /// <summary>d phi in the order and shapes of MetaOpt's tensors.</summary>
    public abstract IEnumerable<Tensor> Gradient();

    protected Tensor Output(Tensor x, Tensor weight, Tensor bias) => linear(x, weight, bias).squeeze(-1).mul(scale);

    protected static Parameter Leaf(Tensor values) => new(values.detach().clone());

    /// <summary>[N] to [N, 2]: (log|g| / p, sign g), linear below e^-p (appendix A).</summary>
    public static Tensor Preprocess(Tensor gradient, double exponent)
    {
        var size = gradient.abs().clamp_min(Math.Exp(-exponent)).log().div(exponent);
        return stack([size, gradient.mul(Math.Exp(exponent)).clamp(-1, 1)], 1);
    }
}

/// <summary>One product a layer: cat(x, h) W', then the gates i, f, g, o are cut apart.</summary>
sealed class Fused(IReadOnlyList<Tensor> phi, double scale) : Rule(scale)
{
    readonly Parameter[] _phi = [.. phi.Select(Leaf)];

    public override IReadOnlyList<Parameter> Phi => _phi;

    int Layers => _phi.Length / 2 - 1;

    protected override IEnumerable<long> Units => Enumerable.Range(0, Layers).Select(l => _phi[2 * l].shape[0] / 4);

    public override (Tensor Update, (Tensor H, Tensor C)[] State) Step(Tensor x, (Tensor H, Tensor C)[] state)
    {
        var after = new (Tensor H, Tensor C)[Layers];
        for (var l = 0; l < Layers; l++)
        {
            var gates = addmm(_phi[2 * l + 1], cat([x, state[l].H], 1), _phi[2 * l].t(), 1, 1).chunk(4, 1);
            var c = gates[1].sigmoid() * state[l].C + gates[0].sigmoid() * gates[2].tanh();
            x = gates[3].sigmoid() * c.tanh();
            after[l] = (x, c);
        }
        return (Output(x, _phi[^2], _phi[^1]), after);
    }

    public override IEnumerable<Tensor> Gradient() => _phi.Select(p => p.grad!);
}

/// <summary>A loop over <c>LSTMCell</c>.</summary>
sealed class Cell : Rule
{
    readonly LSTMCell[] _cells;
    readonly Parameter[] _phi;

    public Cell(IReadOnlyList<Tensor> phi, double scale) : base(scale)
    {
        _cells = new LSTMCell[phi.Count / 2 - 1];
        var leaves = new List<Parameter>();
        for (var l = 0; l < _cells.Length; l++)
        {
            var (weight, units) = (phi[2 * l], phi[2 * l].shape[0] / 4);
            var inputs = weight.shape[1] - units;
            _cells[l] = nn.LSTMCell(inputs, units);
            var parameters = _cells[l].named_parameters().ToDictionary(p => p.name, p => p.parameter);
            using (no_grad())
            {
                parameters["weight_ih"].copy_(weight.narrow(1, 0, inputs));
                parameters["weight_hh"].copy_(weight.narrow(1, inputs, units));
                parameters["bias_ih"].copy_(phi[2 * l + 1]);
                parameters["bias_hh"].zero_();
            }
            parameters["bias_hh"].requires_grad_(false); // ours has one bias
            leaves.AddRange([parameters["weight_ih"], parameters["weight_hh"], parameters["bias_ih"]]);
        }
        _phi = [.. leaves, Leaf(phi[^2]), Leaf(phi[^1])];
    }

    public override IReadOnlyList<Parameter> Phi => _phi;

    protected override IEnumerable<long> Units => Enumerable.Range(0, _cells.Length).Select(l => _phi[3 * l + 1].shape[1]);

    public override (Tensor Update, (Tensor H, Tensor C)[] State) Step(Tensor x, (Tensor H, Tensor C)[] state)
    {
        var after = new (Tensor H, Tensor C)[_cells.Length];
        for (var l = 0; l < _cells.Length; l++)
        {
            after[l] = _cells[l].call(x, state[l]);
            x = after[l].H;
        }
        return (Output(x, _phi[^2], _phi[^1]), after);
    }

    public override IEnumerable<Tensor> Gradient()
    {
        for (var l = 0; l < _cells.Length; l++)
        {
            yield return cat([_phi[3 * l].grad!, _phi[3 * l + 1].grad!], 1);
            yield return _phi[3 * l + 2].grad!;
        }
        yield return _phi[^2].grad!;
        yield return _phi[^1].grad!;
    }
}

using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace MetaOpt.Bench.LibTorch;

/// <summary>What is compared; see ../peers/work.py.</summary>
interface IWork
{
    /// <summary>Does it once.</summary>
    void Run();

    /// <summary>What must agree with MetaOpt before anything is timed, tensor by tensor.</summary>
    IEnumerable<float[]> Result();
}

/// <summary>A meta-step: unroll, meta-gradient, Adam on phi. The optimizer's inputs are detached; weights are uniform.</summary>
sealed class MetaStep : IWork
{
    readonly Tensor _theta;
    readonly long _steps;
    readonly double _exponent;
    readonly Func<Tensor, long, Tensor> _loss;
    readonly Rule _rule;
    readonly Action _unroll;
    readonly optim.Optimizer _adam;

    public MetaStep(IReadOnlyDictionary<string, Tensor> data, JsonObject settings, string variant)
    {
        (_theta, _steps, _exponent) = (data["theta"], (long)settings["unroll"]!, (double)settings["exponent"]!);
        _loss = (string)settings["task"]! == "network" ? Network(data) : Quadratic(data);
        var phi = settings["phi"]!.AsArray().Select(name => data[(string)name!]).ToList();
        _rule = variant == "cell" ? new Cell(phi, (double)settings["scale"]!) : new Fused(phi, (double)settings["scale"]!);
        _unroll = variant == "decoupled-loop" ? Decoupled : ThroughTime;
        _adam = optim.Adam(_rule.Phi, 1e-12);
    }

    /// <summary>784-H-10 with sigmoids on the mini-batch of each step: theta [1, P] to losses [1].</summary>
    static Func<Tensor, long, Tensor> Network(IReadOnlyDictionary<string, Tensor> data)
    {
        var (images, labels, units) = (data["images"], data["labels"].to(ScalarType.Int64), (long)data["hidden"].item<float>());
        return (theta, step) =>
        {
            var pixels = images.shape[2];
            var parts = theta[0].split([pixels * units, units, units * 10, 10]);
            var hidden = addmm(parts[1], images[step], parts[0].view(pixels, units), 1, 1).sigmoid();
            return nn.functional.cross_entropy(addmm(parts[3], hidden, parts[2].view(units, 10), 1, 1), labels[step]).view(1);
        };
    }

    /// <summary>|W theta - y|^2 of each function: theta [B, d] to losses [B].</summary>
    static Func<Tensor, long, Tensor> Quadratic(IReadOnlyDictionary<string, Tensor> data) =>
        (theta, _) => (bmm(data["w"], theta.unsqueeze(2)).squeeze(2) - data["y"]).square().sum(1);

    public void Run()
    {
        using var scope = NewDisposeScope();
        foreach (var p in _rule.Phi) p.grad = null;
        _unroll();
        _adam.step();
    }

    public IEnumerable<float[]> Result()
    {
        using var scope = NewDisposeScope();
        foreach (var p in _rule.Phi) p.grad = null;
        _unroll();
        return [.. _rule.Gradient().Select(g => g.contiguous().data<float>().ToArray())];
    }

    void ThroughTime()
    {
        var theta = _theta.clone().requires_grad_(true);
        var (state, losses, metaLoss) = (_rule.Start(_theta.numel()), _loss(theta, 0), zeros(1));
        for (var step = 0L; step < _steps; step++)
        {
            var gradient = autograd.grad([losses.sum()], [theta], retain_graph: step > 0)[0];
            (var update, state) = _rule.Step(Rule.Preprocess(gradient.flatten(), _exponent), state);
            theta = theta + update.view_as(theta);
            losses = _loss(theta, step + 1);
            metaLoss = metaLoss + losses.sum();
        }
        (metaLoss / losses.shape[0]).backward();
    }

    /// <summary>
    /// The adjoint of update t is the sum of the later gradients, so one pass over the recorded inputs is enough.
    /// </summary>
    void Decoupled()
    {
        var (theta, state) = (_theta.clone(), _rule.Start(_theta.numel()));
        var (inputs, gradients) = (new List<Tensor>(), new List<Tensor>());
        for (var step = 0L; step < _steps; step++)
        {
            gradients.Add(Gradient(theta, step));
            inputs.Add(Rule.Preprocess(gradients[^1], _exponent));
            using var noGraph = no_grad();
            (var update, state) = _rule.Step(inputs[^1], state);
            theta = theta + update.view_as(theta);
        }
        gradients.Add(Gradient(theta, _steps));
        var adjoints = stack(gradients[1..]).flip(0).cumsum(0).flip(0) / theta.shape[0];
        var metaLoss = zeros(1);
        state = _rule.Start(_theta.numel());
        for (var step = 0; step < inputs.Count; step++)
        {
            (var update, state) = _rule.Step(inputs[step], state);
            metaLoss = metaLoss + update.dot(adjoints[step]);
        }
        metaLoss.backward();
    }

    Tensor Gradient(Tensor theta, long step)
    {
        theta = theta.detach().requires_grad_(true);
        return autograd.grad([_loss(theta, step).sum()], [theta])[0].flatten();
    }
}

/// <summary>theta += the trained optimizer's update, and nothing else, in inference mode.</summary>
sealed class InnerStep(IReadOnlyDictionary<string, Tensor> data, JsonObject settings, string variant) : IWork
{
    readonly Tensor _theta = data["theta"].flatten().clone(), _input = data["gradient"].flatten();
    readonly Rule _rule = MakeRule([.. settings["phi"]!.AsArray().Select(name => data[(string)name!])],
        (double)settings["scale"]!, variant);
    (Tensor H, Tensor C)[]? _state;

    static Rule MakeRule(List<Tensor> phi, double scale, string variant) =>
        variant == "cell" ? new Cell(phi, scale) : new Fused(phi, scale);

    public void Run()
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var before = _state;
        (var update,
            _state) = _rule.Step(Rule.Preprocess(_input, (double)settings["exponent"]!), before ?? _rule.Start(_theta.numel()));
        _theta.add_(update);
        foreach (var (h, c) in _state)
        {
            h.DetachFromDisposeScope();
            c.DetachFromDisposeScope();
        }
        foreach (var (h, c) in before ?? [])
        {
            h.Dispose();
            c.Dispose();
        }
    }

    public IEnumerable<float[]> Result()
    {
        using var before = _theta.clone();
        Run();
        using var update = _theta - before;
        return [update.data<float>().ToArray()];
    }
}

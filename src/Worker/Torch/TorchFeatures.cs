using MetaOpt.Compute;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <summary>
/// Features of gradients [K, N] for a coordinatewise rule: [K, N, features]. The formulas are those of the library's own kernels.
/// </summary>
static class TorchFeatures
{
    /// <summary>The gradient itself, or appendix A of Andrychowicz et al. with p.</summary>
    public static Tensor OfGradient(Tensor gradients, double p)
    {
        if (p == 0) return gradients.unsqueeze(-1);
        var size = gradients.abs().clamp_min(Math.Exp(-p)).log().div(p);
        return stack([size, gradients.mul(Math.Exp(p)).clamp(-1, 1)], -1);
    }

    /// <summary>RNNprop's, and the moments [N, 4] after the last step.</summary>
    public static (Tensor Features, Tensor Moments) Moments(LstmMoments settings, Tensor gradients, Tensor moments)
    {
        var (m, v, weight1, weight2) = (moments.select(1, 0), moments.select(1, 1), moments.select(1, 2), moments.select(1, 3));
        var features = new List<Tensor>();
        foreach (var g in gradients.unbind(0))
        {
            m = m.mul(settings.Decay1).add(g.mul(1 - settings.Decay1));
            v = v.mul(settings.Decay2).add(g.mul(g).mul(1 - settings.Decay2));
            weight1 = weight1.mul(settings.Decay1).add(1 - settings.Decay1);
            weight2 = weight2.mul(settings.Decay2).add(1 - settings.Decay2);
            var root = v.div(weight2).clamp_min(settings.SmallestSquare).sqrt().add(settings.Epsilon);
            features.Add(stack([m.div(weight1).div(root), g.div(root)], -1));
        }
        return (stack(features, 0), stack([m, v, weight1, weight2], 1));
    }
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>
/// A linear classifier in plain loops, laid out as <c>mlp-classification</c> without hidden layers: weights [inputs, classes],
/// then biases.
/// </summary>
sealed class LinearNetwork(int inputs, int outputs) : INetwork
{
    public string Sha256 => "ab";

    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("weights", new Shape(inputs, outputs)),
        new("biases", new Shape(outputs))];

    public ReadOnlyMemory<float> Values { get; } = Enumerable.Range(0, (inputs + 1) * outputs).Select(i => i % 7 * 0.01f)
        .ToArray();

    /// <summary>Those of the last evaluation.</summary>
    public long[] Seeds { get; private set; } = [];

    public void Evaluate<T>(
        IKernels<T> kernels, Tensor<T> theta, Tensor<T> images, Tensor<T> labels, int classes, ReadOnlySpan<long> seeds,
        Tensor<T> losses, Tensor<T> gradients)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Seeds = seeds.ToArray();
        using var thetas = theta.Read();
        using var x = images.Read();
        using var y = labels.Read();
        using var found = losses.Write();
        using var slopes = gradients.Write();
        slopes.Span.Clear();
        var (batch, share) = (labels.Count / seeds.Length, T.One / T.CreateTruncating(labels.Count / seeds.Length));
        for (var b = 0; b < seeds.Length; b++)
        {
            var own = thetas.Row(b);
            var slope = slopes.Row(b);
            found.Span[b] = T.Zero;
            for (var i = b * batch; i < (b + 1) * batch; i++)
            {
                var image = x.Row(i);
                var error = Probabilities(own, image);
                var label = int.CreateTruncating(y.Span[i]);
                found.Span[b] -= T.Log(error[label]) * share;
                error[label] -= T.One;
                for (var p = 0; p < inputs; p++)
                    for (var c = 0; c < outputs; c++) slope[p * outputs + c] += image[p] * error[c] * share;
                for (var c = 0; c < outputs; c++) slope[inputs * outputs + c] += error[c] * share;
            }
        }
    }

    T[] Probabilities<T>(ReadOnlySpan<T> theta, ReadOnlySpan<T> image) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var logits = theta[(inputs * outputs)..].ToArray();
        for (var p = 0; p < inputs; p++)
            for (var c = 0; c < outputs; c++) logits[c] += image[p] * theta[p * outputs + c];
        var (most, sum) = (logits.Max(), T.Zero);
        for (var c = 0; c < outputs; c++) sum += logits[c] = T.Exp(logits[c] - most);
        for (var c = 0; c < outputs; c++) logits[c] /= sum;
        return logits;
    }
}

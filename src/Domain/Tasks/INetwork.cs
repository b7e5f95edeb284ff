using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// A network from a file, whose parameters are given anew with each evaluation: what <see cref="TorchScriptTask"/> optimises.
/// Workers built with libtorch can read one.
/// </summary>
public interface INetwork
{
    /// <summary>Of the file, lower-case hex: part of a run's metadata.</summary>
    string Sha256 { get; }

    /// <summary>The tensors of theta, in order.</summary>
    IReadOnlyList<ParameterTensor> Parameters { get; }

    /// <summary>Theta as the file has it, [P].</summary>
    ReadOnlyMemory<float> Values { get; }

    /// <summary>Classifies each instance's images with its own parameters.</summary>
    /// <param name="kernels">Whose memory the tensors are in.</param>
    /// <param name="theta">[B, P].</param>
    /// <param name="images">[B times batch, rows, columns, channels], 0..1.</param>
    /// <param name="labels">[B times batch], whole numbers 0 .. <paramref name="classes"/> - 1.</param>
    /// <param name="classes">Logits that an image must get.</param>
    /// <param name="seeds">[B], for what each instance's network draws itself, for example dropout's masks.</param>
    /// <param name="losses">Overwritten: each instance's mean softmax cross-entropy, [B].</param>
    /// <param name="gradients">Overwritten: that loss's derivative by the instance's row of theta, [B, P].</param>
    /// <exception cref="SpecException">The network takes no such images, or gives something else than logits [batch,
    /// classes].</exception>
    void Evaluate<T>(
        IKernels<T> kernels, Tensor<T> theta, Tensor<T> images, Tensor<T> labels, int classes, ReadOnlySpan<long> seeds,
        Tensor<T> losses, Tensor<T> gradients)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

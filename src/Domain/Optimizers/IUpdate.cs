using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Optimizers;

/// <summary>The mover of theta: an optimizer in the course of an inner run, with its state.</summary>
public interface IUpdate<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>
    /// Moves theta from the gradient at theta, and advances the state; both tensors hold the B P coordinates of all instances.
    /// </summary>
    void Step(Tensor<T> theta, Tensor<T> gradient);
}

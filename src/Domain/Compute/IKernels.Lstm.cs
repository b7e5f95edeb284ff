namespace MetaOpt.Compute;

public partial interface IKernels<T>
{
    /// <summary>
    /// Lays phi out for <see cref="LstmStep"/> and <see cref="LstmBackward"/>; packed has <see cref="LstmShape.PackedElements"/>.
    /// </summary>
    void LstmPack(LstmShape shape, ReadOnlySpan<T> phi, Tensor<T> packed);

    /// <summary>
    /// One step of the coordinatewise LSTM on N coordinates: state (<see cref="LstmShape.StateElements"/>) advances in place and
    /// the update is added to theta [N]. gradient [N].
    /// </summary>
    void LstmStep(LstmShape shape, Tensor<T> packed, Tensor<T> gradient, Tensor<T> state, Tensor<T> theta);

    /// <summary>
    /// Decoupled back-propagation through K steps: overwrites phiGradient with the derivative of the loss that the adjoints of
    /// <paramref name="unrolled"/> are of.
    /// </summary>
    void LstmBackward(LstmShape shape, Tensor<T> packed, in Unrolled<T> unrolled, Span<double> phiGradient);
}

namespace MetaOpt.Compute;

public partial interface IKernels<T>
{
    /// <summary>Lays phi out for <see cref="LstmStep"/> and <see cref="LstmBackward"/>; packed has <see cref="LstmShape.PackedElements"/>.</summary>
    void LstmPack(LstmShape shape, ReadOnlySpan<T> phi, Tensor<T> packed);

    /// <summary>
    /// One step of the coordinatewise LSTM on N coordinates: state (<see cref="LstmShape.StateElements"/>) advances in place and the
    /// update is added to theta [N]. gradient [N].
    /// </summary>
    void LstmStep(LstmShape shape, Tensor<T> packed, Tensor<T> gradient, Tensor<T> state, Tensor<T> theta);

    /// <summary>
    /// Decoupled back-propagation through K steps: overwrites phiGradient with the derivative of sum over s = 1..K of
    /// stepWeights[s - 1] f(theta_s). gradients [K + 1, N] are grad f(theta_0) .. grad f(theta_K), stepWeights [K], startState is
    /// the state before the first step.
    /// </summary>
    void LstmBackward(LstmShape shape, Tensor<T> packed, Tensor<T> gradients, Tensor<T> stepWeights, Tensor<T> startState, Span<double> phiGradient);
}

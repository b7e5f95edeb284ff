using System.Runtime.Intrinsics;

namespace MetaOpt.Compute;

public sealed partial class SimdKernels
{
    /// <inheritdoc/>
    public override void LstmStep(LstmShape shape, Tensor<float> packed, Tensor<float> gradient, Tensor<float> state,
        Tensor<float> theta)
    {
        switch (VectorBits)
        {
            case 512: LstmStep<Vector512<float>, V512>(shape, packed, gradient, state, theta); break;
            case 256: LstmStep<Vector256<float>, V256>(shape, packed, gradient, state, theta); break;
            default: LstmStep<Vector128<float>, V128>(shape, packed, gradient, state, theta); break;
        }
    }

    /// <inheritdoc/>
    public override void LstmBackward(LstmShape shape, Tensor<float> packed, in Unrolled<float> unrolled,
        Span<double> phiGradient)
    {
        switch (VectorBits)
        {
            case 512: LstmBackward<Vector512<float>, V512>(shape, packed, unrolled, phiGradient); break;
            case 256: LstmBackward<Vector256<float>, V256>(shape, packed, unrolled, phiGradient); break;
            default: LstmBackward<Vector128<float>, V128>(shape, packed, unrolled, phiGradient); break;
        }
    }
}

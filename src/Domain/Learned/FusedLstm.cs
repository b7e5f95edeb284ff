using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Learned;

/// <summary>Coordinatewise rules made of one LSTM, computed by the fused kernels: no graph, and coordinates in blocks.</summary>
sealed class FusedLstm<T> : ILearnedState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly IKernels<T> _kernels;
    readonly LstmShape _shape;
    readonly Arena<T> _arena;
    readonly Arena<T> _own; // of the state, until another is put in its place
    readonly Tensor<T> _packed;

    public FusedLstm(IKernels<T> kernels, LstmShape shape, int coordinates)
    {
        (_kernels, _shape, _arena, _own) = (kernels, shape, kernels.NewArena(), kernels.NewArena());
        State = _own.Zeros(new Shape(shape.StateElements(coordinates)));
        _packed = _arena.Take(new Shape(shape.PackedElements));
    }

    public Tensor<T> State
    {
        get;
        set
        {
            if (field.Count > 0) _own.Dispose();
            field = value;
        }
    }

    public void SetParameters(ReadOnlySpan<T> phi) => _kernels.LstmPack(_shape, phi, _packed);

    public void Reset() => State.Clear();

    public void Step(Tensor<T> theta, Tensor<T> gradient) => _kernels.LstmStep(_shape, _packed, gradient, State, theta);

    public void MetaGradient(in Unrolled<T> unrolled, Span<double> phiGradient) =>
        _kernels.LstmBackward(_shape, _packed, unrolled, phiGradient);

    public void Dispose()
    {
        _arena.Dispose();
        _own.Dispose();
    }
}

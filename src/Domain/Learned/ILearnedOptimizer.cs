using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Learned;

/// <summary>Base of every learned optimizer's options.</summary>
public abstract record LearnedOptimizerOptions
{
    /// <summary>The rule, with phi still free.</summary>
    public abstract ILearnedOptimizer Create();
}

/// <summary>
/// An update rule g_t = m(grad_t, h_t, phi), theta_{t+1} = theta_t + g_t (Andrychowicz et al., 2016, equations 1 to 3): it has
/// meta-parameters phi, and a state per coordinate. With phi fixed it is an ordinary optimizer.
/// </summary>
public interface ILearnedOptimizer
{
    /// <summary>The tensors of phi, in order; phi is their concatenation.</summary>
    IReadOnlyList<ParameterTensor> MetaParameters { get; }

    /// <summary>Floats of state per coordinate; all start at zero.</summary>
    int StatePerCoordinate { get; }

    /// <summary>Overwrites <paramref name="phi"/> with initial values that are a function of <paramref name="seed"/>.</summary>
    void Initialise(ulong seed, Span<float> phi);

    /// <summary>
    /// One step on the tape, the definition that faster forms are tested against. All tensors are of N coordinates:
    /// gradient [N, 1], state [StatePerCoordinate, N]; returns the update [N, 1] and the new state.
    /// </summary>
    /// <param name="tape">Where it is recorded.</param>
    /// <param name="phi">One tensor for each of <see cref="MetaParameters"/>.</param>
    /// <param name="gradient">d f / d theta.</param>
    /// <param name="state">From the previous step.</param>
    (Tensor<T> Update, Tensor<T> State) Step<T>(Tape<T> tape, ReadOnlySpan<Tensor<T>> phi, Tensor<T> gradient, Tensor<T> state)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

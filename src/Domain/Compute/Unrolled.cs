using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>The inputs of K steps of a rule on N coordinates, kept for the way back.</summary>
/// <param name="Gradients">What the rule saw: its first K rows, [K or more, N].</param>
/// <param name="Adjoints">Row t times weight t is the derivative of the loss by theta after step t, [K, N]; it is held
/// fixed.</param>
/// <param name="Weights">[K].</param>
/// <param name="Theta">theta before the first step, N elements; when it is forced, before every step, [K, N].</param>
/// <param name="StartState">The rule's state before the first step.</param>
/// <param name="Forced">
/// theta did not follow the updates but was given at every step (teacher forcing; Williams and Zipser, 1989): update t counts in
/// row t alone. Otherwise it counts in all rows from t on.
/// </param>
public readonly record struct Unrolled<T>(
    Tensor<T> Gradients, Tensor<T> Adjoints, Tensor<T> Weights, Tensor<T> Theta, Tensor<T> StartState, bool Forced = false)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Steps, K.</summary>
    public int Steps => Weights.Count;

    /// <summary>Coordinates, N.</summary>
    public int Coordinates => Gradients.Shape.D1;

    /// <summary>The unroll of a loss whose gradients, times weights, are what the rule saw one step later: [K + 1, N].</summary>
    public static Unrolled<T> Of(Tensor<T> gradients, Tensor<T> weights, Tensor<T> theta, Tensor<T> startState)
    {
        var (steps, coordinates) = (weights.Count, gradients.Shape.D1);
        return new(gradients, gradients.Range(coordinates, steps * coordinates).As(new Shape(steps, coordinates)), weights, theta,
            startState);
    }
}

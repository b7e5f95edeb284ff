using System.Collections.ObjectModel;
using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>Base of every task's options; the JSON field <c>type</c> names the task.</summary>
public abstract record TaskOptions
{
    /// <summary>Name of the dataset the task reads, or null. A worker that has it registered may run the task.</summary>
    public virtual string? RequiredDataset => null;

    /// <summary>The groups of <see cref="ITask.Parameters"/>.</summary>
    public virtual IReadOnlyList<ParameterGroup> Groups => [ParameterGroup.Other];

    /// <summary>Whether the loss's gradient can be differentiated again.</summary>
    public virtual bool HasSecondDerivatives => true;

    /// <summary>Sizes that are known before the dataset is: for limits and for the prediction of a run's cost.</summary>
    public abstract TaskCost PredictCost();

    /// <summary>The task; <paramref name="datasets"/> finds <see cref="RequiredDataset"/>.</summary>
    public abstract ITask Create(Func<string, Dataset> datasets);
}

/// <summary>The cost of one instance of a task.</summary>
/// <param name="Coordinates">P.</param>
/// <param name="BytesPerInstance">Memory of an instance while its loss and gradient are computed.</param>
/// <param name="FlopsPerEvaluation">Floating-point operations of one loss with its gradient.</param>
public sealed record TaskCost(int Coordinates, long BytesPerInstance, double FlopsPerEvaluation);

/// <summary>One named tensor of theta.</summary>
public sealed record ParameterTensor(string Name, Shape Shape)
{
    /// <summary>For optimizers that do not treat all coordinates alike.</summary>
    public ParameterGroup Group { get; init; }
}

/// <summary>The role of a tensor of theta, see <see cref="Learned.Partitioned"/>.</summary>
public enum ParameterGroup
{
    /// <summary>Nothing in particular.</summary>
    Other,
    /// <summary>Filters of a convolution. Their biases and their normalisation's scales and shifts are not.</summary>
    Convolution,
}

/// <summary>A distribution over optimizees f(theta).</summary>
public interface ITask
{
    /// <summary>The tensors of theta, in order; theta is their concatenation.</summary>
    IReadOnlyList<ParameterTensor> Parameters { get; }

    /// <summary>P, the number of coordinates of theta.</summary>
    int Coordinates => Parameters.Sum(p => p.Shape.Count);

    /// <summary>Facts that the options do not tell, by name; becomes part of a run's metadata.</summary>
    IReadOnlyDictionary<string, string> Facts => ReadOnlyDictionary<string, string>.Empty;

    /// <summary>
    /// Points of theta's space to look at beside the results on the first <paramref name="instances"/> test instances, by name;
    /// for neural art the style and the content pictures.
    /// </summary>
    IReadOnlyList<(string Name, float[] Theta)> Landmarks(int instances) => [];

    /// <summary>Room for <paramref name="count"/> instances, which <see cref="ITaskInstances{T}.Draw"/> then fills.</summary>
    ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

/// <summary>
/// A batch of B instances of one task that are optimised side by side. Each is its own optimizee: its own data, its own
/// loss, its own gradient.
/// </summary>
public interface ITaskInstances<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>B.</summary>
    int Count { get; }

    /// <summary>
    /// Draws instances first .. first + B - 1 of <paramref name="split"/>. The same address gives the same instance always.
    /// </summary>
    void Draw(ulong seed, Split split, int first);

    /// <summary>Overwrites <paramref name="theta"/> [B, P] with each instance's theta_0.</summary>
    void InitialTheta(Tensor<T> theta);

    /// <summary>
    /// f(theta) of each instance, [B], on the mini-batch of inner step <paramref name="step"/> (tasks without data ignore it).
    /// Instance b's loss depends on row b of theta [B, P] alone.
    /// </summary>
    Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step);
}

/// <summary>The part of instances that does not depend on the number type.</summary>
public static class TaskInstances
{
    /// <summary>
    /// f(theta) of each instance, [B], and each one's own gradient, [B, P], of inner step <paramref name="step"/>. Both live on
    /// the tape, which is reset before, until it is reset again.
    /// </summary>
    public static (Tensor<T> Losses, Tensor<T> Gradient) LossAndGradient<T>(this ITaskInstances<T> instances, Tape<T> tape,
        Tensor<T> theta, int step)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        tape.Reset();
        var variable = tape.Variable(theta);
        var losses = instances.Loss(tape, variable, step);
        Tensor<T> gradient = default;
        tape.Gradient(losses, new(in variable), new(ref gradient));
        return (losses, gradient);
    }
}

/// <summary>
/// Where the drawn instances' random numbers come from: instance b of a batch is number first + b of its split.
/// </summary>
readonly record struct InstanceAddress(ulong Seed, Split Split, int First)
{
    /// <summary>The stream of instance <paramref name="b"/> for <paramref name="purpose"/>.</summary>
    public RandomStream Stream(Purpose purpose, int b, int step = 0) => new(Seed, Split, purpose, (uint)(First + b), (uint)step);

    /// <summary>
    /// Overwrites row b of <paramref name="rows"/>, whose first axis counts instances, with instance b's numbers from N(0,
    /// deviation squared).
    /// </summary>
    public void FillNormal<T>(Purpose purpose, Tensor<T> rows, double deviation, int step = 0)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        using var values = rows.Write();
        for (var b = 0; b < rows.Shape.D0; b++) Stream(purpose, b, step).FillNormal(values.Row(b), deviation);
    }

    /// <summary>The same with numbers from U[low, high).</summary>
    public void FillUniform<T>(Purpose purpose, Tensor<T> rows, double low, double high, int step = 0)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        using var values = rows.Write();
        for (var b = 0; b < rows.Shape.D0; b++) Stream(purpose, b, step).FillUniform(values.Row(b), low, high);
    }
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;

namespace MetaOpt.Unrolling;

/// <summary>Watches an inner run.</summary>
public interface IInnerObserver<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Sees theta before update <paramref name="t"/> = 0, 1, .. of this <see cref="InnerLoop{T}.Run"/>.</summary>
    /// <param name="t">Updates since the run of the loop began.</param>
    /// <param name="theta">theta_t of all instances, [B, P]; moved in place afterwards.</param>
    /// <param name="losses">f(theta_t) of each instance, [B]; on the tape, so until the next step.</param>
    /// <param name="gradient">Each instance's own gradient at theta_t, [B, P]; on the tape as well.</param>
    void Observe(int t, Tensor<T> theta, Tensor<T> losses, Tensor<T> gradient);
}

/// <summary>The nodes of a step that stay on the tape after it.</summary>
public enum Graph
{
    /// <summary>Nothing: the tape is reset before each step.</summary>
    None,
    /// <summary>
    /// The path through losses and updates; gradients are constants. The tape's owner resets it and puts theta on it.
    /// </summary>
    Updates,
    /// <summary>The path through the gradients too.</summary>
    Gradients,
}

/// <summary>
/// The unrolling of an optimizer on an optimizee (Andrychowicz et al., 2016, figure 2), B instances side by side: the one loop of
/// training, validation, tuning, evaluation and trajectories. What they do on the way, observers and updates do.
/// </summary>
/// <param name="instances">The optimizees; their owner draws them.</param>
/// <param name="tape">Where losses and gradients are computed.</param>
/// <param name="theta">[B, P].</param>
public sealed class InnerLoop<T>(ITaskInstances<T> instances, Tape<T> tape, Tensor<T> theta)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    Tensor<T> _losses, _gradient;
    bool _isEvaluated;

    /// <summary>theta_t of all instances, [B, P]. With a graph, an update puts its result in its place.</summary>
    public Tensor<T> Theta
    {
        get;
        set => (field, _isEvaluated) = (value, false);
    } = theta;

    /// <summary>The nodes that stay on the tape; none at first.</summary>
    public Graph Graph { get; set; }

    /// <summary>Goes back to theta_0 of the instances.</summary>
    public void Begin()
    {
        instances.InitialTheta(Theta);
        _isEvaluated = false;
    }

    /// <summary>Makes so many updates from inner step <paramref name="first"/> on, which says what mini-batch comes.</summary>
    public void Run(IUpdate<T> update, int first, int steps, IInnerObserver<T>? observer = null)
    {
        for (var t = 0; t < steps; t++)
        {
            var (losses, gradient) = Evaluate(first + t);
            observer?.Observe(t, Theta, losses, gradient);
            _isEvaluated = false;
            update.Step(Theta, gradient);
        }
    }

    /// <summary>
    /// Computes f(theta) of each instance, [B], and each one's own gradient, [B, P], once for each theta: the next run begins
    /// with them.
    /// </summary>
    public (Tensor<T> Losses, Tensor<T> Gradient) Evaluate(int step)
    {
        if (_isEvaluated) return (_losses, _gradient);
        if (Graph == Graph.None) (_losses, _gradient) = instances.LossAndGradient(tape, Theta, step);
        else
        {
            _losses = Loss(step);
            tape.Gradient(_losses, [Theta], new(ref _gradient), createGraph: Graph == Graph.Gradients);
        }
        _isEvaluated = true;
        return (_losses, _gradient);
    }

    /// <summary>Computes f(theta) of each instance alone, [B].</summary>
    public Tensor<T> Loss(int step)
    {
        if (Graph == Graph.None) tape.Reset();
        return instances.Loss(tape, Theta, step);
    }
}

using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// f(theta) + mean over i of min((x_i - a_i)^2, 10), with a_i ~ U(-1, 1) and x_0 = 0: coordinates of a convex function of their
/// own beside those of f (Lv, Jiang and Li, 2017, arXiv:1703.03633, section 4.2), which keep the learned optimizer a descent
/// method where f teaches it something else.
/// </summary>
/// <param name="task">The task.</param>
/// <param name="dimensions">Coordinates of the convex function.</param>
public sealed class ConvexMixture(ITask task, int dimensions) : ITask
{
    const double Cap = 10;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [.. task.Parameters,
        .. Shares([.. task.Parameters.Select(p => p.Group).Distinct()], dimensions)];

    /// <summary>Every group of coordinates has its share of the convex function, so that no network goes without.</summary>
    static IEnumerable<ParameterTensor> Shares(ParameterGroup[] groups, int dimensions)
    {
        for (var (i, from) = (0, 0); i < groups.Length; i++)
        {
            var to = dimensions * (i + 1) / groups.Length;
            if (to > from)
                yield return new(groups.Length == 1 ? "convex" : $"convex{i}", new Shape(to - from)) { Group = groups[i] };
            from = to;
        }
    }

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(task.Allocate(kernels, count), kernels, task.Coordinates, dimensions);

    sealed class Instances<T> : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly ITaskInstances<T> _inner;
        readonly Arena<T> _arena;
        readonly Tensor<T> _targets, _theta; // [B, dimensions], [B, P]
        readonly int _coordinates;

        public Instances(ITaskInstances<T> inner, IKernels<T> kernels, int coordinates, int dimensions)
        {
            (_inner, _coordinates, _arena) = (inner, coordinates, kernels.NewArena());
            _targets = _arena.Zeros(new Shape(inner.Count, dimensions));
            _theta = _arena.Zeros(new Shape(inner.Count, coordinates));
        }

        public int Count => _inner.Count;

        public void Draw(ulong seed, Split split, int first)
        {
            _inner.Draw(seed, split, first);
            new InstanceAddress(seed, split, first).FillUniform(Purpose.Perturbation, _targets, -1, 1, step: 1);
        }

        public void InitialTheta(Tensor<T> theta)
        {
            _inner.InitialTheta(_theta);
            using var own = _theta.Read();
            using var thetas = theta.Write();
            thetas.Span.Clear();
            for (var b = 0; b < Count; b++) own.Row(b).CopyTo(thetas.Row(b));
        }

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step)
        {
            var dimensions = _targets.Shape.D1;
            var own = tape.Square(tape.Subtract(tape.Slice(theta, 1, _coordinates, dimensions), _targets));
            var sum = tape.SumAxis(tape.Minimum(own, T.CreateTruncating(Cap)), 1);
            var convex = tape.Scale(tape.Reshape(sum, new Shape(Count)), T.One / T.CreateTruncating(dimensions));
            return tape.Add(_inner.Loss(tape, tape.Slice(theta, 1, 0, _coordinates), step), convex);
        }

        public void Dispose()
        {
            _inner.Dispose();
            _arena.Dispose();
        }
    }
}

using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>Scores phi on held-out instances, the same ones each time: mean final loss and mean loss over steps 1..horizon.</summary>
sealed class Validation(IKernels<float> kernels, ITask task, ILearnedOptimizer rule, TrainingSpec spec) : IDisposable
{
    readonly InnerRuns _runs = new(kernels, task, spec.Task.PredictCost());

    /// <summary>Infinity stands for divergence.</summary>
    public (double Final, double Average) Score(ReadOnlyMemory<float> phi, int horizon, CancellationToken cancel)
    {
        var instances = spec.Training.Validation.Instances;
        var (final, sum) = (0.0, 0.0);
        foreach (var _ in _runs.Portions(new FrozenOptimizer(rule, phi), (ulong)spec.Seed, Split.Validate, instances, horizon, Add, cancel))
        {
        }
        return (FiniteOrInfinity(final / instances), FiniteOrInfinity(sum / instances / horizon));

        void Add(int step, int first, ReadOnlySpan<float> losses)
        {
            foreach (var loss in losses)
            {
                if (step > 0) sum += loss;
                if (step == horizon) final += loss;
            }
        }
    }

    static double FiniteOrInfinity(double value) => double.IsFinite(value) ? value : double.PositiveInfinity;

    public void Dispose() => _runs.Dispose();
}

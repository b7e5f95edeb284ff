using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>Scores phi on held-out instances, the same ones each time, and keeps the best one.</summary>
sealed class Validation(IKernels<float> kernels, ITask task, ILearnedOptimizer rule, TrainingSpec spec) : IDisposable
{
    readonly ValidationOptions _options = spec.Training.Validation;
    readonly InnerRuns _runs = new(kernels, task, spec.Task.PredictCost());
    int _metaEpoch; // of the last validation
    int _sinceImprovement; // validations since the best one
    double _bestScore = double.PositiveInfinity;
    long _bestMetaStep;

    /// <summary>Mean final loss, and mean loss over steps 1..horizon; infinity stands for divergence.</summary>
    public readonly record struct Scores(double Final, double Average);

    /// <summary>phi at the best validation; before the first, the one that training began with.</summary>
    public float[] BestPhi { get; } = new float[rule.MetaParameterCount];

    /// <summary>The score of <see cref="BestPhi"/>; null before the first.</summary>
    public double? BestScore => double.IsFinite(_bestScore) ? _bestScore : null;

    /// <summary>When it was reached; null before that.</summary>
    public long? BestMetaStep => _bestMetaStep > 0 ? _bestMetaStep : null;

    /// <summary>There was one.</summary>
    public bool HasBeen => _metaEpoch > 0;

    /// <summary>Too many validations in a row were no improvement.</summary>
    public bool Stops => _options.Patience > 0 && _sinceImprovement >= _options.Patience;

    /// <summary>A validation comes now, between two inner runs.</summary>
    public bool IsDue(int metaEpoch) => _options.Every > 0 && _metaEpoch < metaEpoch
        && (metaEpoch % _options.Every == 0 || metaEpoch == spec.Training.MetaEpochs);

    /// <summary>Takes phi as the best one, whatever it scores.</summary>
    public void Begin(ReadOnlySpan<float> phi) => phi.CopyTo(BestPhi);

    /// <summary>Scores phi; null when it was cancelled.</summary>
    public Scores? Score(ReadOnlySpan<float> phi, int horizon, CancellationToken cancel)
    {
        try
        {
            return Score(phi.ToArray(), horizon, cancel);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    Scores Score(float[] phi, int horizon, CancellationToken cancel)
    {
        var (final, sum) = (0.0, 0.0);
        foreach (var _ in _runs.Portions(new FrozenOptimizer(rule, phi), (ulong)spec.Seed, Split.Validate, _options.Instances,
            horizon, Add, cancel))
        {
        }
        return new(FiniteOrInfinity(final / _options.Instances), FiniteOrInfinity(sum / _options.Instances / horizon));

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

    double Judged(Scores scores) => _options.Criterion == Criterion.Final ? scores.Final : scores.Average;

    /// <summary>Makes the score of the best phi, at another horizon, the one to beat.</summary>
    public void Rescore(Scores scores) => _bestScore = Judged(scores);

    /// <summary>Counts a validation, and keeps phi if it is the best. Returns whether it is.</summary>
    public bool Judge(Scores scores, ReadOnlySpan<float> phi, int metaEpoch, long metaStep)
    {
        _metaEpoch = metaEpoch;
        _sinceImprovement++;
        if (!(Judged(scores) < _bestScore)) return false;
        (_bestScore, _bestMetaStep, _sinceImprovement) = (Judged(scores), metaStep, 0);
        phi.CopyTo(BestPhi);
        return true;
    }

    /// <summary>Keeps the best phi and what came since.</summary>
    public void Keep(Snapshot snapshot)
    {
        snapshot.Keep("best-phi", BestPhi);
        snapshot.Keep("best-score", ref _bestScore);
        snapshot.Keep("best-meta-step", ref _bestMetaStep);
        snapshot.Keep("meta-epoch", ref _metaEpoch);
        snapshot.Keep("since-improvement", ref _sinceImprovement);
    }

    public void Dispose() => _runs.Dispose();
}

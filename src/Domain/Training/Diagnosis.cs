using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Measures estimators against references at one phi on the same instances. Back-propagation is compared with that through the
/// whole horizon with second derivatives, the exact gradient. Evolution strategies estimate the gradient of a smoothed loss, so
/// they are compared with evolution strategies over the whole horizon at the same sigma and with many pairs; how far that is from
/// the exact gradient is a row too.
/// </summary>
sealed class Diagnosis : IDisposable
{
    /// <summary>The row of truncated back-propagation, the estimator that most people use.</summary>
    internal const string TruncatedRow = "truncated-bptt";

    const int BlockPairs = 10;
    const int EstimatesBetweenResumePoints = 100;

    readonly DiagnosisSpec _spec;
    readonly RunInputs _inputs;
    readonly ITask _task;
    readonly ILearnedOptimizer _rule;
    readonly float[] _phi;
    readonly string _rulesName;
    readonly List<Strategy> _strategies = [];

    /// <summary>An estimator that draws: what it is called, its estimates so far, how many there shall be.</summary>
    sealed record Strategy(string Name, EvolutionStrategies Estimator, int Unroll, GradientSample Sample, int Total);

    public Diagnosis(DiagnosisSpec spec, RunInputs inputs)
    {
        (_spec, _inputs) = (spec, inputs);
        _task = spec.Task.Create(inputs.Datasets);
        if (spec.Checkpoint is { } id)
        {
            var checkpoint = LearnedOptimizerCheckpoint.Read(inputs.Checkpoints[id], "/checkpoint");
            if (_task.Coordinates > checkpoint.Options.MostCoordinates)
                throw new SpecException("/task",
                    $"The task has {_task.Coordinates} coordinates; {checkpoint.Name} is made for at "
                    + $"most {checkpoint.Options.MostCoordinates}.");
            (_rule, _phi, _rulesName) = (checkpoint.Options.Create(), checkpoint.Phi, checkpoint.Name);
        }
        else
        {
            _rule = spec.Optimizer!.Create();
            _phi = new float[_rule.MetaParameterCount];
            _rule.Initialise((ulong)spec.Seed, _phi);
            _rulesName = Catalog.LearnedOptimizers.Of(spec.Optimizer).Name;
        }
        var blocks = (spec.ReferencePairs + BlockPairs - 1) / BlockPairs;
        Add("es-reference", BlockPairs, spec.Horizon, blocks, persistent: false);
        Add("es", spec.Pairs, spec.Unroll, spec.Estimates, persistent: false);
        Add("pes", spec.Pairs, spec.Unroll, spec.Estimates, persistent: true);
        inputs.Resume(Resume);
    }

    void Add(string name, int pairs, int unroll, int total, bool persistent)
    {
        EvolutionStrategies.Options options = persistent
            ? new EvolutionStrategies.PersistentOptions { Deviation = _spec.Deviation, Pairs = pairs }
            : new EvolutionStrategies.TruncatedOptions { Deviation = _spec.Deviation, Pairs = pairs };
        var training = new TrainingOptions { MetaBatch = _spec.Instances, Horizon = _spec.Horizon, Unroll = unroll };
        var estimator = new EvolutionStrategies(_inputs.Kernels, _task, _rule, training, options, persistent);
        _strategies.Add(new(name, estimator, unroll, new GradientSample(_phi.Length), total));
    }

    public IEnumerable<RunEvent> Run(CancellationToken cancel)
    {
        var facts = _inputs.Facts(_spec, _task);
        facts["metaParameters"] = _phi.Length;
        yield return new RunEvent.Metadata(facts);
        var total = _strategies.Sum(s => (long)s.Total);
        foreach (var strategy in _strategies)
        {
            while (strategy.Sample.Count < strategy.Total)
            {
                if (cancel.IsCancellationRequested)
                {
                    yield return ResumePoint();
                    cancel.ThrowIfCancellationRequested();
                }
                // Each estimate of each strategy has a number of its own, and so noise of its own.
                strategy.Estimator.Noise = (uint)(strategy.Sample.Count * _strategies.Count + _strategies.IndexOf(strategy));
                strategy.Sample.Add(Gradient(strategy.Estimator, strategy.Unroll));
                yield return new RunEvent.Progress(strategy.Name, _strategies.Sum(s => (long)s.Sample.Count), total);
                if (strategy.Sample.Count % EstimatesBetweenResumePoints == 0) yield return ResumePoint();
            }
        }
        yield return new RunEvent.Result(Report());
    }

    /// <summary>One estimate of the whole horizon's gradient: the sum over its unrolls.</summary>
    double[] Gradient(IGradientEstimator<float> estimator, int unroll)
    {
        var (sum, part) = (new double[_phi.Length], new double[_phi.Length]);
        estimator.Begin((ulong)_spec.Seed, Split.Train, 0);
        for (var step = 0; step < _spec.Horizon; step += unroll)
        {
            estimator.Unroll(_phi, step, part);
            for (var i = 0; i < sum.Length; i++) sum[i] += part[i];
        }
        return sum;
    }

    /// <summary>By back-propagation, with second derivatives or without: always the same.</summary>
    GradientSample Backpropagated(int unroll, bool second)
    {
        using IGradientEstimator<float> estimator = second
            ? new TapeBptt<float>(_inputs.Kernels, _task, _rule, _spec.Instances, unroll, LossWeights.Uniform, true)
            : new DecoupledBptt<float>(_inputs.Kernels, _task, _rule, _spec.Instances, unroll, LossWeights.Uniform);
        var sample = new GradientSample(_phi.Length);
        sample.Add(Gradient(estimator, unroll));
        return sample;
    }

    DiagnosisResult Report()
    {
        var exact = Backpropagated(_spec.Horizon, true);
        var reference = _strategies[0].Sample;
        return new()
        {
            Optimizer = _rulesName,
            Coordinates = _task.Coordinates,
            MetaParameters = _phi.Length,
            Horizon = _spec.Horizon,
            Unroll = _spec.Unroll,
            Deviation = _spec.Deviation,
            Pairs = _spec.Pairs,
            ReferencePairs = (long)reference.Count * BlockPairs,
            Rows =
            [
                Row("full-bptt", Backpropagated(_spec.Horizon, false), "full-bptt-second-derivatives", exact),
                Row("truncated-bptt-second-derivatives", Backpropagated(_spec.Unroll, true), "full-bptt-second-derivatives",
                    exact),
                Row(TruncatedRow, Backpropagated(_spec.Unroll, false), "full-bptt-second-derivatives", exact),
                Row("es-reference", reference, "full-bptt-second-derivatives", exact),
                Row("es", _strategies[1].Sample, "es-reference", reference),
                Row("pes", _strategies[2].Sample, "es-reference", reference),
            ],
        };
    }

    static EstimatorResult Row(string name, GradientSample sample, string reference, GradientSample truth)
    {
        var (difference, inner) = (0.0, 0.0);
        for (var i = 0; i < sample.Mean.Length; i++)
        {
            difference += (sample.Mean[i] - truth.Mean[i]) * (sample.Mean[i] - truth.Mean[i]);
            inner += sample.Mean[i] * truth.Mean[i];
        }
        var (length, trueLength) = (Norm(sample.Mean), Norm(truth.Mean));
        return new(
            name, reference, sample.Count, RunResult.Finite(length), RunResult.Finite(trueLength),
            RunResult.Finite(Math.Sqrt(difference)),
            RunResult.Finite(Math.Sqrt(sample.MeanVariance + truth.MeanVariance)),
            RunResult.Finite(Math.Sqrt(difference) / trueLength),
            RunResult.Finite(sample.Variance), RunResult.Finite(inner / (length * trueLength)));
    }

    static double Norm(ReadOnlySpan<double> vector)
    {
        var sum = 0.0;
        foreach (var value in vector) sum += value * value;
        return Math.Sqrt(sum);
    }

    RunEvent ResumePoint() => new RunEvent.ResumePoint(0, () => Snapshot.Write(_inputs.Kernels.Identity, Keep));

    void Keep(Snapshot snapshot)
    {
        foreach (var strategy in _strategies) strategy.Sample.Keep(snapshot.Part(strategy.Name), strategy.Total);
    }

    /// <summary>
    /// Takes over saved results; those of another kernel set, or of an earlier version (JSON), are measured again.
    /// </summary>
    void Resume(byte[] saved)
    {
        if (saved is [(byte)'{', ..]) return;
        var snapshot = Snapshot.Read(saved);
        if (snapshot.Kernels == _inputs.Kernels.Identity) Keep(snapshot);
    }

    public void Dispose()
    {
        foreach (var strategy in _strategies) strategy.Estimator.Dispose();
    }
}

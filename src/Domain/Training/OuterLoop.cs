using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Meta-training: draw a meta-batch of instances, run the learned optimizer on them for one horizon, update phi by Adam after
/// every unroll, validate now and then and keep the best phi. Yields everything it has to say; see <see cref="RunSpec.Execute"/>.
/// </summary>
sealed class OuterLoop : IDisposable
{
    /// <summary>
    /// A phi at which so many inner runs in a row have nothing but what is skipped would never be left: back to the best one.
    /// </summary>
    const int LostRunsBeforeReturn = 3;

    /// <summary>The number of them in a row, returns included, that makes a specification hopeless.</summary>
    const int MostLostRuns = 20;

    /// <summary>
    /// Within a long horizon a resume point is offered every so many unrolls; otherwise at its end, where it is small.
    /// </summary>
    const int UnrollsBetweenInnerResumePoints = 50;

    readonly TrainingSpec _spec;
    readonly TrainingOptions _options;
    readonly IKernels<float> _kernels;
    readonly IGradientEstimator<float> _estimator;
    readonly Imitation? _imitation;
    readonly HorizonSchedule _schedule;
    readonly Validation _validation;
    readonly PhiUpdate _update;
    readonly int _coordinates;
    readonly JsonObject _facts; // all but what only the training knows
    readonly double[] _metaGradient;
    readonly string? _resumedFrom; // another kernel set

    int _metaEpoch; // finished inner runs
    int _unroll; // finished unrolls of the current inner run
    long _metaStep; // updates of phi, skipped ones included
    bool _runHasGradient; // the current inner run had one that could be used
    int _lostRuns; // inner runs in a row that had none
    long _returns; // times phi was put back to the best one

    public OuterLoop(TrainingSpec spec, RunInputs inputs)
    {
        (_spec, _options, _kernels) = (spec, spec.Training, inputs.Kernels);
        var task = spec.Task.Create(inputs.Datasets);
        var rule = spec.Optimizer.Create();
        (_coordinates, _facts) = (task.Coordinates, inputs.Facts(spec, task));
        var hardened = Hardened(task);
        _estimator = _options.Estimator.Create(_kernels, hardened, rule, _options);
        if (_options.Imitation is { } imitation)
        {
            var teacher = imitation.Teacher.Create(_options.Horizon);
            _imitation = new Imitation(_kernels, hardened, rule, teacher, _options.MetaBatch, _options.Unroll);
        }
        _schedule = new HorizonSchedule(_options, (ulong)spec.Seed);
        _validation = new Validation(_kernels, task, rule, spec);
        _update = new PhiUpdate(_options, _kernels, rule.MetaParameterCount);
        _metaGradient = new double[rule.MetaParameterCount];
        if (inputs.ResumePoint is null)
        {
            if (spec.Start is { } id)
            {
                var start = LearnedOptimizerCheckpoint.Read(inputs.Checkpoints[id], "/start");
                start.PhiFor(spec.Optimizer, "/start").CopyTo(_update.Phi);
            }
            else rule.Initialise((ulong)spec.Seed, _update.Phi);
            _validation.Begin(_update.Phi);
        }
        Snapshot? saved = null;
        inputs.Resume(bytes => saved = Resume(bytes));
        if (saved is null) return;
        if (saved.Kernels != _kernels.Identity) _resumedFrom = saved.Kernels;
        if (_unroll > 0) ContinueInnerRun(saved);
    }

    /// <summary>The task to train on; validation always sees the plain one.</summary>
    ITask Hardened(ITask task)
    {
        if (_options.RandomScaling > 0) task = new RandomScaling(task, _options.RandomScaling);
        return _options.ConvexDimensions > 0 ? new ConvexMixture(task, _options.ConvexDimensions) : task;
    }

    /// <summary>The current inner run is the teacher's.</summary>
    bool Imitates => _schedule.Imitates(_metaEpoch);

    IGradientEstimator<float> Current => Imitates ? _imitation! : _estimator;

    /// <summary>Meta-steps if the rest went on at this stage's horizon.</summary>
    long PlannedMetaSteps => _metaStep - _unroll + (long)(_options.MetaEpochs - _metaEpoch) * _schedule.StageUnrolls;

    bool ValidationIsDue => _unroll == 0 && _validation.IsDue(_metaEpoch);

    bool Stops => _schedule.IsOver || _validation.Stops;

    public IEnumerable<RunEvent> Run(CancellationToken cancel)
    {
        yield return new RunEvent.Metadata(Facts());
        yield return new RunEvent.Progress("train", _metaStep, PlannedMetaSteps);
        while (true)
        {
            if (cancel.IsCancellationRequested)
            {
                yield return ResumePoint();
                cancel.ThrowIfCancellationRequested();
            }
            if (_schedule.IsToBeScored)
            {
                if (_validation.Score(_update.Phi, _schedule.ValidationHorizon, cancel) is not { } first) continue;
                _validation.Rescore(first);
                _schedule.BeginStage();
            }
            if (ValidationIsDue)
            {
                var horizon = _schedule.ValidationHorizon;
                if (_validation.Score(_update.Phi, horizon, cancel) is not { } scores) continue;
                Judge(scores);
                yield return new RunEvent.Point("validation/final", _metaStep, scores.Final);
                yield return new RunEvent.Point("validation/average", _metaStep, scores.Average);
                if (_options.Curriculum is not null) yield return new RunEvent.Point("validation/horizon", _metaStep, horizon);
                yield return ResumePoint();
                continue;
            }
            if (_metaEpoch == _options.MetaEpochs || Stops) break;
            var series = Imitates ? "imitation-loss" : "meta-loss";
            var loss = MetaStep();
            yield return new RunEvent.Point(series, _metaStep, loss);
            yield return new RunEvent.Progress("train", _metaStep, PlannedMetaSteps);
            if (!ValidationIsDue && (_unroll == 0 || _unroll % UnrollsBetweenInnerResumePoints == 0)) yield return ResumePoint();
        }
        yield return new RunEvent.Progress("train", Math.Max(_metaStep, PlannedMetaSteps), Math.Max(_metaStep, PlannedMetaSteps));
        var phi = _validation.HasBeen ? _validation.BestPhi : _update.Phi.ToArray();
        yield return new RunEvent.Checkpoint("final", _metaStep, LearnedOptimizerCheckpoint.Write(_spec, phi));
        yield return new RunEvent.Result(Summary());
    }

    JsonObject Facts()
    {
        var facts = _facts;
        (facts["estimator"], facts["metaParameters"]) = (_estimator.Name, _metaGradient.Length);
        if (_options.Imitation is { } imitation) facts["imitates"] = Catalog.Optimizers.Of(imitation.Teacher).Name;
        if (_resumedFrom is not null) facts["resumedUnderOtherKernels"] = _resumedFrom;
        return facts;
    }

    TrainingResult Summary() => new()
    {
        MetaSteps = _metaStep,
        MetaEpochs = _metaEpoch,
        Horizon = _schedule.Horizon,
        StoppedEarly = Stops && _metaEpoch < _options.MetaEpochs,
        BestMetaStep = _validation.BestMetaStep,
        BestValidation = _validation.BestScore,
        Criterion = _options.Validation.Criterion == Criterion.Final ? "final" : "average",
        SkippedMetaSteps = _update.Skipped,
        ReturnsToBest = _returns,
        Estimator = _estimator.Name,
        Coordinates = _coordinates,
        MetaParameters = _metaGradient.Length,
    };

    /// <summary>Keeps phi if it is the best; a stage that is over hands the best one to the next.</summary>
    void Judge(Validation.Scores scores)
    {
        var improved = _validation.Judge(scores, _update.Phi, _metaEpoch, _metaStep);
        if (_schedule.Judge(improved)) _validation.BestPhi.CopyTo(_update.Phi);
    }

    /// <summary>One unroll and one update of phi. Returns the mean loss of the unroll.</summary>
    double MetaStep()
    {
        var (current, imitates, offset) = (Current, Imitates, _schedule.Offset(_metaEpoch));
        if (_unroll == 0)
        {
            Begin(current);
            current.Advance(_update.Phi, 0, offset);
        }
        var loss = current.Unroll(_update.Phi, offset + _unroll * _options.Unroll, _metaGradient);
        _metaStep++;
        if (++_unroll == _schedule.Unrolls(_metaEpoch)) (_unroll, _metaEpoch) = (0, _metaEpoch + 1);
        _runHasGradient |= _update.Step(_metaGradient, imitates);
        if (_unroll == 0) EndInnerRun();
        return loss;
    }

    /// <summary>Counts inner runs without any meta-gradient that could be used, and leaves the phi that makes them.</summary>
    /// <exception cref="DivergedException">Too many in a row.</exception>
    void EndInnerRun()
    {
        _lostRuns = _runHasGradient ? 0 : _lostRuns + 1;
        _runHasGradient = false;
        if (_lostRuns == MostLostRuns)
            throw new DivergedException(
                $"The training diverged: no meta-gradient of the last {MostLostRuns} inner runs, up to meta-step {_metaStep}, "
                + $"was finite and below {PhiUpdate.LargestElement:G2}. Lower /training/metaOptimizer/learningRate from "
                + $"{_options.MetaOptimizer.LearningRate} or set /training/metaOptimizer/clipNorm.");
        if (_lostRuns == 0 || _lostRuns % LostRunsBeforeReturn != 0) return;
        _validation.BestPhi.CopyTo(_update.Phi);
        _returns++;
    }

    void Begin(IGradientEstimator<float> current) =>
        current.Begin((ulong)_spec.Seed, Split.Train, checked(_metaEpoch * _options.MetaBatch));

    RunEvent ResumePoint() => new RunEvent.ResumePoint(_metaStep, () => Snapshot.Write(_kernels.Identity, Keep));

    void Keep(Snapshot snapshot)
    {
        snapshot.Keep("meta-epoch", ref _metaEpoch, 0, _options.MetaEpochs);
        snapshot.Keep("meta-step", ref _metaStep);
        snapshot.Keep("run-has-gradient", ref _runHasGradient);
        snapshot.Keep("lost-runs", ref _lostRuns, 0, MostLostRuns);
        snapshot.Keep("returns", ref _returns);
        _update.Keep(snapshot);
        _schedule.Keep(snapshot.Part("schedule"));
        _validation.Keep(snapshot.Part("validation"));
        snapshot.Keep("unroll", ref _unroll, 0, _schedule.StageUnrolls - 1);
        if (_unroll > 0) Current.Keep(snapshot.Part("inner"));
    }

    /// <summary>Takes over where a training stood; its inner run must yet be begun, and continued.</summary>
    /// <exception cref="FormatException">
    /// It stands where this training cannot stand, or lacks a tensor, or one has another size.
    /// </exception>
    Snapshot Resume(byte[] bytes)
    {
        var snapshot = EarlierResumePoint.Read(bytes);
        if (snapshot.Kernels != _kernels.Identity && !_spec.AllowOtherKernels)
            throw new SpecException("/allowOtherKernels",
                $"The resume point was computed with {snapshot.Kernels}, this worker has {_kernels.Identity}; "
                + "set allowOtherKernels to go on with other rounding, or use a worker of the first kind.");
        Keep(snapshot);
        return snapshot;
    }

    void ContinueInnerRun(Snapshot snapshot)
    {
        Begin(Current);
        if (Imitates) Current.Advance(_update.Phi, 0, _schedule.Offset(_metaEpoch) + _unroll * _options.Unroll);
        Current.Keep(snapshot.Part("inner"));
    }

    public void Dispose()
    {
        _estimator.Dispose();
        _imitation?.Dispose();
        _validation.Dispose();
        _update.Dispose();
    }
}

using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// Meta-training: draw a meta-batch of instances, run the learned optimizer on them for one horizon, update phi by Adam after
/// every unroll, validate now and then and keep the best phi. Yields everything it has to say; see <see cref="RunSpec.Execute"/>.
/// </summary>
sealed class Trainer : IDisposable
{
    /// <summary>
    /// Meta-gradients that are not finite are skipped, and so are those with an element above this: Adam's mean square, in float, would be infinite
    /// from then on, and that element of phi would never move again.
    /// </summary>
    const double LargestElement = 1.8e19;

    /// <summary>A phi at which so many inner runs in a row have nothing but what is skipped would never be left: back to the best one.</summary>
    const int LostRunsBeforeReturn = 3;

    /// <summary>So many of them in a row, returns included, are a hopeless specification.</summary>
    const int MostLostRuns = 20;

    /// <summary>Within a long horizon a resume point is offered every so many unrolls; otherwise at its end, where it is small.</summary>
    const int UnrollsBetweenInnerResumePoints = 50;

    readonly TrainingSpec _spec;
    readonly TrainingOptions _options;
    readonly IKernels<float> _kernels;
    readonly IMetaGradient<float> _estimator;
    readonly Validation _validation;
    readonly Imitation? _imitation;
    readonly IOptimizerState _metaOptimizer;
    readonly List<(string Name, IOptimizerState State)> _optimizers = [];
    readonly IOptimizerState? _imitationOptimizer;
    TrainerState _state = new();
    readonly int _coordinates;
    readonly JsonObject _facts; // all but what only the trainer knows
    readonly Arena<float> _arena = new();
    readonly Tensor<float> _phi, _metaGradient;
    readonly double[] _sums;
    string? _resumedFrom;

    public Trainer(TrainingSpec spec, RunInputs inputs)
    {
        (_spec, _options, _kernels) = (spec, spec.Training, inputs.Kernels);
        var task = spec.Task.Create(inputs.Datasets);
        var rule = spec.Optimizer.Create();
        var count = rule.MetaParameterCount;
        (_coordinates, _facts) = (task.Coordinates, inputs.Facts(spec, task));
        var hardened = Hardened(task);
        _estimator = _options.Estimator.Create(_kernels, hardened, rule, _options);
        _validation = new Validation(_kernels, task, rule, spec);
        _metaOptimizer = NewMetaOptimizer("meta-optimizer", count);
        if (_options.Imitation is { } imitation)
        {
            _imitation = new Imitation(_kernels, hardened, rule, imitation.Teacher.Create(_options.Horizon), _options.MetaBatch, _options.Unroll);
            // The scales of the two gradients have nothing in common, so their moments are kept apart.
            _imitationOptimizer = NewMetaOptimizer("imitation-optimizer", count);
        }
        (_phi, _metaGradient, _sums) = (_arena.Zeros(new Shape(1, count)), _arena.Zeros(new Shape(1, count)), new double[count]);
        if (inputs.ResumePoint is null)
        {
            if (spec.Start is { } id)
                LearnedOptimizerCheckpoint.Read(inputs.Checkpoints[id], "/start").PhiFor(spec.Optimizer, "/start").CopyTo(_phi.Span);
            else rule.Initialise((ulong)spec.Seed, _phi.Span);
            _state.BestPhi = _phi.Span.ToArray();
        }
        SafeTensors? saved = null;
        inputs.Resume(bytes => saved = Resume(bytes));
        if (saved is not null && _state.Unroll > 0) ContinueInnerRun(saved);
    }

    IOptimizerState NewMetaOptimizer(string name, int count)
    {
        var (rate, beta1, beta2) = (_options.MetaOptimizer.LearningRate, _options.MetaOptimizer.Beta1, _options.MetaOptimizer.Beta2);
        var state = new Adam.Options { LearningRate = rate, Beta1 = beta1, Beta2 = beta2 }.Create().Start(_kernels.Host, 1, count);
        _optimizers.Add((name, state));
        return state;
    }

    /// <summary>The task to train on; validation always sees the plain one.</summary>
    ITask Hardened(ITask task)
    {
        if (_options.RandomScaling > 0) task = new RandomScaling(task, _options.RandomScaling);
        return _options.ConvexDimensions > 0 ? new ConvexMixture(task, _options.ConvexDimensions) : task;
    }

    /// <summary>The horizon of a stage of the curriculum; beyond the last, that of the last.</summary>
    int HorizonOf(int stage) =>
        _options.Curriculum is { } curriculum && stage < curriculum.Horizons.Count ? curriculum.Horizons[stage] : _options.Horizon;

    int StageUnrolls => HorizonOf(_state.Stage) / _options.Unroll;

    MetaEpochDraw Draw => new((ulong)_spec.Seed, _state.MetaEpoch);

    /// <summary>The current inner run is the teacher's.</summary>
    bool Imitates => _options.Imitation is { } imitation && Draw.Chosen(imitation.Shares[Math.Min(_state.Stage, imitation.Shares.Count - 1)]);

    IMetaGradient<float> Current => Imitates ? _imitation! : _estimator;

    /// <summary>Unrolls of the current inner run.</summary>
    int Unrolls => Draw.Unrolls(_options.ShortestHorizon, HorizonOf(_state.Stage), _options.Unroll);

    /// <summary>Meta-steps if the rest went on at this stage's horizon.</summary>
    long PlannedMetaSteps => _state.MetaStep - _state.Unroll + (long)(_options.MetaEpochs - _state.MetaEpoch) * StageUnrolls;

    public IEnumerable<RunEvent> Run(CancellationToken cancel)
    {
        yield return new RunEvent.Metadata(Facts());
        yield return new RunEvent.Progress("train", _state.MetaStep, PlannedMetaSteps);
        while (true)
        {
            if (cancel.IsCancellationRequested)
            {
                yield return ResumePoint();
                cancel.ThrowIfCancellationRequested();
            }
            if (_state.StageIsToBeScored)
            {
                if (Score(cancel) is not { } first) continue;
                (_state.BestScore, _state.StageIsToBeScored) = (Judged(first), false);
            }
            if (ValidationIsDue)
            {
                if (Score(cancel) is not { } score) continue;
                var horizon = HorizonOf(_state.Stage + 1);
                Judge(score);
                yield return new RunEvent.Point("validation/final", _state.MetaStep, score.Final);
                yield return new RunEvent.Point("validation/average", _state.MetaStep, score.Average);
                if (_options.Curriculum is not null) yield return new RunEvent.Point("validation/horizon", _state.MetaStep, horizon);
                yield return ResumePoint();
                continue;
            }
            if (_state.MetaEpoch == _options.MetaEpochs || Stops) break;
            var series = Imitates ? "imitation-loss" : "meta-loss";
            var loss = MetaStep();
            yield return new RunEvent.Point(series, _state.MetaStep, loss);
            yield return new RunEvent.Progress("train", _state.MetaStep, PlannedMetaSteps);
            if (!ValidationIsDue && (_state.Unroll == 0 || _state.Unroll % UnrollsBetweenInnerResumePoints == 0)) yield return ResumePoint();
        }
        yield return new RunEvent.Progress("train", Math.Max(_state.MetaStep, PlannedMetaSteps), Math.Max(_state.MetaStep, PlannedMetaSteps));
        var phi = _state.ValidatedEpoch > 0 ? _state.BestPhi : _phi.Span.ToArray();
        yield return new RunEvent.Checkpoint("final", _state.MetaStep, LearnedOptimizerCheckpoint.Write(_spec, phi));
        yield return new RunEvent.Result(Summary());
    }

    JsonObject Facts()
    {
        var facts = _facts;
        (facts["estimator"], facts["metaParameters"]) = (_estimator.Name, _phi.Count);
        if (_options.Imitation is { } imitation) facts["imitates"] = Catalog.Optimizers.Of(imitation.Teacher).Name;
        if (_resumedFrom is not null) facts["resumedUnderOtherKernels"] = _resumedFrom;
        return facts;
    }

    TrainingResult Summary() => new()
    {
        MetaSteps = _state.MetaStep,
        MetaEpochs = _state.MetaEpoch,
        Horizon = HorizonOf(_state.Stage),
        StoppedEarly = Stops && _state.MetaEpoch < _options.MetaEpochs,
        BestMetaStep = _state.BestMetaStep > 0 ? _state.BestMetaStep : null,
        BestValidation = RunResult.Finite(_state.BestScore),
        Criterion = _options.Validation.Criterion == Criterion.Final ? "final" : "average",
        SkippedMetaSteps = _state.Skipped,
        ReturnsToBest = _state.Returns,
        Estimator = _estimator.Name,
        Coordinates = _coordinates,
        MetaParameters = _phi.Count,
    };

    bool ValidationIsDue => _options.Validation.Every > 0 && _state.Unroll == 0 && _state.ValidatedEpoch < _state.MetaEpoch
        && (_state.MetaEpoch % _options.Validation.Every == 0 || _state.MetaEpoch == _options.MetaEpochs);

    bool Stops => _state.CurriculumIsOver || _options.Validation.Patience > 0 && _state.SinceImprovement >= _options.Validation.Patience;

    /// <summary>At the next stage's horizon. Null when it was cancelled.</summary>
    (double Final, double Average)? Score(CancellationToken cancel)
    {
        try
        {
            return _validation.Score(_phi.Span.ToArray(), HorizonOf(_state.Stage + 1), cancel);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    double Judged((double Final, double Average) score) => _options.Validation.Criterion == Criterion.Final ? score.Final : score.Average;

    void Judge((double Final, double Average) score)
    {
        var value = Judged(score);
        _state.ValidatedEpoch = _state.MetaEpoch;
        _state.SinceImprovement++;
        _state.StageValidations++;
        if (value < _state.BestScore)
        {
            (_state.BestPhi, _state.BestScore, _state.BestMetaStep, _state.SinceImprovement) = (_phi.Span.ToArray(), value, _state.MetaStep, 0);
            _state.StageImproved = true;
        }
        else if (_options.Curriculum is { } curriculum && _state.StageValidations >= curriculum.Validations) EndStage(curriculum);
    }

    /// <summary>On to the next horizon with the best phi, or to the end.</summary>
    void EndStage(CurriculumOptions curriculum)
    {
        if (!_state.StageImproved || _state.Stage == curriculum.Horizons.Count)
        {
            _state.CurriculumIsOver = true;
            return;
        }
        _state.BestPhi.CopyTo(_phi.Span);
        (_state.Stage, _state.StageValidations, _state.StageImproved, _state.StageIsToBeScored) = (_state.Stage + 1, 0, false, true);
    }

    /// <summary>One unroll and one update of phi. Returns the mean loss of the unroll.</summary>
    double MetaStep()
    {
        var (current, optimizer) = (Current, Imitates ? _imitationOptimizer! : _metaOptimizer);
        var offset = Draw.Offset(_options.StartOffset);
        if (_state.Unroll == 0)
        {
            BeginInnerRun();
            current.Advance(_phi.Span, 0, offset);
        }
        var loss = current.Unroll(_phi.Span, offset + _state.Unroll * _options.Unroll, _sums);
        _state.MetaStep++;
        if (++_state.Unroll == Unrolls) (_state.Unroll, _state.MetaEpoch) = (0, _state.MetaEpoch + 1);
        var norm = Math.Sqrt(_sums.Sum(g => g * g));
        var scale = _options.MetaOptimizer.ClipNorm is { } most && norm > most ? most / norm : 1;
        if (double.IsFinite(norm) && scale * _sums.Max(Math.Abs) <= LargestElement) UpdatePhi(optimizer, scale);
        else _state.Skipped++;
        if (_state.Unroll == 0) EndInnerRun();
        return loss;
    }

    /// <summary>One step of the meta-optimizer along the meta-gradient in the sums, scaled.</summary>
    void UpdatePhi(IOptimizerState optimizer, double scale)
    {
        _state.RunHasGradient = true;
        var gradient = _metaGradient.Span;
        for (var i = 0; i < gradient.Length; i++) gradient[i] = (float)(_sums[i] * scale);
        optimizer.Step(_phi, _metaGradient);
    }

    /// <summary>Counts inner runs without any meta-gradient that could be used, and leaves the phi that makes them.</summary>
    /// <exception cref="DivergedException">Too many in a row.</exception>
    void EndInnerRun()
    {
        _state.LostRuns = _state.RunHasGradient ? 0 : _state.LostRuns + 1;
        _state.RunHasGradient = false;
        if (_state.LostRuns == MostLostRuns)
            throw new DivergedException(
                $"The training diverged: no meta-gradient of the last {MostLostRuns} inner runs, up to meta-step {_state.MetaStep}, was finite and below "
                + $"{LargestElement:G2}. Lower /training/metaOptimizer/learningRate from {_options.MetaOptimizer.LearningRate} or set /training/metaOptimizer/clipNorm.");
        if (_state.LostRuns == 0 || _state.LostRuns % LostRunsBeforeReturn != 0) return;
        _state.BestPhi.CopyTo(_phi.Span);
        _state.Returns++;
    }

    void BeginInnerRun() => Current.Begin((ulong)_spec.Seed, Split.Train, checked(_state.MetaEpoch * _options.MetaBatch));

    /// <summary>Takes over all but the inner run, which the returned file still holds.</summary>
    /// <exception cref="FormatException">It stands where this training cannot stand, or lacks a tensor, or one has another size.</exception>
    SafeTensors Resume(byte[] bytes)
    {
        (_state, var saved, _resumedFrom) = TrainerState.Load(bytes, _kernels, _spec.AllowOtherKernels, _phi, _optimizers);
        var stages = _options.Curriculum?.Horizons.Count ?? 0;
        if (_state.MetaEpoch < 0 || _state.MetaEpoch > _options.MetaEpochs || _state.Stage < 0 || _state.Stage > stages
            || _state.Unroll < 0 || _state.Unroll >= StageUnrolls)
        {
            throw new FormatException($"It stands at meta-epoch {_state.MetaEpoch}, unroll {_state.Unroll}, stage {_state.Stage}, "
                + "where this training does not come.");
        }
        if (_state.Unroll > 0)
            foreach (var (name, values) in Current.Carried) TrainerState.Require(name, saved[name], values.Count);
        return saved;
    }

    void ContinueInnerRun(SafeTensors saved)
    {
        BeginInnerRun();
        if (Imitates) Current.Advance(_phi.Span, 0, Draw.Offset(_options.StartOffset) + _state.Unroll * _options.Unroll);
        foreach (var (name, values) in Current.Carried) values.CopyFrom(saved[name]);
    }

    RunEvent ResumePoint() => new RunEvent.ResumePoint(_state.MetaStep, () => _state.Save(
        _kernels, _phi, _optimizers, _state.Unroll > 0 ? Current.Carried : []));

    public void Dispose()
    {
        _estimator.Dispose();
        _validation.Dispose();
        _imitation?.Dispose();
        foreach (var (_, state) in _optimizers) state.Dispose();
        _arena.Dispose();
    }
}

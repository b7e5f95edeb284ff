using System.Diagnostics;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Evaluation;

/// <summary>
/// Measures every contestant on the same test instances and mini-batches, baselines with tuned learning rates (Andrychowicz et
/// al., 2016, section 3), and reports means, spread, intervals and paired comparisons.
/// </summary>
sealed class Benchmark : IDisposable
{
    readonly EvaluationSpec _spec;
    readonly RunInputs _inputs;
    readonly InnerRuns _runs;
    readonly ITask _task;
    readonly List<Contestant> _contestants;
    readonly List<ContestantLosses> _trials = [];
    readonly List<string> _notes = []; // on the data, see Report
    Tuning _tuning; // of the contestant that comes next

    sealed record Contestant(string Name, OptimizerOptions? Baseline, FrozenOptimizer? Learned);

    public Benchmark(EvaluationSpec spec, RunInputs inputs)
    {
        (_spec, _inputs) = (spec, inputs);
        _task = spec.Task.Create(Noted);
        _runs = new InnerRuns(inputs.Kernels, _task, spec.Task.PredictCost());
        _contestants = Name([.. spec.Contestants.Select((c, i) => Prepare(c, i))]);
        _tuning = new Tuning(spec, _runs);
        inputs.Resume(Resume);
    }

    Dataset Noted(string name)
    {
        var dataset = _inputs.Datasets(name);
        if (dataset.Difference is { } difference) _notes.Add(difference);
        return dataset;
    }

    Contestant Prepare(ContestantSpec contestant, int index)
    {
        if (contestant.Optimizer is { } baseline)
            return new(contestant.Name ?? Catalog.Optimizers.Of(baseline).Name, baseline, null);
        var (id, field) = contestant.Checkpoint is { } given ? (given, "checkpoint") : (contestant.Run!.Value, "run");
        var checkpoint = LearnedOptimizerCheckpoint.Read(_inputs.Checkpoints[id], $"/contestants/{index}/{field}");
        return new(contestant.Name ?? checkpoint.Name, null, checkpoint.Freeze());
    }

    /// <summary>
    /// The second contestant of a name becomes "name 2"; what lies beside the contestants' thetas has taken its name already.
    /// </summary>
    List<Contestant> Name(List<Contestant> contestants)
    {
        var taken = _task.Landmarks(_spec.KeptInstances).Select(l => l.Name.Split('/')[0]).ToHashSet();
        return [.. contestants.Select(c =>
        {
            var name = c.Name;
            for (var n = 2; !taken.Add(name); n++) name = $"{c.Name} {n}";
            return c with { Name = name };
        })];
    }

    public IEnumerable<RunEvent> Run(CancellationToken cancel)
    {
        yield return new RunEvent.Metadata(_inputs.Facts(_spec, _task));
        while (_trials.Count < _contestants.Count)
        {
            var contestant = _contestants[_trials.Count];
            var search = IsOpen(contestant) ? _tuning.Next() : null;
            var phase = search is null ? $"test {contestant.Name}" : $"tune {contestant.Name}";
            var work = search is { } rate ? _tuning.Try(contestant.Baseline!, rate, cancel) : Test(contestant, cancel);
            var (done, total) = Units();
            yield return new RunEvent.Progress(phase, done, total);
            using (var portions = work.GetEnumerator())
                while (Advance(portions)) yield return new RunEvent.Progress(phase, done + portions.Current, total);
            yield return ResumePoint();
            cancel.ThrowIfCancellationRequested();
        }
        for (var step = 1; step <= _spec.Horizon; step++)
            foreach (var trial in _trials)
                for (var band = 0; band < ContestantLosses.BandNames.Count; band++)
                    yield return new RunEvent.Point($"{trial.Name}/{ContestantLosses.BandNames[band]}", step,
                        trial.Bands[band][step - 1]);
        if (_spec.KeptInstances > 0) yield return new RunEvent.Checkpoint("thetas", _spec.Horizon, Thetas());
        yield return new RunEvent.Result(new Report(_spec, _trials, _notes).Write());
    }

    /// <summary>"contestant/instance" for each that is kept, after the task's own landmarks.</summary>
    byte[] Thetas()
    {
        var file = new SafeTensors();
        int[] shape = _task.Parameters is [var only] ? only.Shape.ToArray() : [_task.Coordinates];
        foreach (var (name, theta) in _task.Landmarks(_spec.KeptInstances)) file.Add(name, theta, shape);
        foreach (var trial in _trials)
            for (var i = 0; i < _spec.KeptInstances; i++)
                file.Add($"{trial.Name}/{i}", trial.Thetas[(i * _task.Coordinates)..((i + 1) * _task.Coordinates)], shape);
        return file.ToBytes();
    }

    /// <summary>False at the end, and after a cancel request: what is finished is handed out first.</summary>
    static bool Advance(IEnumerator<int> portions)
    {
        try
        {
            return portions.MoveNext();
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    static bool IsOpen(Contestant contestant) => contestant.Baseline is { LearningRate: null };

    /// <summary>Inner runs done, and in all as far as can be foreseen: an extended grid adds to them.</summary>
    (long Done, long Total) Units()
    {
        long tune = Tuning.PlannedRuns(_spec.Tuning), test = _spec.Instances;
        var done = _trials.Sum(t => test + (t.Grid?.Sum(g => (long)g.Instances) ?? 0)) + _tuning.Done;
        var total = done;
        for (var i = _trials.Count; i < _contestants.Count; i++)
            total += test + (!IsOpen(_contestants[i]) ? 0 : i == _trials.Count ? _tuning.Left() : tune);
        return (done, total);
    }

    /// <summary>Step 0: all series come at the end, so none of their points lies before a resume point.</summary>
    RunEvent ResumePoint() => new RunEvent.ResumePoint(0, () => Snapshot.Write(_inputs.Kernels.Identity, Keep));

    /// <summary>Keeps the trials that are done and the search that is not.</summary>
    void Keep(Snapshot snapshot)
    {
        var trials = _trials.Count;
        snapshot.Keep("trials", ref trials, 0, _contestants.Count);
        while (_trials.Count < trials) _trials.Add(TrialOf(_contestants[_trials.Count]));
        for (var i = 0; i < trials; i++) _trials[i].Keep(snapshot.Part($"trial.{i}"));
        _tuning.Keep(snapshot.Part("tuning"));
    }

    /// <summary>
    /// Takes over saved results, but none of another kernel set, which are measured again: contestants are compared under the
    /// same arithmetic. So is what an earlier version kept, as JSON.
    /// </summary>
    void Resume(byte[] saved)
    {
        if (saved is [(byte)'{', ..]) return;
        var snapshot = Snapshot.Read(saved);
        if (snapshot.Kernels == _inputs.Kernels.Identity) Keep(snapshot);
    }

    ContestantLosses TrialOf(Contestant contestant, double? rate = null) =>
        new(contestant.Name, contestant.Learned is not null, _spec, _task.Coordinates)
        {
            LearningRate = rate,
            Grid = IsOpen(contestant) ? _tuning.Grid : null,
        };

    IEnumerable<int> Test(Contestant contestant, CancellationToken cancel)
    {
        var rate = IsOpen(contestant) ? _tuning.Best : contestant.Baseline?.LearningRate;
        IOptimizer optimizer = contestant.Learned ?? (contestant.Baseline! with { LearningRate = rate }).Create(_spec.Horizon);
        var losses = new float[_spec.Horizon + 1][];
        for (var step = 0; step < losses.Length; step++) losses[step] = new float[_spec.Instances];
        var trial = TrialOf(contestant, rate);
        var watch = Stopwatch.StartNew();
        foreach (var done in _runs.Portions(optimizer, (ulong)_spec.Seed, Split.Test, _spec.Instances, _spec.Horizon,
            (step, first, values) => values.CopyTo(losses[step].AsSpan(first)), cancel,
            (first, theta) => Keep(first, theta, trial.Thetas)))
        {
            watch.Stop(); // what others do with the event is no part of the measurement
            yield return done;
            watch.Start();
        }
        trial.SecondsPerStep = watch.Elapsed.TotalSeconds / _spec.Horizon / _spec.Instances;
        Summarise(losses, trial);
        _trials.Add(trial);
        _tuning = new Tuning(_spec, _runs);
    }

    /// <summary>
    /// Keeps thetas of instances <paramref name="first"/> .. that are to be kept: all would be more than an index can count.
    /// </summary>
    void Keep(int first, ReadOnlySpan<float> theta, float[] kept)
    {
        if (first >= _spec.KeptInstances) return;
        var room = kept.AsSpan(first * _task.Coordinates);
        theta[..Math.Min(theta.Length, room.Length)].CopyTo(room);
    }

    static void Summarise(float[][] losses, ContestantLosses trial)
    {
        var (horizon, instances) = (losses.Length - 1, losses[0].Length);
        var (average, diverged, sorted) = (trial.Average, new bool[instances], new double[instances]);
        for (var step = 1; step <= horizon; step++)
        {
            for (var i = 0; i < instances; i++)
            {
                sorted[i] = Statistics.Score(losses[step][i]);
                average[i] += sorted[i];
                diverged[i] |= Tuning.HasDiverged(losses[step][i], losses[0][i]);
            }
            trial.Bands[0][step - 1] = Statistics.Mean(sorted);
            Array.Sort(sorted);
            trial.Bands[1][step - 1] = Statistics.Quantile(sorted, 0.5);
            trial.Bands[2][step - 1] = Statistics.Quantile(sorted, 0.1);
            trial.Bands[3][step - 1] = Statistics.Quantile(sorted, 0.9);
        }
        for (var i = 0; i < instances; i++)
            (average[i], trial.Final[i]) = (average[i] / horizon, Statistics.Score(losses[^1][i]));
        trial.Diverged = diverged.Count(d => d);
    }

    public void Dispose() => _runs.Dispose();
}

using System.Diagnostics;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;

namespace MetaOpt.Evaluation;

/// <summary>
/// Measures every contestant on the same test instances and mini-batches, baselines with tuned learning rates (Andrychowicz et
/// al., 2016, section 3), and reports means, spread, intervals and paired comparisons.
/// </summary>
sealed class Contest : IDisposable
{
    readonly EvaluationSpec _spec;
    readonly RunInputs _inputs;
    readonly InnerRuns _runs;
    readonly List<Contestant> _contestants;
    readonly List<Trial> _trials;

    sealed record Contestant(string Name, OptimizerOptions? Baseline, FrozenOptimizer? Learned);

    public Contest(EvaluationSpec spec, RunInputs inputs)
    {
        (_spec, _inputs) = (spec, inputs);
        _runs = new InnerRuns(inputs.Kernels, spec.Task.Create(inputs.Datasets), spec.Task.PredictCost());
        _contestants = Name([.. spec.Contestants.Select((c, i) => Prepare(c, i))]);
        _trials = inputs.ResumePoint is { } saved ? [.. JsonNode.Parse(saved)!["trials"]!.AsArray().Select(t => Trial.Load(t!))] : [];
    }

    Contestant Prepare(ContestantSpec contestant, int index)
    {
        if (contestant.Optimizer is { } baseline) return new(contestant.Name ?? Catalog.Optimizers.Of(baseline).Name, baseline, null);
        try
        {
            var checkpoint = LearnedOptimizerCheckpoint.Read(_inputs.Checkpoints[contestant.Checkpoint!.Value]);
            return new(contestant.Name ?? checkpoint.Name, null, checkpoint.Freeze());
        }
        catch (FormatException error)
        {
            throw new SpecException($"/contestants/{index}/checkpoint", $"cannot be used: {error.Message}");
        }
    }

    /// <summary>The second contestant of a name becomes "name 2".</summary>
    static List<Contestant> Name(List<Contestant> contestants)
    {
        var taken = new HashSet<string>();
        return [.. contestants.Select(c =>
        {
            var name = c.Name;
            for (var n = 2; !taken.Add(name); n++) name = $"{c.Name} {n}";
            return c with { Name = name };
        })];
    }

    public IEnumerable<RunEvent> Run(CancellationToken cancel)
    {
        yield return new RunEvent.Metadata(new JsonObject
        {
            ["kernels"] = _inputs.Kernels.Name,
            ["vectorBits"] = _inputs.Kernels.VectorBits,
            ["threads"] = _inputs.Kernels.Threads,
            ["seed"] = _spec.Seed,
        });
        while (_trials.Count < _contestants.Count)
        {
            var contestant = _contestants[_trials.Count];
            yield return new RunEvent.Progress($"measure {contestant.Name}", _trials.Count, _contestants.Count);
            Trial? trial = null;
            try
            {
                trial = Measure(contestant, cancel);
            }
            catch (OperationCanceledException)
            {
                // The finished trials are handed out first.
            }
            if (trial is not null) _trials.Add(trial);
            yield return ResumePoint();
            cancel.ThrowIfCancellationRequested();
        }
        yield return new RunEvent.Progress("report", _contestants.Count, _contestants.Count);
        for (var step = 1; step <= _spec.Horizon; step++)
            foreach (var trial in _trials)
                for (var band = 0; band < Trial.BandNames.Count; band++)
                    yield return new RunEvent.Point($"{trial.Name}/{Trial.BandNames[band]}", step, trial.Bands[band][step - 1]);
        yield return new RunEvent.Result(Report.Write(_spec, _trials));
    }

    /// <summary>Step 0: all series come at the end, so none of their points lies before a resume point.</summary>
    RunEvent ResumePoint() => new RunEvent.ResumePoint(0, () =>
        System.Text.Encoding.UTF8.GetBytes(new JsonObject { ["trials"] = new JsonArray([.. _trials.Select(t => t.Save())]) }.ToJsonString()));

    Trial Measure(Contestant contestant, CancellationToken cancel)
    {
        var (rate, grid) = (contestant.Baseline?.LearningRate, (IReadOnlyList<TunedRate>?)null);
        if (contestant.Baseline is { } baseline && rate is null)
        {
            grid = new Tuning(_spec, _runs).Search(baseline, cancel);
            rate = grid.MinBy(g => g.Score)!.LearningRate;
        }
        IOptimizer optimizer = contestant.Learned ?? (contestant.Baseline! with { LearningRate = rate }).Create();
        var losses = new float[_spec.Horizon + 1][];
        for (var step = 0; step < losses.Length; step++) losses[step] = new float[_spec.Instances];
        var watch = Stopwatch.StartNew();
        _runs.Run(optimizer, (ulong)_spec.Seed, Split.Test, _spec.Instances, _spec.Horizon,
            (step, first, values) => values.CopyTo(losses[step].AsSpan(first)), cancel);
        return Summarise(contestant, rate, grid, losses, watch.Elapsed.TotalSeconds / _spec.Horizon / _spec.Instances);
    }

    static Trial Summarise(Contestant contestant, double? rate, IReadOnlyList<TunedRate>? grid, float[][] losses, double secondsPerStep)
    {
        var (horizon, instances) = (losses.Length - 1, losses[0].Length);
        var bands = Trial.BandNames.Select(_ => new double[horizon]).ToArray();
        var (average, diverged) = (new double[instances], new bool[instances]);
        var sorted = new double[instances];
        for (var step = 1; step <= horizon; step++)
        {
            for (var i = 0; i < instances; i++)
            {
                sorted[i] = losses[step][i];
                average[i] += losses[step][i];
                diverged[i] |= !(losses[step][i] <= Tuning.DivergenceFactor * Math.Max(losses[0][i], 1e-30));
            }
            bands[0][step - 1] = Statistics.Mean(sorted);
            Array.Sort(sorted);
            bands[1][step - 1] = Statistics.Quantile(sorted, 0.5);
            bands[2][step - 1] = Statistics.Quantile(sorted, 0.1);
            bands[3][step - 1] = Statistics.Quantile(sorted, 0.9);
        }
        for (var i = 0; i < instances; i++) average[i] /= horizon;
        return new Trial
        {
            Name = contestant.Name,
            Learned = contestant.Learned is not null,
            LearningRate = rate,
            Grid = grid,
            Bands = bands,
            Final = [.. losses[^1].Select(x => (double)x)],
            Average = average,
            Diverged = diverged.Count(d => d),
            SecondsPerStep = secondsPerStep,
        };
    }

    public void Dispose() => _runs.Dispose();
}

using MetaOpt.Runs;

namespace MetaOpt.Evaluation;

/// <summary>The result of one contestant on the test instances.</summary>
/// <param name="name">The contestant's.</param>
/// <param name="learned">Its rule is learned.</param>
/// <param name="spec">Horizon and instances.</param>
/// <param name="coordinates">P.</param>
sealed class ContestantLosses(string name, bool learned, EvaluationSpec spec, int coordinates)
{
    double _learningRate = double.NaN, _secondsPerStep;
    int _diverged;
    TunedRate[] _grid = [];

    public string Name => name;

    public bool Learned => learned;

    /// <summary>Null where the rule has none of its own.</summary>
    public double? LearningRate
    {
        get => double.IsNaN(_learningRate) ? null : _learningRate;
        init => _learningRate = value ?? double.NaN;
    }

    /// <summary>The search that found <see cref="LearningRate"/>; null when it was given.</summary>
    public IReadOnlyList<TunedRate>? Grid
    {
        get => _grid.Length == 0 ? null : _grid;
        init => _grid = [.. value ?? []];
    }

    /// <summary>f(theta_1) .. f(theta_horizon) over instances: mean, median, p10, p90 at each step.</summary>
    public double[][] Bands { get; } = [.. BandNames.Select(_ => new double[spec.Horizon])];

    /// <summary>f(theta_horizon) of each instance.</summary>
    public double[] Final { get; } = new double[spec.Instances];

    /// <summary>Mean of f(theta_1) .. f(theta_horizon) of each instance.</summary>
    public double[] Average { get; } = new double[spec.Instances];

    /// <summary>How many instances diverged.</summary>
    public int Diverged
    {
        get => _diverged;
        set => _diverged = value;
    }

    /// <summary>theta_horizon of the instances that are kept, one after the other.</summary>
    public float[] Thetas { get; } = new float[spec.KeptInstances * coordinates];

    /// <summary>Wall-clock time of one inner step of one instance: a measurement, never compared for equality.</summary>
    public double SecondsPerStep
    {
        get => _secondsPerStep;
        set => _secondsPerStep = value;
    }

    /// <summary>The names of <see cref="Bands"/>.</summary>
    public static IReadOnlyList<string> BandNames { get; } = ["mean", "median", "p10", "p90"];

    /// <summary>Keeps all that was measured; name and sizes are the specification's.</summary>
    public void Keep(Snapshot snapshot)
    {
        snapshot.Keep("learning-rate", ref _learningRate);
        TunedRate.Keep(snapshot, "grid", ref _grid);
        for (var band = 0; band < Bands.Length; band++) snapshot.Keep(BandNames[band], Bands[band]);
        snapshot.Keep("final", Final);
        snapshot.Keep("average", Average);
        snapshot.Keep("diverged", ref _diverged, 0, spec.Instances);
        snapshot.Keep("thetas", Thetas);
        snapshot.Keep("seconds-per-step", ref _secondsPerStep);
    }
}

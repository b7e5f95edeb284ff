using MetaOpt.Compute;
using MetaOpt.Optimizers;
using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>
/// phi, and Adam on it: one for the meta-loss, one for imitation, as the scales of the two gradients have nothing in common.
/// </summary>
sealed class PhiUpdate : IDisposable
{
    /// <summary>
    /// Meta-gradients that are not finite are skipped, and so are those with an element above this: Adam's mean square, in float,
    /// would be infinite from then on, and that element of phi would never move again.
    /// </summary>
    public const double LargestElement = 1.8e19;

    readonly MetaOptimizerOptions _options;
    readonly IOptimizerState _optimizer;
    readonly IOptimizerState? _imitationOptimizer;
    readonly Arena<float> _arena = new();
    readonly Tensor<float> _phi, _gradient; // [1, phi]
    long _skipped;

    public PhiUpdate(TrainingOptions options, IKernels<float> kernels, int count)
    {
        _options = options.MetaOptimizer;
        (_phi, _gradient) = (_arena.Zeros(new Shape(1, count)), _arena.Zeros(new Shape(1, count)));
        var (rate, beta1, beta2) = (_options.LearningRate, _options.Beta1, _options.Beta2);
        var adam = new Adam.Options { LearningRate = rate, Beta1 = beta1, Beta2 = beta2 }.Create();
        _optimizer = adam.Start(kernels.Host, 1, count);
        if (options.Imitation is not null) _imitationOptimizer = adam.Start(kernels.Host, 1, count);
    }

    /// <summary>The meta-parameters.</summary>
    public Span<float> Phi => _phi.Span;

    /// <summary>Meta-gradients that were not used.</summary>
    public long Skipped => _skipped;

    /// <summary>Clips a meta-gradient and takes a step along it. False when it was skipped.</summary>
    public bool Step(ReadOnlySpan<double> metaGradient, bool imitation)
    {
        var (squares, largest) = (0.0, 0.0);
        foreach (var g in metaGradient) (squares, largest) = (squares + g * g, Math.Max(largest, Math.Abs(g)));
        var norm = Math.Sqrt(squares);
        var scale = _options.ClipNorm is { } most && norm > most ? most / norm : 1;
        if (!double.IsFinite(norm) || scale * largest > LargestElement)
        {
            _skipped++;
            return false;
        }
        var gradient = _gradient.Span;
        for (var i = 0; i < gradient.Length; i++) gradient[i] = (float)(metaGradient[i] * scale);
        (imitation ? _imitationOptimizer! : _optimizer).Step(_phi, _gradient);
        return true;
    }

    /// <summary>Keeps phi, the moments and the count.</summary>
    public void Keep(Snapshot snapshot)
    {
        snapshot.Keep("phi", _phi);
        snapshot.Keep("skipped", ref _skipped);
        _optimizer.Keep(snapshot.Part("meta-optimizer"));
        _imitationOptimizer?.Keep(snapshot.Part("imitation-optimizer"));
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _imitationOptimizer?.Dispose();
        _arena.Dispose();
    }
}

using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Training;

/// <summary>
/// Antithetic evolution strategies (Salimans et al., 2017): the gradient of the meta-loss smoothed by N(0, sigma^2) noise on phi,
/// from function values alone: mean over pairs of n (L(phi + sigma n) - L(phi - sigma n)) / (2 sigma). It needs no derivative of
/// the rule, sees the path that truncated back-propagation drops, and stays finite where that explodes.
/// Truncated to unrolls, all runs start from where phi itself has come, so effects beyond an unroll are still missed. Persistent
/// (Vicol, Metz and Sohl-Dickstein, 2021, arXiv:2112.13835), each run keeps its own theta and state for the whole horizon, and n
/// is replaced by the sum of all noise since its start: unbiased for the whole horizon.
/// </summary>
public sealed class EvolutionStrategies : IGradientEstimator<float>, IInnerObserver<float>
{
    /// <summary>The catalogue's entry of the truncated form.</summary>
    public static readonly Entry<EstimatorOptions> Entry = Entry<EstimatorOptions>.Of<TruncatedOptions>(
        "es", "Evolution strategies over one unroll, antithetic.",
        "Salimans et al., 2017, arXiv:1703.03864; Metz et al., 2019, arXiv:1810.10180");

    /// <summary>The catalogue's entry of the persistent form.</summary>
    public static readonly Entry<EstimatorOptions> PersistentEntry = Entry<EstimatorOptions>.Of<PersistentOptions>(
        "pes", "Persistent evolution strategies: unbiased over the horizon, one update an unroll.",
        "Vicol, Metz and Sohl-Dickstein, 2021, arXiv:2112.13835");

    /// <summary>The part that both forms share.</summary>
    public abstract record Options : EstimatorOptions
    {
        /// <summary>sigma, the standard deviation of the noise on each element of phi.</summary>
        [Bounds(1e-6, 10)]
        public double Deviation { get; init; } = 0.01;

        /// <summary>Antithetic pairs; each runs the whole meta-batch twice.</summary>
        [Bounds(1, 1024)]
        public int Pairs { get; init; } = 4;

        /// <inheritdoc/>
        public override int CopiesOfPhi => 1 + 2 * Pairs;
    }

    /// <summary>Options of <c>es</c>.</summary>
    public sealed record TruncatedOptions : Options
    {
        /// <inheritdoc/>
        public override int InnerRuns => 2;

        /// <inheritdoc/>
        public override int RunsPerUnroll => 2 * Pairs + 1;

        /// <inheritdoc/>
        public override IGradientEstimator<float> Create(IKernels<float> kernels, ITask task, ILearnedOptimizer rule,
            TrainingOptions training) =>
            new EvolutionStrategies(kernels, task, rule, training, this, persistent: false);
    }

    /// <summary>Options of <c>pes</c>.</summary>
    public sealed record PersistentOptions : Options
    {
        /// <inheritdoc/>
        public override int InnerRuns => 2 * Pairs;

        /// <inheritdoc/>
        public override int RunsPerUnroll => 2 * Pairs;

        /// <inheritdoc/>
        public override IGradientEstimator<float> Create(IKernels<float> kernels, ITask task, ILearnedOptimizer rule,
            TrainingOptions training) =>
            new EvolutionStrategies(kernels, task, rule, training, this, persistent: true);
    }

    /// <summary>One run of the meta-batch under a phi of its own.</summary>
    sealed record Particle(InnerLoop<float> Loop, ILearnedState<float> Rule);

    readonly Options _options;
    readonly Purpose _purpose;
    readonly bool _persistent;
    readonly ITaskInstances<float> _instances;
    readonly Tape<float> _tape;
    readonly Arena<float> _arena;
    readonly Arena<float> _ofNoise = new();
    readonly double[] _weights;
    readonly LossWeights _kind;
    readonly List<Particle> _particles = [];
    readonly Tensor<float> _noise, _sums; // [pairs, phi]
    readonly float[] _phi;
    ulong _seed;
    Split _split;
    int _first;
    double _meta, _sum; // of the particle that runs: its meta-loss, and all its losses

    /// <param name="kernels">Where to compute.</param>
    /// <param name="task">The task.</param>
    /// <param name="rule">Any rule.</param>
    /// <param name="training">Meta-batch, unroll, weights.</param>
    /// <param name="options">sigma and pairs.</param>
    /// <param name="persistent">PES instead of ES.</param>
    public EvolutionStrategies(
        IKernels<float> kernels, ITask task, ILearnedOptimizer rule, TrainingOptions training, Options options, bool persistent)
    {
        (_options, _persistent, _kind) = (options, persistent, training.LossWeights);
        // A hardened task's instances draw from Perturbation too; without them the noise stays where it always was, so that
        // earlier numbers come out again.
        _purpose = training is { RandomScaling: 0, ConvexDimensions: 0 } ? Purpose.Perturbation : Purpose.Noise;
        _tape = new Tape<float>(kernels);
        _arena = kernels.NewArena();
        _instances = task.Allocate(kernels, training.MetaBatch);
        _weights = [.. Enumerable.Range(0, training.Unroll)
            .Select(i => StepWeights.Of(training.LossWeights, i, training.Unroll) / training.MetaBatch)];
        _phi = new float[rule.MetaParameterCount];
        _noise = _ofNoise.Zeros(new Shape(options.Pairs, _phi.Length));
        _sums = _ofNoise.Zeros(new Shape(persistent ? options.Pairs : 0, _phi.Length));
        // Truncated: phi's own run, and one that is set back to its start for every perturbed run.
        for (var i = 0; i < (persistent ? 2 * options.Pairs : 2); i++)
        {
            var theta = _arena.Zeros(new Shape(training.MetaBatch, task.Coordinates));
            _particles.Add(new(new(_instances, _tape, theta),
                rule.StartOn(kernels, new Layout(training.MetaBatch, task.Parameters))));
        }
    }

    /// <summary>
    /// Number of the stream of noise; null: that of the first instance, so that every inner run has noise of its own.
    /// </summary>
    public uint? Noise { get; set; }

    /// <inheritdoc/>
    public string Name => $"{(_persistent ? "persistent" : "truncated")} evolution strategies, {_options.Pairs} pairs";

    /// <inheritdoc/>
    public void Keep(Snapshot snapshot)
    {
        for (var i = 0; i < (_persistent ? _particles.Count : 1); i++)
        {
            snapshot.Keep(_persistent ? $"theta.{i}" : "theta", _particles[i].Loop.Theta);
            snapshot.Keep(_persistent ? $"optimizer-state.{i}" : "optimizer-state", _particles[i].Rule.State);
        }
        if (_persistent) snapshot.Keep("noise", _sums);
    }

    /// <inheritdoc/>
    public void Begin(ulong seed, Split split, int first)
    {
        (_seed, _split, _first) = (seed, split, first);
        _instances.Draw(seed, split, first);
        _sums.Span.Clear();
        foreach (var (loop, rule) in _particles)
        {
            loop.Begin();
            rule.Reset();
        }
    }

    /// <inheritdoc/>
    public double Unroll(ReadOnlySpan<float> phi, int firstStep, Span<double> phiGradient)
    {
        new RandomStream(_seed, _split, _purpose, Noise ?? (uint)_first, (uint)firstStep).FillNormal(_noise.Span, 1);
        phiGradient.Clear();
        var mean = 0.0;
        for (var pair = 0; pair < _options.Pairs; pair++)
        {
            var noise = _noise.Span.Slice(pair * phi.Length, phi.Length);
            var (above, lossAbove) = Perturbed(phi, noise, _options.Deviation, 2 * pair, firstStep);
            var (below, lossBelow) = Perturbed(phi, noise, -_options.Deviation, 2 * pair + 1, firstStep);
            mean += (lossAbove + lossBelow) / (2 * _options.Pairs);
            if (_persistent)
            {
                var sum = _sums.Span.Slice(pair * phi.Length, phi.Length);
                for (var i = 0; i < sum.Length; i++) sum[i] += noise[i];
                noise = sum;
            }
            var slope = (above - below) / (2 * _options.Deviation * _options.Pairs);
            for (var i = 0; i < noise.Length; i++) phiGradient[i] += slope * noise[i];
        }
        return _persistent ? mean : Run(_particles[0], phi, firstStep).Mean;
    }

    /// <inheritdoc/>
    /// <remarks>All runs with phi itself: none is perturbed yet.</remarks>
    public void Advance(ReadOnlySpan<float> phi, int firstStep, int steps)
    {
        var first = _particles[0];
        first.Rule.SetParameters(phi);
        first.Loop.Run(first.Rule, firstStep, steps);
        foreach (var particle in _particles.Skip(1)) Copy(first, particle);
    }

    static void Copy(Particle from, Particle to)
    {
        from.Loop.Theta.CopyTo(to.Loop.Theta);
        from.Rule.State.CopyTo(to.Rule.State);
    }

    (double Meta, double Mean) Perturbed(ReadOnlySpan<float> phi, ReadOnlySpan<float> noise, double deviation, int index,
        int firstStep)
    {
        for (var i = 0; i < _phi.Length; i++) _phi[i] = (float)(phi[i] + deviation * noise[i]);
        if (_persistent) return Run(_particles[index], _phi, firstStep);
        Copy(_particles[0], _particles[1]);
        return Run(_particles[1], _phi, firstStep);
    }

    /// <summary>Advances a particle by one unroll: its meta-loss, and the mean loss over instances and steps.</summary>
    (double Meta, double Mean) Run(Particle particle, ReadOnlySpan<float> phi, int firstStep)
    {
        particle.Rule.SetParameters(phi);
        (_meta, _sum) = (0, 0);
        particle.Loop.Run(particle.Rule, firstStep, _weights.Length, this);
        Add(_weights.Length, particle.Loop.Loss(firstStep + _weights.Length));
        return (_meta, _sum / (_weights.Length * _instances.Count));
    }

    void IInnerObserver<float>.Observe(int t, Tensor<float> theta, Tensor<float> losses, Tensor<float> gradient) =>
        Add(t, losses);

    /// <summary>Counts f(theta_t) for t = 1..K.</summary>
    void Add(int t, Tensor<float> losses)
    {
        if (t == 0) return;
        using var values = losses.Read();
        foreach (var loss in values.Span) (_meta, _sum) = (_meta + _weights[t - 1] * StepWeights.Value(_kind, loss), _sum + loss);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var particle in _particles) particle.Rule.Dispose();
        _instances.Dispose();
        _tape.Dispose();
        _arena.Dispose();
        _ofNoise.Dispose();
    }
}

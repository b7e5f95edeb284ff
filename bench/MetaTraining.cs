using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Bench;

/// <summary>What is meta-trained: the paper's optimizer (two layers of 20, appendix A with p = 10) on one of its tasks.</summary>
/// <param name="Name">For tables.</param>
/// <param name="Task">The distribution of optimizees.</param>
/// <param name="Instances">How many are side by side.</param>
/// <param name="Unroll">Steps of a meta-step.</param>
sealed record Workload(string Name, ITask Task, int Instances, int Unroll)
{
    /// <summary>Seed of all that is drawn.</summary>
    public const ulong Seed = 1;
    const int Pixels = 784, Classes = 10, Images = 4096;
    const int OutputWeights = 20 + 1;

    /// <summary>Coordinates of all instances.</summary>
    public int Coordinates => Instances * Task.Coordinates;

    /// <summary>Its output layer starts at random, not at zero, so that every weight has a gradient.</summary>
    public static CoordinatewiseLstm Rule { get; } = new(new CoordinatewiseLstm.Options { ZeroOutput = false });

    /// <summary>Sizes of <see cref="Rule"/>.</summary>
    public static LstmShape RuleShape { get; } = new([20, 20], 10, 0.1);

    /// <summary>
    /// Random phi whose updates are as small as a trained optimizer's: larger ones drive a network into saturation, where
    /// rounding decides.
    /// </summary>
    public static float[] Phi()
    {
        var phi = new float[RuleShape.MetaParameterCount];
        Rule.Initialise(Seed, phi);
        foreach (ref var weight in phi.AsSpan(phi.Length - OutputWeights)) weight *= 0.1f;
        return phi;
    }

    /// <summary>784-hidden-10, sigmoid, batches of 128 random images: no time depends on what they show.</summary>
    public static Workload Network(string name, int hidden, int unroll) => new(name,
        new MlpClassificationTask(new MlpClassificationTask.Options { Hidden = [hidden] }, RandomImages), 1, unroll);

    /// <summary>Hidden units of the network with the number of coordinates nearest to this one.</summary>
    public static int HiddenUnits(int coordinates) =>
        Math.Max(1, (int)Math.Round((coordinates - Classes) / (double)(Pixels + 1 + Classes)));

    /// <summary>Functions of ten dimensions, each its own instance.</summary>
    public static Workload Quadratic(int functions, int unroll) =>
        new("quadratic", new QuadraticTask(new QuadraticTask.Options()), functions, unroll);

    /// <summary>Images of the right shape, all pixels random.</summary>
    public static Dataset RandomImages { get; } = MakeImages();

    static Dataset MakeImages()
    {
        var random = new Random(1);
        var (pixels, labels) = (new byte[Images * Pixels], new byte[Images]);
        random.NextBytes(pixels);
        for (var i = 0; i < labels.Length; i++) labels[i] = (byte)random.Next(Classes);
        var images = new LabelledImages(pixels, labels);
        return new("mnist", 28, 28, Classes, images, images, "");
    }
}

/// <summary>Meta-steps of a <see cref="Workload"/> as the trainer does them: unroll, meta-gradient, Adam on phi.</summary>
sealed class MetaTraining : IDisposable
{
    /// <summary>Unrolls of an inner run, as in the paper: horizon 100, unroll 20.</summary>
    public const int UnrollsOfARun = 5;

    readonly Workload _work;
    readonly DecoupledBptt<float> _estimator;
    readonly IOptimizerState _adam;
    readonly Arena<float> _arena = new();
    readonly Tensor<float> _phi, _gradient;
    int _unroll;

    /// <param name="kernels">Where to compute.</param>
    /// <param name="work">What to train on.</param>
    /// <param name="phi">Meta-parameters instead of <see cref="Workload.Phi"/>.</param>
    public MetaTraining(IKernels<float> kernels, Workload work, float[]? phi = null)
    {
        _work = work;
        _estimator = new(kernels, work.Task, Workload.Rule, work.Instances, work.Unroll, LossWeights.Uniform);
        phi ??= Workload.Phi();
        _phi = _arena.Copy(phi, new Shape(1, phi.Length));
        _gradient = _arena.Zeros(_phi.Shape);
        Gradient = new double[phi.Length];
        // The rate is so small that phi stays what it is: every repetition does the same work.
        _adam = new Adam.Options { LearningRate = 1e-12 }.Create().Start(kernels.Host, 1, phi.Length);
    }

    /// <summary>The last meta-gradient.</summary>
    public double[] Gradient { get; }

    /// <summary>theta of all instances, [B, P].</summary>
    public Tensor<float> Theta => _estimator.Theta;

    /// <summary>Starts an inner run: theta_0 and zero state.</summary>
    public void Begin()
    {
        _estimator.Begin(Workload.Seed, Split.Train, 0);
        _unroll = 0;
    }

    /// <summary>Unroll and meta-gradient.</summary>
    public double Unroll() => _estimator.Unroll(_phi.Span, _unroll++ * _work.Unroll, Gradient);

    /// <summary>Adam on phi.</summary>
    public void UpdatePhi()
    {
        var gradient = _gradient.Span;
        for (var i = 0; i < gradient.Length; i++) gradient[i] = (float)Gradient[i];
        _adam.Step(_phi, _gradient);
    }

    public void Dispose()
    {
        _estimator.Dispose();
        _adam.Dispose();
        _arena.Dispose();
    }
}

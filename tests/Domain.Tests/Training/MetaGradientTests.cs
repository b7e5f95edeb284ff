using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Both estimators on live tasks, and the published code's own numbers.</summary>
public class MetaGradientTests
{
    static readonly CoordinatewiseLstm.Options Linear = new()
    {
        Layers = [],
        Preprocessing = Preprocessing.None,
        OutputScale = 1
    };

    /// <summary>meta_test.py, testResults: unroll 5, Adam 0.01, two unrolls of a linear rule that starts at zero.</summary>
    [Fact]
    public void The_published_codes_test_gives_its_published_numbers()
    {
        using var kernels = new ScalarKernels<double>();
        using var floats = KernelSets.Create("scalar", 1);
        using var estimator = new DecoupledBptt<double>(kernels, new SquareTask(), Linear.Create(), 1, 5, LossWeights.Uniform);
        using var adam = new Adam.Options { LearningRate = 0.01 }.Create().Start(floats, 1, 2);
        using var arena = new Arena<float>();
        var phi = arena.Zeros(new Shape(1, 2));
        var gradient = new double[2];

        estimator.Begin(0, Split.Train, 0);
        estimator.Unroll([0, 0], 0, gradient);
        Assert.Equal([60, 30], gradient);

        adam.Step(phi, arena.Copy([(float)gradient[0], (float)gradient[1]], phi.Shape));
        estimator.Unroll([phi.Span[0], phi.Span[1]], 5, gradient);
        var x = estimator.Theta.Span[0];
        Assert.Equal(0.7325327, x * x, 5e-7);
        Assert.Equal(0.8559, x, 5e-5);
    }

    public static TheoryData<Preprocessing, LossWeights> Cases => new()
    {
        { Preprocessing.None, LossWeights.Uniform },
        { Preprocessing.LogAndSign, LossWeights.Uniform },
        { Preprocessing.LogAndSign, LossWeights.Last },
        { Preprocessing.None, LossWeights.Linear },
        { Preprocessing.LogAndSign, LossWeights.Log },
    };

    static float[] Phi(ILearnedOptimizer rule)
    {
        var phi = new float[rule.MetaParameterCount];
        rule.Initialise(11, phi);
        return phi;
    }

    static double Error(double[] a, double[] b) =>
        Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum() / b.Sum(y => y * y));

    [Theory, MemberData(nameof(Cases))]
    public void Decoupled_and_tape_agree_on_quadratics(Preprocessing preprocessing, LossWeights weights) =>
        AssertAgree(new QuadraticTask.Options { Dimensions = 7 }.Create(_ => throw new InvalidOperationException()),
            preprocessing, weights, 3);

    [Theory, MemberData(nameof(Cases))]
    public void Decoupled_and_tape_agree_on_networks(Preprocessing preprocessing, LossWeights weights) =>
        AssertAgree(new MlpClassificationTask.Options { Hidden = [5], Batch = 4 }.Create(_ => TinyDataset.Create()),
            preprocessing, weights, 2);

    public static TheoryData<string> Rules => [.. Catalog.LearnedOptimizers.Entries.Select(e => e.Name)];

    /// <summary>
    /// Also rules that mix coordinates, read theta or have learned decays: only second derivatives need the optimizee's graph.
    /// </summary>
    [Theory, MemberData(nameof(Rules))]
    public void Decoupled_and_tape_agree_for_every_rule(string name)
    {
        Assert.True(Catalog.LearnedOptimizers.TryFind(name, out var entry));
        var rule = ((LearnedOptimizerOptions)Activator.CreateInstance(entry.Options)!).Create();
        var phi = Array.ConvertAll(Phi(rule), x => (double)x);
        for (var i = 0; i < phi.Length; i++) phi[i] += 0.03 * Math.Sin(i + 1);
        var task = new MlpClassificationTask.Options { Hidden = [2], Batch = 4 }.Create(_ => TinyDataset.Create());
        using var kernels = new ScalarKernels<double>();
        using var decoupled = new DecoupledBptt<double>(kernels, task, rule, 2, 3, LossWeights.Linear);
        using var tape = new TapeBptt<double>(kernels, task, rule, 2, 3, LossWeights.Linear, false);
        var (a, b) = (new double[phi.Length], new double[phi.Length]);
        decoupled.Begin(3, Split.Train, 40);
        tape.Begin(3, Split.Train, 40);
        for (var unroll = 0; unroll < 2; unroll++)
        {
            Assert.Equal(decoupled.Unroll(phi, unroll * 3, a), tape.Unroll(phi, unroll * 3, b), 1e-9);
            Assert.InRange(Error(a, b), 0, 1e-8);
        }
    }

    static readonly QuadraticTask s_quadratic = new(new QuadraticTask.Options { Dimensions = 3, InitialDeviation = 1 });

    static TrainingOptions Options(LossWeights weights, int batch, int unroll) =>
        new() { MetaBatch = batch, Unroll = unroll, LossWeights = weights };

    /// <summary>Every estimator at one place, with its own name.</summary>
    public static TheoryData<string, bool> Estimators
    {
        get
        {
            var data = new TheoryData<string, bool> { { "truncated-bptt", true } };
            foreach (var entry in Catalog.Estimators.Entries) data.Add(entry.Name, false);
            return data;
        }
    }

    static IGradientEstimator<float> Create(string name, bool second, TrainingOptions training, IKernels<float> kernels)
    {
        Assert.True(Catalog.Estimators.TryFind(name, out var entry));
        var options = (EstimatorOptions)Activator.CreateInstance(entry.Options)!;
        return options.Create(kernels, s_quadratic, Linear.Create(), training with { SecondDerivatives = second });
    }

    /// <summary>One step, one instance: the derivative of log f is that of f divided by f.</summary>
    [Theory, MemberData(nameof(Estimators))]
    public void Under_a_logarithm_the_gradient_is_divided_by_the_loss(string name, bool second)
    {
        using var kernels = new ScalarKernels<float>();
        var (plain, log) = (new double[2], new double[2]);
        using var a = Create(name, second, Options(LossWeights.Uniform, 1, 1), kernels);
        using var b = Create(name, second, Options(LossWeights.Log, 1, 1), kernels);
        a.Begin(3, Split.Train, 0);
        b.Begin(3, Split.Train, 0);
        var loss = a.Unroll([-0.02f, 0.01f], 0, plain);
        b.Unroll([-0.02f, 0.01f], 0, log);
        Assert.InRange(loss, 3, 100);
        // Measured: 1e-7, and 0.01 for the strategies, whose differences have a finite width.
        Assert.InRange(Error([.. log.Select(g => g * loss)], plain), 0, 0.02);
    }

    /// <summary>An advance and an unroll leave theta and state at the same place, and what follows is the same.</summary>
    [Theory, MemberData(nameof(Estimators))]
    public void After_an_advance_it_goes_on_as_after_an_unroll(string name, bool second)
    {
        using var kernels = new ScalarKernels<float>();
        // PES's own runs are perturbed by then: compared with the truncated form, which begins its perturbations anew at every
        // unroll.
        using var unrolled = Create(name == "pes" ? "es" : name, second, Options(LossWeights.Log, 2, 3), kernels);
        using var advanced = Create(name, second, Options(LossWeights.Log, 2, 3), kernels);
        var (a, b) = (new double[2], new double[2]);
        float[] phi = [-0.02f, 0.01f];
        unrolled.Begin(3, Split.Train, 0);
        advanced.Begin(3, Split.Train, 0);
        unrolled.Unroll(phi, 0, a);
        advanced.Advance(phi, 0, 3);
        unrolled.Unroll(phi, 3, a);
        advanced.Unroll(phi, 3, b);
        Assert.Equal(a, b);
    }

    static void AssertAgree(ITask task, Preprocessing preprocessing, LossWeights weights, int batch)
    {
        using var kernels = new ScalarKernels<double>();
        var rule = new CoordinatewiseLstm.Options { Layers = [4, 3], Preprocessing = preprocessing, ZeroOutput = false }.Create();
        var phi = Phi(rule);
        var doubles = Array.ConvertAll(phi, x => (double)x);
        using var decoupled = new DecoupledBptt<double>(kernels, task, rule, batch, 5, weights);
        using var tape = new TapeBptt<double>(kernels, task, rule, batch, 5, weights, false);
        var (a, b, c) = (new double[phi.Length], new double[phi.Length], new double[phi.Length]);
        decoupled.Begin(3, Split.Train, 40);
        tape.Begin(3, Split.Train, 40);
        for (var unroll = 0; unroll < 3; unroll++)
        {
            var loss = decoupled.Unroll(doubles, unroll * 5, a);
            Assert.Equal(loss, tape.Unroll(doubles, unroll * 5, b), 1e-9);
            Assert.InRange(Error(a, b), 0, 1e-8);
        }
        foreach (var name in KernelSets.Every)
        {
            using var floatKernels = KernelSets.Create(name, 2);
            using var single = new DecoupledBptt<float>(floatKernels, task, rule, batch, 5, weights);
            single.Begin(3, Split.Train, 40);
            decoupled.Begin(3, Split.Train, 40);
            single.Unroll(phi, 0, c);
            decoupled.Unroll(doubles, 0, a);
            Assert.InRange(Error(c, a), 0, 1e-3);
        }
    }

    /// <summary>
    /// Finite differences of the live loss contain the path through the gradients; the paper's meta-gradient drops it.
    /// </summary>
    [Fact]
    public void Differences_of_the_live_loss_agree_with_second_derivatives_only()
    {
        using var kernels = new ScalarKernels<double>();
        var task = new QuadraticTask.Options { Dimensions = 4 }.Create(_ => throw new InvalidOperationException());
        var rule = new CoordinatewiseLstm.Options { Layers = [3], Preprocessing = Preprocessing.None, ZeroOutput = false }
            .Create();
        var phi = Array.ConvertAll(Phi(rule), x => (double)x);
        double[] With(bool second)
        {
            using var estimator = new TapeBptt<double>(kernels, task, rule, 2, 4, LossWeights.Uniform, second);
            var gradient = new double[phi.Length];
            estimator.Begin(5, Split.Train, 0);
            estimator.Unroll(phi, 0, gradient);
            return gradient;
        }
        var differences = new double[phi.Length];
        using (var estimator = new TapeBptt<double>(kernels, task, rule, 2, 4, LossWeights.Uniform, false))
        {
            var unused = new double[phi.Length];
            double Loss()
            {
                estimator.Begin(5, Split.Train, 0);
                return 4 * estimator.Unroll(phi, 0, unused);
            }
            for (var i = 0; i < phi.Length; i++)
            {
                var at = phi[i];
                phi[i] = at + 1e-5;
                var above = Loss();
                phi[i] = at - 1e-5;
                differences[i] = (above - Loss()) / 2e-5;
                phi[i] = at;
            }
        }
        Assert.InRange(Error(With(true), differences), 0, 1e-6);
        Assert.True(Error(With(false), differences) > 1e-3);
    }
}

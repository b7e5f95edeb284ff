using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>
/// What every task of <see cref="Catalog.Tasks"/> must do, with its default options and a tiny dataset, and some variants.
/// </summary>
public class TaskContractTests
{
    const int Step = 3;
    const ulong Seed = 11;

    static readonly Dictionary<string, TaskOptions> s_variants = new()
    {
        ["quadratic, 1 dimension"] = new QuadraticTask.Options { Dimensions = 1 },
        ["quadratic, 33 uniform"] = new QuadraticTask.Options
        {
            Dimensions = 33,
            Distribution = QuadraticDistribution.Uniform,
            InitialDeviation = 1
        },
        ["mlp, linear"] = new MlpClassificationTask.Options { Hidden = [], Batch = 9 },
        ["mlp, two layers, tanh"] = new MlpClassificationTask.Options
        {
            Hidden = [7, 9],
            Activation = Activation.Tanh,
            InitialDeviation = 0.5
        },
        ["mlp, two classes"] = new MlpClassificationTask.Options { Labels = [2, 0], InitialDeviation = 0.5 },
        ["mlp, relu"] = new MlpClassificationTask.Options { Activation = Activation.Relu, InitialDeviation = 0.5, Batch = 1 },
        ["conv, two classes"] = new ConvClassificationTask.Options { Labels = [2, 0], InitialDeviation = 0.3, Batch = 5 },
        ["conv, biases"] = new ConvClassificationTask.Options
        {
            BatchNormalisation = false,
            InitialDeviation = 0.3,
            Batch = 5,
            Hidden = []
        },
        ["conv, awkward sizes"] = new ConvClassificationTask.Options
        {
            Layers = [new() { Filters = 3, Kernel = 2, Pooling = 3 }, new() { Filters = 5, Kernel = 1, Pooling = 1 }],
            Hidden = [7, 9],
            InitialDeviation = 0.5,
            Batch = 9,
        },
        ["quadratic, randomly scaled"] = new Hardened(task => new RandomScaling(task, 3)),
        ["quadratic, with a convex function"] = new Hardened(task => new ConvexMixture(task, 5)),
        ["logistic regression, odd sizes"] = new LogisticRegressionTask.Options { Dimensions = 9, Examples = 33, Penalty = 0.5 },
        ["lasso, wide"] = new LassoTask.Options
        {
            Dimensions = 33,
            Rows = 7,
            Distribution = QuadraticDistribution.Gaussian,
            InitialDeviation = 1
        },
        ["rastrigin, 33"] = new RastriginTask.Options { Dimensions = 33 },
        ["rosenbrock, 33"] = new RosenbrockTask.Options { Dimensions = 33, InitialDeviation = 0.5 },
        ["ackley, 33"] = new AckleyTask.Options { Dimensions = 33, InitialDeviation = 10 },
        ["neural art, smoothness and style alone"] = new NeuralArtTask.Options
        {
            Resolution = 16,
            Style = "waves",
            ContentWeight = 0,
            SmoothnessWeight = 3,
            Filters = 5,
            Scales = 4,
            Kernel = 4,
        },
        ["neural art, one pixel at the coarsest scale"] = new NeuralArtTask.Options
        {
            Resolution = 9,
            StyleWeight = 0,
            Filters = 3,
            Scales = 4,
            Kernel = 5
        },
        ["character model, lstm"] = new CharacterModelTask.Options
        {
            Cell = RecurrentCell.Lstm,
            Units = 7,
            Length = 5,
            Batch = 9,
            InitialDeviation = 0.5
        },
        ["character model, one of everything"] = new CharacterModelTask.Options
        {
            Units = 1,
            Length = 1,
            Batch = 1,
            InitialDeviation = 1
        },
        ["mlp, elu"] = new MlpClassificationTask.Options { Activation = Activation.Elu, InitialDeviation = 0.5 },
    };

    /// <summary>What training makes of a task.</summary>
    sealed record Hardened(Func<ITask, ITask> How) : TaskOptions
    {
        public override TaskCost PredictCost() => new QuadraticTask.Options().PredictCost();

        public override ITask Create(Func<string, Dataset> datasets) =>
            How(new QuadraticTask(new QuadraticTask.Options { InitialDeviation = 1 }));
    }

    public static TheoryData<string> Tasks => [.. Catalog.Tasks.Entries.Select(e => e.Name), .. s_variants.Keys];

    public static TheoryData<string, string> TasksAndSets
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var task in Catalog.Tasks.Entries.Select(e => e.Name).Concat(s_variants.Keys))
                foreach (var set in KernelSets.Names)
                    data.Add(task, set);
            return data;
        }
    }

    [Theory, MemberData(nameof(Tasks))]
    public void The_gradient_in_double_agrees_with_central_differences(string name)
    {
        using var batch = new Batch<double>(name, new ScalarKernels<double>(), 2);
        batch.Instances.Draw(Seed, Split.Train, 5);
        batch.Instances.InitialTheta(batch.Theta);
        var gradient = batch.Gradient().Gradient;
        var stream = new RandomStream(1, Split.Train, Purpose.Perturbation);
        for (var trial = 0; trial < 60; trial++)
        {
            var i = stream.Index((uint)trial, gradient.Length);
            var before = batch.Theta.Span[i];
            const double h = 1e-5;
            batch.Theta.Span[i] = before + h;
            var above = batch.Losses().Sum();
            batch.Theta.Span[i] = before - h;
            var below = batch.Losses().Sum();
            batch.Theta.Span[i] = before;
            var difference = (above - below) / (2 * h);
            Assert.True(Math.Abs(difference - gradient[i]) < 1e-6 * Math.Max(1, Math.Abs(difference)),
                $"{name}, coordinate {i}: {gradient[i]:R}; differences say {difference:R}.");
        }
    }

    [Theory, MemberData(nameof(TasksAndSets))]
    public void Loss_and_gradient_in_float_agree_with_double(string name, string set)
    {
        using var kernels = KernelSets.Create(set, 2);
        using var single = new Batch<float>(name, kernels, 3);
        using var wide = new Batch<double>(name, new ScalarKernels<double>(), 3);
        single.Instances.Draw(Seed, Split.Train, 0);
        single.Instances.InitialTheta(single.Theta);
        wide.Instances.Draw(Seed, Split.Train, 0);
        wide.Theta.CopyFrom(Array.ConvertAll(single.Theta.ToArray(), x => (double)x));
        var (losses, gradient) = single.Gradient();
        var (expectedLosses, expected) = wide.Gradient();
        Assert.True(Distance(losses, expectedLosses) < 1e-4, $"losses differ by {Distance(losses, expectedLosses):E2}");
        Assert.True(Distance(gradient, expected) < 1e-4, $"gradients differ by {Distance(gradient, expected):E2}");
    }

    [Theory, MemberData(nameof(Tasks))]
    public void An_instance_is_the_same_whichever_batch_it_comes_in(string name)
    {
        using var kernels = new ScalarKernels<double>();
        using var whole = new Batch<double>(name, kernels, 5);
        using var part = new Batch<double>(name, kernels, 2);
        whole.Instances.Draw(Seed, Split.Test, 0);
        whole.Instances.InitialTheta(whole.Theta);
        part.Instances.Draw(Seed, Split.Test, 3);
        part.Instances.InitialTheta(part.Theta);
        Assert.Equal(whole.Theta.Span[^part.Theta.Count..].ToArray(), part.Theta.Span.ToArray());
        Assert.Equal(whole.Losses()[3..], part.Losses());
    }

    [Theory, MemberData(nameof(Tasks))]
    public void An_instance_depends_on_its_own_row_of_theta_only(string name)
    {
        using var batch = new Batch<double>(name, new ScalarKernels<double>(), 3);
        batch.Instances.Draw(Seed, Split.Train, 0);
        batch.Instances.InitialTheta(batch.Theta);
        var before = batch.Losses();
        batch.Theta.Span[(batch.Theta.Count / 3)..(batch.Theta.Count * 2 / 3)].Fill(0.3);
        var after = batch.Losses();
        Assert.Equal((before[0], before[2]), (after[0], after[2]));
        Assert.NotEqual(before[1], after[1]);
    }

    [Theory, MemberData(nameof(Tasks))]
    public void Splits_seeds_and_instances_differ_and_a_redraw_repeats(string name)
    {
        using var batch = new Batch<double>(name, new ScalarKernels<double>(), 1);
        var seen = new HashSet<double>();
        foreach (var (seed, split, first) in new[]
        {
            (1ul, Split.Train, 0), (1ul, Split.Validate, 0), (1ul, Split.Tune, 0), (1ul, Split.Test, 0), (2ul, Split.Train, 0),
            (1ul, Split.Train, 1),
        })
        {
            Assert.True(seen.Add(At(seed, split, first)), $"seed {seed}, {split}, instance {first} repeats another one.");
            Assert.Equal(At(seed, split, first), At(seed, split, first));
        }

        double At(ulong seed, Split split, int first)
        {
            batch.Instances.Draw(seed, split, first);
            batch.Instances.InitialTheta(batch.Theta);
            return batch.Losses()[0];
        }
    }

    [Theory, MemberData(nameof(Tasks))]
    public void The_groups_are_known_before_the_data_are(string name)
    {
        if (Options(name) is Hardened) return;
        Assert.Equal(Options(name).Create(TinyDataset.Create).Parameters.Select(p => p.Group).Distinct().Order(),
            Options(name).Groups.Order());
    }

    [Fact]
    public void Only_the_test_split_reads_test_images()
    {
        var data = TinyDataset.Create();
        var blank = data with { Test = new LabelledImages(new byte[data.Test.Pixels.Length], new byte[data.Test.Count]) };
        var options = new MlpClassificationTask.Options { InitialDeviation = 1 };
        foreach (var split in Enum.GetValues<Split>())
            Assert.Equal(split != Split.Test, Loss(data, split) == Loss(blank, split));

        double Loss(Dataset dataset, Split split)
        {
            using var batch = new Batch<double>(new MlpClassificationTask(options, dataset), new ScalarKernels<double>(), 1);
            batch.Instances.Draw(Seed, split, 0);
            batch.Instances.InitialTheta(batch.Theta);
            return batch.Losses()[0];
        }
    }

    static double Distance<T>(T[] got, double[] expected) where T : IConvertible
    {
        double difference = 0, norm = 0;
        for (var i = 0; i < got.Length; i++)
        {
            difference += Math.Pow(got[i].ToDouble(null) - expected[i], 2);
            norm += expected[i] * expected[i];
        }
        return Math.Sqrt(difference / norm);
    }

    static TaskOptions Options(string name) => s_variants.TryGetValue(name, out var variant)
        ? variant
        : (TaskOptions)Activator.CreateInstance(Catalog.Tasks.Entries.Single(e => e.Name == name).Options)!;

    /// <summary>A task's instances with their theta and tape.</summary>
    sealed class Batch<T> : IDisposable where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        readonly Arena<T> _arena;
        readonly Tape<T> _tape;

        public Batch(string name, IKernels<T> kernels, int count)
            : this(Options(name).Create(TinyDataset.Create), kernels, count) { }

        public Batch(ITask task, IKernels<T> kernels, int count)
        {
            (_tape, _arena) = (new Tape<T>(kernels), kernels.NewArena());
            Instances = task.Allocate(kernels, count);
            Theta = _arena.Zeros(new Shape(count, task.Coordinates));
        }

        public ITaskInstances<T> Instances { get; }

        public Tensor<T> Theta { get; }

        public T[] Losses()
        {
            _tape.Reset();
            return Instances.Loss(_tape, Theta, Step).ToArray();
        }

        public (T[] Losses, T[] Gradient) Gradient()
        {
            var (losses, gradient) = Instances.LossAndGradient(_tape, Theta, Step);
            Assert.Equal(new Shape(Instances.Count), losses.Shape);
            return (losses.ToArray(), gradient.ToArray());
        }

        public void Dispose()
        {
            Instances.Dispose();
            _tape.Dispose();
            _arena.Dispose();
        }
    }
}

using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// Networks for groups of coordinates; what every rule must hold is in <see cref="LearnedOptimizerContractTests"/>.
/// </summary>
public class PartitionedTests
{
    /// <summary>Two runs of convolutions with others before, between and behind: coordinates 2..7 and 9..10 of 13.</summary>
    static readonly Layout s_layout = new(
        3, [new("a", new Shape(2)), Filters("b", 2), Filters("c", 4), new("d", new Shape(1)), Filters("e", 2),
            new("f", new Shape(2))]);

    static ParameterTensor Filters(string name, int count) => new(name, new Shape(count)) { Group = ParameterGroup.Convolution };

    static bool IsConvolution(int coordinate) => coordinate % 13 is >= 2 and < 8 or 9 or 10;

    /// <summary>Loops of its own; the tape coordinate by coordinate; the tape by instance.</summary>
    public static TheoryData<string> Networks => ["lstm", "rnnprop", "lstm-gac"];

    static (ILearnedOptimizer One, ILearnedOptimizer Two) Create(string network)
    {
        Assert.True(Catalog.LearnedOptimizers.TryFind(network, out var entry));
        var options = (LearnedOptimizerOptions)Activator.CreateInstance(entry.Options)!;
        return (options.Create(), new Partitioned.Options { Network = options }.Create());
    }

    static double[][] Gradients => [.. Enumerable.Range(0, 4).Select(step => RuleRun.Normal(s_layout.Count, 1, (uint)step))];

    [Theory, InlineData("lstm"), InlineData("rnnprop")]
    public void Equal_networks_are_one_network(string network)
    {
        var (one, two) = Create(network);
        var phi = RuleRun.Phi(one, 1);
        var start = RuleRun.Normal(s_layout.Count, 1, 9);
        Assert.Equal(RuleRun.Thetas(one, phi, s_layout, start, Gradients),
            RuleRun.Thetas(two, [.. phi, .. phi], s_layout, start, Gradients));

        var single = Array.ConvertAll(phi, x => (float)x);
        Assert.Equal(FromZero(one, single), Sum(FromZero(two, [.. single, .. single])), (a, b) => Math.Abs(a - b) < 1e-10);

        double[] Sum(double[] both) => [.. both[..single.Length].Zip(both[single.Length..], (a, b) => a + b)];
    }

    static double[] FromZero(ILearnedOptimizer rule, float[] phi)
    {
        using var kernels = new ScalarKernels<double>();
        using var arena = new Arena<double>();
        using var state = rule.Start(kernels, s_layout);
        state.SetParameters(Array.ConvertAll(phi, x => (double)x));
        var zeros = arena.Zeros(new Shape(s_layout.Count));
        var gradients = arena.Copy(Gradients.SelectMany(g => g).ToArray(), new Shape(4, s_layout.Count));
        var result = new double[phi.Length];
        state.MetaGradient(
            Unrolled<double>.Of(gradients, arena.Copy([1, 0.5, 2], new Shape(3)), zeros, arena.Zeros(state.State.Shape)), result);
        return result;
    }

    [Theory, MemberData(nameof(Networks))]
    public void Each_coordinate_follows_its_own_network(string network)
    {
        var (one, two) = Create(network);
        var (first, second) = (RuleRun.Phi(one, 1), RuleRun.Phi(one, 2));
        var start = RuleRun.Normal(s_layout.Count, 1, 9);
        var both = RuleRun.Thetas(two, [.. first, .. second], s_layout, start, Gradients);
        foreach (var convolutions in new[] { true, false })
        {
            // The same coordinates as a task of their own.
            int[] own = [.. Enumerable.Range(0, s_layout.Count).Where(i => IsConvolution(i) == convolutions)];
            double[] Own(double[] all) => [.. own.Select(i => all[i])];
            var alone = RuleRun.Thetas(one, convolutions ? first : second, Layout.Flat(3, own.Length / 3), Own(start),
                [.. Gradients.Select(Own)]);
            Assert.Equal(alone, both.Select(Own));
        }
    }

    [Fact]
    public void A_task_without_the_group_uses_the_network_of_the_rest()
    {
        var (one, two) = Create("lstm");
        var (unused, phi) = (RuleRun.Phi(one, 1), RuleRun.Phi(one, 2));
        var layout = Layout.Flat(2, 5);
        double[][] gradients = [RuleRun.Normal(10, 1, 0), RuleRun.Normal(10, 1, 1)];
        Assert.Equal(RuleRun.Thetas(one, phi, layout, new double[10], gradients),
            RuleRun.Thetas(two, [.. unused, .. phi], layout, new double[10], gradients));
    }

    static readonly TrainingSpec s_training = new()
    {
        Seed = 3,
        Task = new ConvClassificationTask.Options { Layers = [new() { Filters = 2, Kernel = 2 }], Hidden = [], Batch = 3 },
        Optimizer = new Partitioned.Options { Network = new CoordinatewiseLstm.Options { Layers = [4] } },
        Training = new TrainingOptions
        {
            Horizon = 6,
            Unroll = 2,
            MetaBatch = 2,
            MetaEpochs = 3,
            ConvexDimensions = 5,
            Validation = new ValidationOptions { Every = 2, Instances = 2 },
        },
    };

    [Fact]
    public void Training_moves_both_networks_and_goes_on_bit_for_bit_within_a_horizon()
    {
        var whole = Final(Run(s_training, threads: 1));
        Assert.Equal(whole, Final(Run(s_training, Cancel(s_training, 5).Point)));

        var file = SafeTensors.Read(whole);
        Assert.NotEqual(file["convolution.output.weight"], file["rest.output.weight"]);
        Assert.DoesNotContain(0f, file["convolution.output.weight"]);
        var read = LearnedOptimizerCheckpoint.Read(whole);
        Assert.Equal(("per-group", file.Names.Sum(n => file[n].Length)), (read.Name, read.Phi.Length));
    }

    [Fact]
    public void The_convex_function_of_the_training_is_shared_out_among_the_groups()
    {
        var tensors =
            new ConvexMixture(s_training.Task.Create(_ => TinyDataset.Create()), 5).Parameters.Where(
                p => p.Name.StartsWith("convex", StringComparison.Ordinal));
        Assert.Equal([(ParameterGroup.Convolution, 2), (ParameterGroup.Other, 3)], tensors.Select(t => (t.Group, t.Shape.Count)));
    }
}

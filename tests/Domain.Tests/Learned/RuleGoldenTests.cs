using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Tasks;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// Four steps of every learned rule against NumPy, which has them from the papers' formulas (goldens/rules.py).
/// </summary>
public class RuleGoldenTests
{
    static readonly Dictionary<string, (LearnedOptimizerOptions Options, Layout Layout)> s_cases = new()
    {
        ["lstm"] = (new CoordinatewiseLstm.Options { Layers = [3, 2], OutputScale = 0.3 }, Layout.Flat(1, 8)),
        ["lstm, p = 4, without forget gates"] =
            (new CoordinatewiseLstm.Options { Layers = [3, 2], PreprocessingExponent = 4, ForgetGates = false },
                Layout.Flat(2, 4)),
        ["lstm, plain gradients"] = (new CoordinatewiseLstm.Options { Layers = [3, 2], Preprocessing = Preprocessing.None },
            Layout.Flat(1, 8)),
        ["lstm-gac"] =
            (new LstmGac.Options { Layers = [4, 1], AveragedUnits = 2, PreprocessingExponent = 4, OutputScale = 0.5 },
                Layout.Flat(2, 3)),
        ["ntm-bfgs"] =
            (new NtmBfgs.Options { Layers = [3], AveragedUnits = 1, PreprocessingExponent = 4, OutputScale = 0.2 },
                Layout.Flat(2, 3)),
        ["rnnprop"] =
            (new RnnProp.Options { Features = 3, Layers = [4, 2], Beta1 = 0.8, Beta2 = 0.97, OutputScale = 0.2 },
                Layout.Flat(1, 8)),
        ["hierarchical-rnn"] = (
            new HierarchicalRnn.Options { Units = 3, TensorUnits = 2, GlobalUnits = 4, Scales = 3 },
            new(2, [new("w", new Shape(2, 2)), new("b", new Shape(2))])),
        ["adafactor-mlp"] = (
            new AdafactorMlp.Options { Hidden = [3, 2], StepScale = 0.05, MagnitudeScale = 0.3 },
            new(2, [new("w", new Shape(2, 3)), new("b", new Shape(2)), new("k", new Shape(2, 2, 2))])),
        ["learnable-adam"] = (new LearnableAdam.Options(), Layout.Flat(1, 8)),
        ["learnable-sgd"] = (new LearnableSgd.Options(), Layout.Flat(1, 8)),
        ["per-group"] = (
            new Partitioned.Options { Network = new LstmGac.Options { Layers = [2], AveragedUnits = 1 } },
            new(2, [new("a", new Shape(1)), Filters("b", 2), new("c", new Shape(2)), Filters("d", 1)])),
    };

    static ParameterTensor Filters(string name, int count) => new(name, new Shape(count)) { Group = ParameterGroup.Convolution };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];

    static (ILearnedOptimizer Rule, Layout Layout, double[] Phi, double[] Start, double[][] Gradients, double[][] Thetas) Read(
        string name)
    {
        var golden = GoldenTask.Read("rules.json", name);
        double[][] Rows(string field) => [.. golden.GetProperty(field).EnumerateArray().Select(Numbers)];
        var (options, layout) = s_cases[name];
        return (options.Create(), layout, Numbers(golden.GetProperty("phi")), Numbers(golden.GetProperty("start")),
            Rows("gradients"), Rows("thetas"));
    }

    [Fact]
    public void Every_rule_of_the_catalogue_has_a_case() =>
        Assert.All(Catalog.LearnedOptimizers.Entries,
            e => Assert.Contains(s_cases.Values, c => c.Options.GetType() == e.Options));

    /// <summary>The loops or tapes that runs use, in double.</summary>
    [Theory, MemberData(nameof(Cases))]
    public void Four_steps_agree_with_NumPy(string name)
    {
        var (rule, layout, phi, start, gradients, expected) = Read(name);
        foreach (var (theta, golden) in RuleRun.Thetas(rule, phi, layout, start, gradients).Zip(expected))
            RuleRun.AssertClose(golden, theta, 1e-11);
    }

    /// <summary>The definition on the tape, from which meta-gradients come.</summary>
    [Theory, MemberData(nameof(Cases))]
    public void Four_steps_on_the_tape_agree_with_NumPy(string name)
    {
        var (rule, layout, phi, start, gradients, expected) = Read(name);
        using var kernels = new ScalarKernels<double>();
        using var tape = new Tape<double>(kernels);
        var (row, at) = (new Shape(1, layout.Count), 0);
        var parameters =
            rule.MetaParameters.Select(p =>
                tape.Constant(phi.AsSpan((at += p.Shape.Count) - p.Shape.Count, p.Shape.Count), p.Shape)).ToArray();
        Assert.Equal(phi.Length, at);
        var state = rule.State(layout).Select(tape.Zeros).ToArray();
        var theta = tape.Constant(start, row);
        for (var step = 0; step < gradients.Length; step++)
        {
            var update = rule.Step(tape, new StepInput<double>(layout, parameters, tape.Constant(gradients[step], row), theta),
                state);
            theta = tape.Add(theta, update);
            RuleRun.AssertClose(expected[step], theta.Span.ToArray(), 1e-11);
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Four_steps_of_every_kernel_set_in_float_agree_with_NumPy(string name)
    {
        var (rule, layout, phi, start, gradients, expected) = Read(name);
        foreach (var set in KernelSets.Every)
        {
            using var kernels = KernelSets.Create(set, 2);
            using var arena = kernels.NewArena();
            using var state = rule.StartOn(kernels, layout);
            state.SetParameters(Replay.Convert<double, float>(phi));
            var theta = arena.Copy(Replay.Convert<double, float>(start), new Shape(layout.Count));
            for (var step = 0; step < gradients.Length; step++)
            {
                state.Step(theta, arena.Copy(Replay.Convert<double, float>(gradients[step]), theta.Shape));
                RuleRun.AssertClose(expected[step], Replay.Convert<float, double>(theta.ToArray()), 2e-5);
            }
        }
    }
}

using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// Updates of every learned rule over 200 steps, on gradients that include 0, 1e-30, 1e30 and denormals. The committed files hold
/// checkpoints, gradients and updates: the tests of clients/python hold PyTorch to them, these tests every kernel set.
/// <c>METAOPT_RECORD=folder</c> writes new ones.
/// </summary>
public class PyTorchGoldenTests
{
    const int Steps = 200, Coordinates = 12, Window = 50;

    /// <summary>From here on one coordinate's gradients are 1e30: rules that square them have no finite state after it.</summary>
    const int FirstHuge = 150;

    /// <summary>Below this an update is taken for zero: it comes of denormal numbers, which have fewer digits.</summary>
    const float Smallest = 1e-35f;

    static readonly string s_goldens = Path.Combine(AppContext.BaseDirectory, "Learned", "pytorch");

    static readonly Layout s_layout = new(1,
    [
        new("w", new Shape(3, 2)), new("filters", new Shape(2, 2)) { Group = ParameterGroup.Convolution }, new("b", new Shape(2)),
    ]);

    static readonly Dictionary<string, LearnedOptimizerOptions> s_cases = new()
    {
        ["lstm"] = new CoordinatewiseLstm.Options { Layers = [6, 5] },
        ["lstm-1997"] = new CoordinatewiseLstm.Options { Layers = [5], ForgetGates = false, PreprocessingExponent = 4 },
        ["lstm-plain"] = new CoordinatewiseLstm.Options { Layers = [4], Preprocessing = Preprocessing.None, OutputScale = 0.3 },
        ["lstm-linear"] = new CoordinatewiseLstm.Options { Layers = [] },
        ["lstm-gac"] = new LstmGac.Options { Layers = [6, 2], AveragedUnits = 3 },
        ["ntm-bfgs"] = new NtmBfgs.Options { Layers = [5], AveragedUnits = 2, PreprocessingExponent = 4 },
        ["rnnprop"] = new RnnProp.Options { Features = 5, Layers = [6, 4], Beta1 = 0.9, Beta2 = 0.97 },
        ["hierarchical-rnn"] = new HierarchicalRnn.Options { Units = 4, TensorUnits = 3, GlobalUnits = 2, Scales = 3 },
        ["adafactor-mlp"] = new AdafactorMlp.Options { Hidden = [5, 3] },
        ["learnable-adam"] = new LearnableAdam.Options(),
        ["learnable-sgd"] = new LearnableSgd.Options(),
        ["per-group"] = new Partitioned.Options { Network = new LstmGac.Options { Layers = [3], AveragedUnits = 1 } },
    };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    static LearnedOptimizerCheckpoint Recorded(string name) =>
        LearnedOptimizerCheckpoint.Read(File.ReadAllBytes(Path.Combine(s_goldens, $"{name}.safetensors")));

    [Fact]
    public void Every_rule_of_the_catalogue_has_a_recorded_case() => Assert.Equal(
        Catalog.LearnedOptimizers.Entries.Select(e => e.Name).Order(),
        s_cases.Keys.Select(name => Recorded(name).Name).Distinct().Order());

    [Theory, MemberData(nameof(Cases))]
    public void Every_kernel_set_makes_the_recorded_updates(string name)
    {
        var recorded = SafeTensors.Read(File.ReadAllBytes(Path.Combine(s_goldens, "updates.safetensors")));
        Assert.Equal(Gradients(), recorded["gradients"]);
        Assert.Equal(Theta(name), recorded[$"{name}.theta"]);
        foreach (var set in KernelSets.Every)
            AssertClose(recorded[$"{name}.updates"], Updates(Recorded(name), Theta(name), set), $"{name} with {set}");
    }

    [Fact]
    public void Records_what_comes_out_when_it_is_asked_to()
    {
        if (Environment.GetEnvironmentVariable("METAOPT_RECORD") is not { Length: > 0 } folder) return;
        var file = new SafeTensors();
        file.Metadata["tensors"] = JsonSerializer.Serialize(s_layout.Tensors.Select(t => new
        {
            name = t.Name,
            shape = t.Shape.ToArray(),
            part = t.Group == ParameterGroup.Convolution ? "convolution" : "rest",
        }));
        file.Add("gradients", Gradients(), Steps, Coordinates);
        foreach (var name in s_cases.Keys)
        {
            file.Add($"{name}.theta", Theta(name), Coordinates);
            var checkpoint = Checkpoint(name);
            var updates = Updates(LearnedOptimizerCheckpoint.Read(checkpoint), Theta(name), "scalar");
            file.Add($"{name}.updates", updates, Steps, Coordinates);
            File.WriteAllBytes(Path.Combine(folder, $"{name}.safetensors"), checkpoint);
        }
        File.WriteAllBytes(Path.Combine(folder, "updates.safetensors"), file.ToBytes());
    }

    /// <summary>
    /// 0; 1e-30; denormal; 1e30 from some step on; now and then 0; sizes from 1e-6 to 30; near e^-10, where features bend.
    /// </summary>
    static float[] Gradients()
    {
        var rows = new float[Steps * Coordinates];
        for (var step = 0; step < Steps; step++)
        {
            var normal = RuleRun.Normal(Coordinates, 20, (uint)step);
            var (sometimes, wide) = (step % 3 == 0 ? 0 : 1, Math.Exp(step % 20 - 10));
            double[] sizes = [0, 1e-30, 1e-40, 1, sometimes, 1e-6, 1e-3, 0.1, 1, 30, Math.Exp(-10), wide];
            for (var i = 0; i < Coordinates; i++) rows[step * Coordinates + i] = (float)(normal[i] * sizes[i]);
            if (step >= FirstHuge) rows[step * Coordinates + 3] = normal[3] < 0 ? -1e30f : 1e30f;
        }
        return rows;
    }

    /// <summary>
    /// Zeros, to which an update is added without a rounding; for the rule that reads theta small values. The same at every step.
    /// </summary>
    static float[] Theta(string name) =>
        name != "adafactor-mlp"
            ? new float[Coordinates]
            : [.. RuleRun.Normal(Coordinates, 21, 0).Select(x => (float)(0.001 * x))];

    static float[] Phi(string name)
    {
        var rule = s_cases[name].Create();
        var phi = RuleRun.Phi(rule, 22).Select(x => (float)x).ToArray();
        var (initial, at) = (new float[phi.Length], 0);
        rule.Initialise(22, initial);
        foreach (var tensor in rule.MetaParameters)
        {
            // Noise could make them larger than 1, and averages unbounded.
            if (tensor.Name.Contains("Decay", StringComparison.Ordinal))
                initial.AsSpan(at, tensor.Shape.Count).CopyTo(phi.AsSpan(at));
            at += tensor.Shape.Count;
        }
        return phi;
    }

    static byte[] Checkpoint(string name)
    {
        var optimizer = s_cases[name];
        TaskOptions task = optimizer is Partitioned.Options ? new ConvClassificationTask.Options() : new QuadraticTask.Options();
        return LearnedOptimizerCheckpoint.Write(new TrainingSpec { Task = task, Optimizer = optimizer }, Phi(name));
    }

    static float[] Updates(LearnedOptimizerCheckpoint checkpoint, float[] theta, string set)
    {
        using var kernels = KernelSets.Create(set, 1);
        using var arena = kernels.NewArena();
        using var state = checkpoint.Freeze().Start(kernels, s_layout);
        var (gradients, updates) = (Gradients(), new float[Steps * Coordinates]);
        for (var step = 0; step < Steps; step++)
        {
            arena.Reset();
            var moved = arena.Copy(theta, new Shape(Coordinates));
            state.Step(moved, arena.Copy(gradients.AsSpan(step * Coordinates, Coordinates), moved.Shape));
            var after = moved.ToArray();
            for (var i = 0; i < Coordinates; i++) updates[step * Coordinates + i] = after[i] - theta[i];
        }
        return updates;
    }

    /// <summary>Error at most 1e-5 of a coordinate's largest update within 50 steps; not a number at the same places.</summary>
    static void AssertClose(float[] expected, float[] actual, string what)
    {
        for (var i = 0; i < Coordinates; i++)
            for (var first = 0; first < Steps; first += Window)
            {
                var places = Enumerable.Range(first, Window).Select(step => step * Coordinates + i).ToList();
                var largest = places.Select(p => Math.Abs(expected[p])).Where(float.IsFinite).DefaultIfEmpty(0).Max();
                foreach (var place in places)
                {
                    var (recorded, computed) = (expected[place], actual[place]);
                    Assert.True(
                        recorded.Equals(computed) || Math.Abs(recorded - computed) <= 1e-5f * largest + Smallest,
                        $"{what}: step {place / Coordinates}, coordinate {i}: {recorded:R} recorded, {computed:R} computed.");
                }
            }
    }
}

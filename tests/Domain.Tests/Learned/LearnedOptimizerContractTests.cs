using MetaOpt.Compute;
using MetaOpt.Learned;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>What every learned optimizer of the catalogue must hold, over three steps.</summary>
public class LearnedOptimizerContractTests
{
    public static TheoryData<string> Names => [.. Catalog.LearnedOptimizers.Entries.Select(e => e.Name)];

    static (ILearnedOptimizer Rule, float[] Phi) Create(string name)
    {
        Assert.True(Catalog.LearnedOptimizers.TryFind(name, out var entry));
        var rule = ((LearnedOptimizerOptions)Activator.CreateInstance(entry.Options)!).Create();
        var phi = new float[rule.MetaParameters.Sum(p => p.Shape.Count)];
        var noise = new float[phi.Length];
        rule.Initialise(1, phi);
        new RandomStream(1, Split.Test, Purpose.Perturbation).FillNormal<float>(noise, 0.1);
        for (var i = 0; i < phi.Length; i++) phi[i] += noise[i];
        return (rule, phi);
    }

    [Theory, MemberData(nameof(Names))]
    public void The_meta_gradient_without_a_graph_is_the_tapes_on_every_kernel_set(string name)
    {
        var (rule, phi) = Create(name);
        var replay = Replay.Random(rule, 41, 3, 2);
        var expected = replay.TapeGradient(phi);
        using var reference = new ScalarKernels<double>();
        Assert.InRange(replay.WorstRelativeError(replay.Gradient(reference, phi), expected), 0, 1e-10);
        foreach (var set in KernelSets.Every)
        {
            using var kernels = KernelSets.Create(set, 2);
            Assert.InRange(replay.WorstRelativeError(replay.Gradient(kernels, phi), expected), 0, 1e-4);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Frozen_it_continues_from_its_saved_state_bit_for_bit(string name)
    {
        var (rule, phi) = Create(name);
        var frozen = new FrozenOptimizer(rule, phi);
        using var kernels = KernelSets.Create("auto", 2);
        using var arena = new Arena<float>();
        var (whole, parts) = (arena.Zeros(new Shape(2, 50)), arena.Zeros(new Shape(2, 50)));
        using (var state = frozen.Start(kernels, 2, 50))
            for (uint step = 0; step < 6; step++) state.Step(whole, Gradient(step));
        IReadOnlyDictionary<string, float[]> saved;
        using (var state = frozen.Start(kernels, 2, 50))
        {
            for (uint step = 0; step < 3; step++) state.Step(parts, Gradient(step));
            saved = state.Save();
        }
        using (var state = frozen.Start(kernels, 2, 50))
        {
            state.Load(saved);
            for (uint step = 3; step < 6; step++) state.Step(parts, Gradient(step));
        }
        Assert.Equal(whole.Span.ToArray(), parts.Span.ToArray());

        Tensor<float> Gradient(uint step)
        {
            var gradient = arena.Take(new Shape(2, 50));
            new RandomStream(3, Split.Test, Purpose.Instance, 0, step).FillNormal(gradient.Span, 1);
            return gradient;
        }
    }
}

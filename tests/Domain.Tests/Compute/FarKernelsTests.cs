using System.Runtime.CompilerServices;
using MetaOpt.Compute;
using MetaOpt.Runs;

namespace MetaOpt.Domain.Tests.Compute;

/// <summary>Work on a device gives what the same loops give beside it; the contract suites run there too.</summary>
public sealed class FarKernelsTests
{
    [ModuleInitializer]
    internal static void Register() => KernelSets.Add("far", _ => new FarKernels<float>());

    [Fact]
    public void The_host_cannot_touch_a_device_and_a_view_brings_back_what_was_written()
    {
        using var kernels = new FarKernels<float>();
        using var arena = kernels.NewArena();
        var x = arena.Copy([1, 2, 3, 4], new Shape(2, 2));
        Assert.Throws<InvalidOperationException>(() => { _ = x.Span; });
        Assert.Throws<InvalidOperationException>(() => kernels.Fill(1, new Arena<float>().Zeros(new Shape(2))));
        using (var view = x.Edit()) view.Row(1)[0] = 30;
        using (var view = x.Read()) view.Row(0)[0] = 10;
        Assert.Equal([1, 2, 30, 4], x.ToArray());
        x.Range(1, 2).Clear();
        x.CopyTo(arena.Copy(x));
        Assert.Equal([1, 0, 0, 4], arena.Copy(x).ToArray());
    }

    [Theory]
    [InlineData("""{"type": "lstm", "layers": [5]}""", "")]
    [InlineData("""{"type": "rnnprop", "layers": [5]}""", "")]
    [InlineData("""{"type": "hierarchical-rnn"}""", "")]
    [InlineData("""{"type": "lstm-gac", "layers": [5]}""", "")]
    [InlineData("""{"type": "lstm", "layers": [5]}""", """, "estimator": {"type": "pes", "pairs": 2}""")]
    [InlineData("""{"type": "lstm", "layers": [5]}""", """, "secondDerivatives": true""")]
    [InlineData("""{"type": "lstm", "layers": [5]}""", """, "lossWeights": "log", "randomScaling": 1, "convexDimensions": 3""")]
    [InlineData("""{"type": "lstm", "layers": [5]}""", """, "imitation": {"shares": [0.5]}""")]
    public void A_training_on_a_device_is_the_one_beside_it(string optimizer, string training)
    {
        var spec = Catalog.RunKinds.Read("meta-training", System.Text.Json.JsonDocument.Parse($$$"""
            {"seed": 3, "task": {"type": "quadratic", "dimensions": 4}, "optimizer": {{{optimizer}}},
             "training": {"horizon": 10, "unroll": 5, "metaBatch": 3, "metaEpochs": 4, "validation": {"every": 2, "instances": 5}{{{training}}}}}
            """).RootElement);
        using var far = new FarKernels<float>();
        using var near = new ScalarKernels<float>();
        Assert.Equal(Events(spec, near), Events(spec, far));
    }

    [Fact]
    public void An_evaluation_on_a_device_is_the_one_beside_it()
    {
        var spec = Catalog.RunKinds.Read("evaluation", System.Text.Json.JsonDocument.Parse("""
            {"seed": 3, "task": {"type": "quadratic", "dimensions": 4}, "horizon": 10, "instances": 5, "contestants": [
             {"optimizer": {"type": "adam", "learningRate": 0.1}}, {"optimizer": {"type": "bfgs", "learningRate": 0.1}}, {"optimizer": {"type": "l-bfgs", "learningRate": 0.1}}]}
            """).RootElement);
        using var far = new FarKernels<float>();
        using var near = new ScalarKernels<float>();
        Assert.Equal(Events(spec, near), Events(spec, far));
    }

    /// <summary>Points and checkpoints, bit by bit.</summary>
    static List<string> Events(RunSpec spec, IKernels<float> kernels) =>
    [
        .. spec.Execute(new RunInputs(kernels, _ => throw new InvalidOperationException(), new Dictionary<Guid, byte[]>()),
            default).Select(e => e switch
        {
            RunEvent.Point point => $"{point.Series} {point.Step} {point.Value:R}",
            RunEvent.Checkpoint checkpoint =>
                $"{checkpoint.Name} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(checkpoint.Bytes))}",
            _ => "",
        }),
    ];
}

using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Evaluation;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Evaluation;

/// <summary>
/// The baselines on the 10-dimensional quadratics against independently measured numbers (4000 functions, rates on a
/// quarter-decade grid by mean loss at step 100). Means of 1500 functions scatter by 15 % (heavy tail), so they may lie 30 % off.
/// </summary>
public class PaperNumbersTests
{
    [Theory]
    [InlineData("nag", 0.0056, 0.018, 0.399)]
    [InlineData("rmsprop", 0.018, 0.056, 0.658)]
    [InlineData("adam", 0.18, 0.56, 0.322)]
    public void A_tuned_baseline_is_where_it_was_measured(string name, double lowestRate, double highestRate, double mean)
    {
        Assert.True(Catalog.Optimizers.TryFind(name, out var entry));
        var measured = Measure((OptimizerOptions)Activator.CreateInstance(entry.Options)!);
        Assert.InRange((double)measured["learningRate"]!, lowestRate * 0.99, highestRate * 1.01);
        Assert.InRange((double)measured["finalMean"]! / mean, 0.7, 1.3);
    }

    /// <summary>
    /// Their rates need 20,000 functions to be found (see <see cref="TuningOptions.Instances"/>), too many for a unit test.
    /// </summary>
    [Theory]
    [InlineData("sgd", -2, 1.05, 1.77)]
    [InlineData("momentum", -1.75, 0.307, 0.960)]
    public void A_baseline_at_its_rate_is_where_it_was_measured(string name, double exponent, double mean, double average)
    {
        Assert.True(Catalog.Optimizers.TryFind(name, out var entry));
        var measured =
            Measure((OptimizerOptions)Activator.CreateInstance(entry.Options)! with { LearningRate = Math.Pow(10, exponent) });
        Assert.InRange((double)measured["finalMean"]! / mean, 0.7, 1.3);
        Assert.InRange((double)measured["averageLoss"]! / average, 0.85, 1.15);
    }

    static JsonNode Measure(OptimizerOptions optimizer)
    {
        var spec = new EvaluationSpec
        {
            Seed = 1,
            Task = new QuadraticTask.Options(),
            Instances = 1500,
            Tuning = new() { Instances = 300, FromExponent = -2.25, ToExponent = -0.25 },
            Contestants = [new() { Optimizer = optimizer }],
        };
        using var kernels = KernelSets.Create("auto", 2);
        var inputs = new RunInputs(kernels, _ => throw new InvalidOperationException(), new Dictionary<Guid, byte[]>());
        return spec.Execute(inputs, default).OfType<RunEvent.Result>().Single().Document.ToJson()["contestants"]![0]!;
    }
}

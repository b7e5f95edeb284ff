using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Presets;

namespace MetaOpt.Domain.Tests.Presets;

/// <summary>Every preset can be submitted as it stands, and its claims speak of what it measures.</summary>
public class PresetTests
{
    public static TheoryData<string, PresetSize> All
    {
        get
        {
            var all = new TheoryData<string, PresetSize>();
            foreach (var preset in Catalog.Presets)
                foreach (var size in Enum.GetValues<PresetSize>()) all.Add(preset.Name, size);
            return all;
        }
    }

    static Preset Find(string name) => Catalog.Presets.Single(p => p.Name == name);

    [Theory]
    [MemberData(nameof(All))]
    public void Its_specifications_are_valid_as_they_are_described(string name, PresetSize size)
    {
        var document = Find(name).Describe(size, Catalog.RunKinds);
        foreach (var training in document["trainings"]!.AsArray())
        {
            var spec = Catalog.RunKinds.Read("meta-training", training!["spec"].Deserialize<JsonElement>());
            Assert.Equal(training["spec"]!.ToJsonString(), SpecReader.Write(spec).ToJsonString());
            Assert.Equal(training["seeds"]!.AsArray().Count,
                training["seeds"]!.AsArray().Select(s => (long)s!).Distinct().Count());
        }
        foreach (var evaluation in document["evaluations"]!.AsArray())
        {
            var spec = WithLearned(document, evaluation!);
            Assert.InRange(spec["contestants"]!.AsArray().Count, 2, 32);
            Assert.Equal(spec["contestants"]!.AsArray().Count(c => c!["checkpoint"] is not null),
                Catalog.RunKinds.Read("evaluation", spec.Deserialize<JsonElement>()).FindInputs().Count());
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Its_diagnoses_are_valid_once_they_have_a_checkpoint(string name, PresetSize size)
    {
        var plan = Find(name).Plan(size);
        foreach (var diagnosis in Find(name).Describe(size, Catalog.RunKinds)["diagnoses"]!.AsArray())
        {
            Assert.Contains((string)diagnosis!["training"]!, plan.Trainings.Select(t => t.Name));
            diagnosis["spec"]!["checkpoint"] = Guid.NewGuid().ToString();
            Assert.Single(Catalog.RunKinds.Read("meta-gradient-diagnosis", diagnosis["spec"].Deserialize<JsonElement>())
                .FindInputs());
        }
        foreach (var claim in plan.BiasClaims) Assert.Single(plan.Diagnoses, d => d.Name == claim.Diagnosis);
    }

    /// <summary>As a client does it: every seed of the trainings that are named takes part.</summary>
    static JsonNode WithLearned(JsonObject preset, JsonNode evaluation)
    {
        var spec = evaluation["spec"]!.DeepClone();
        foreach (var learned in evaluation["learned"]!.AsArray())
            foreach (var seed in preset["trainings"]!.AsArray().Single(t => (string)t!["name"]! == (string)learned!)!["seeds"]!
                .AsArray())
                spec["contestants"]!.AsArray()
                    .Add(new JsonObject { ["name"] = $"{learned}/{seed}", ["checkpoint"] = Guid.NewGuid().ToString() });
        return spec;
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Its_claims_speak_of_what_it_measures(string name, PresetSize size)
    {
        var plan = Find(name).Plan(size);
        Assert.NotEqual(0, plan.Claims.Count + plan.BiasClaims.Count);
        foreach (var claim in plan.Claims)
        {
            var evaluation = plan.Evaluations.Single(e => e.Name == claim.Evaluation);
            Assert.Subset(evaluation.Learned.ToHashSet(), claim.Learned.ToHashSet());
            Assert.Subset(BaselinesOf(evaluation), claim.Against.ToHashSet());
            Assert.InRange(claim.Step ?? 1, 1, evaluation.Spec.Horizon);
        }
        foreach (var published in plan.Published)
        {
            var evaluation = plan.Evaluations.Single(e => e.Name == published.Evaluation);
            Assert.Contains(published.Contestant, evaluation.Learned.Concat(BaselinesOf(evaluation)));
            Assert.InRange(published.Step ?? 1, 1, evaluation.Spec.Horizon);
        }
    }

    static HashSet<string> BaselinesOf(PlannedEvaluation evaluation) =>
        [.. evaluation.Spec.Contestants.Select(c => c.Name ?? Catalog.Optimizers.Of(c.Optimizer!).Name)];

    [Fact]
    public void Names_are_unique_and_fit_into_an_address()
    {
        Assert.Equal(Catalog.Presets.Count, Catalog.Presets.Select(p => p.Name).Distinct().Count());
        Assert.All(Catalog.Presets, p => Assert.Matches("^[a-z0-9-]{1,40}$", p.Name));
    }

    [Fact]
    public void All_quick_ones_together_take_less_than_ninety_minutes() =>
        Assert.InRange(Catalog.Presets.Sum(p => p.Plan(PresetSize.Quick).Minutes), 1, 90);
}

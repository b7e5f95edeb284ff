using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Cli.Demo;
using Xunit;

namespace MetaOpt.Service.Tests.Cli;

public sealed class DemoPlanTests
{
    const string Checkpoint = "01999999-0000-7000-8000-000000000001";

    [Theory]
    [InlineData("quadratic")]
    [InlineData("mnist")]
    public void Both_submissions_of_a_preset_are_valid_and_carry_seed_and_checkpoint(string name)
    {
        var plan = DemoPlan.Load(name);

        var training = Catalog.RunKinds.Read("meta-training", Spec(plan.Training(42)));
        var evaluation = Catalog.RunKinds.Read("evaluation", Spec(plan.Evaluation(42, Checkpoint)));

        Assert.Equal(42, training.Seed);
        Assert.Equal(42, evaluation.Seed);
        Assert.Equal(SpecReader.Write(training)["task"]!.ToJsonString(), SpecReader.Write(evaluation)["task"]!.ToJsonString());
        Assert.Equal([Guid.Parse(Checkpoint)], evaluation.FindInputs().Select(c => c.Id));
    }

    [Theory]
    [InlineData("quadratic")]
    [InlineData("mnist")]
    public void The_papers_baselines_and_heavy_ball_take_part(string name) => Assert.Equal(
        ["adam", "momentum", "nag", "rmsprop", "sgd"],
        DemoPlan.Load(name).Evaluation(1, Checkpoint)["spec"]!["contestants"]!.AsArray()
            .Select(c => (string?)c!["optimizer"]?["type"]).OfType<string>().Order());

    static JsonElement Spec(JsonNode submission) => submission["spec"]!.Deserialize<JsonElement>();
}

using System.Text.Json.Nodes;

namespace MetaOpt.Cli.Demo;

/// <summary>
/// The two submissions of a demonstration: <c>NAME.json</c>, complete but for the seeds and the id of the
/// checkpoint that the first one makes and the second one measures.
/// </summary>
public sealed class DemoPlan
{
    readonly JsonNode _document;

    DemoPlan(JsonNode document) => _document = document;

    /// <summary>The optimizee, in words.</summary>
    public string Title => _document["title"]!.GetValue<string>();

    /// <summary>Inner steps of an inner run in the evaluation.</summary>
    public int Horizon => _document["evaluation"]!["spec"]!["horizon"]!.GetValue<int>();

    /// <summary>The plan called <paramref name="name"/>.</summary>
    public static DemoPlan Load(string name)
    {
        using var stream = typeof(DemoPlan).Assembly.GetManifestResourceStream($"{name}.json")
            ?? throw new CommandException($"There is no demonstration \"{name}\"; choose quadratic or mnist.", ExitCode.Usage);
        return Parse(stream);
    }

    /// <summary>Reads a plan's document.</summary>
    public static DemoPlan Parse(Stream json) => new(JsonNode.Parse(json)!);

    /// <summary>The meta-training run.</summary>
    public JsonNode Training(long seed) => WithSeed(_document["training"]!.DeepClone(), seed);

    /// <summary>The evaluation of <paramref name="checkpoint"/>; its draws share nothing with those of the training.</summary>
    public JsonNode Evaluation(long seed, string checkpoint)
    {
        var submission = WithSeed(_document["evaluation"]!.DeepClone(), seed);
        foreach (var contestant in submission["spec"]!["contestants"]!.AsArray())
            if (contestant!["checkpoint"] is not null)
                contestant["checkpoint"] = checkpoint;
        return submission;
    }

    static JsonNode WithSeed(JsonNode submission, long seed)
    {
        submission["spec"]!["seed"] = seed;
        return submission;
    }
}

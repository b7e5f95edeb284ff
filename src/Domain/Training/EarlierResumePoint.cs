using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>
/// Resume points of trainings from before there were snapshots: the same tensors, and the whole numbers as JSON in the metadata.
/// They are put in the places where they are now, so that a training that began under an earlier version goes on.
/// </summary>
static class EarlierResumePoint
{
    const string Format = "metaopt.resume-point";

    static readonly (string Earlier, string Now)[] s_integers =
    [
        ("MetaEpoch", "meta-epoch"), ("Unroll", "unroll"), ("MetaStep", "meta-step"), ("RunHasGradient", "run-has-gradient"),
        ("LostRuns", "lost-runs"), ("Returns", "returns"), ("Skipped", "skipped"),
        ("Stage", "schedule.stage"), ("StageValidations", "schedule.validations"), ("StageImproved", "schedule.improved"),
        ("StageIsToBeScored", "schedule.is-to-be-scored"), ("CurriculumIsOver", "schedule.is-over"),
        ("ValidatedEpoch", "validation.meta-epoch"), ("SinceImprovement", "validation.since-improvement"),
        ("BestMetaStep", "validation.best-meta-step"),
    ];

    /// <summary>Reads a snapshot, or what was written before there were any.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static Snapshot Read(byte[] bytes)
    {
        var file = SafeTensors.Read(bytes);
        return Snapshot.Of(file.Metadata.GetValueOrDefault("format") == Format ? Translate(file) : file);
    }

    static SafeTensors Translate(SafeTensors earlier)
    {
        var now = new SafeTensors();
        (now.Metadata["format"], now.Metadata["version"], now.Metadata["kernels"]) = ("metaopt.snapshot", "1",
            earlier.Metadata["kernels"]);
        var state = JsonNode.Parse(earlier.Metadata["state"])!;
        // What a field that came later did not say yet is what it began with.
        foreach (var (name, place) in s_integers) now.AddIntegers(place, [Integer(state[name])]);
        // Before the first validation it was the text Infinity.
        now.AddDoubles("validation.best-score",
            [state["BestScore"] is { } score && score.GetValueKind() == JsonValueKind.Number
                ? (double)score
                : double.PositiveInfinity]);
        now.Add("phi", earlier["phi"], earlier["phi"].Length);
        var best = earlier[earlier.Contains("best-phi") ? "best-phi" : "phi"];
        now.Add("validation.best-phi", best, best.Length);
        foreach (var name in earlier.Names)
        {
            var values = earlier[name];
            if (name is "phi" or "best-phi") continue;
            if (name.EndsWith("-optimizer.step", StringComparison.Ordinal))
                now.AddIntegers(name, [.. values.Select(v => (long)BitConverter.SingleToInt32Bits(v))]);
            else now.Add(name.Contains("-optimizer.") ? name : "inner." + name, values, values.Length);
        }
        return now;
    }

    static long Integer(JsonNode? value) => value?.GetValueKind() switch
    {
        null or JsonValueKind.False => 0,
        JsonValueKind.True => 1,
        _ => (long)value!,
    };
}

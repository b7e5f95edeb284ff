using System.Globalization;
using System.Text.Json.Nodes;
using MetaOpt.Evaluation;
using MetaOpt.Runs;
using MetaOpt.Training;

namespace MetaOpt.Presets;

/// <summary>
/// A figure or table of a paper as runs: meta-trainings on several seeds, evaluations of what they learn against tuned baselines,
/// what must come out, and what was published.
/// </summary>
/// <param name="Name">Its name in commands and addresses.</param>
/// <param name="Title">What it shows.</param>
/// <param name="Source">Paper and figure.</param>
/// <param name="Plan">The runs, in either size.</param>
public sealed record Preset(string Name, string Title, string Source, Func<PresetSize, PresetPlan> Plan)
{
    /// <summary>Everything about one size, specifications complete but for seeds and checkpoints.</summary>
    public JsonObject Describe(PresetSize size, RunKinds kinds)
    {
        var plan = Plan(size);
        return new()
        {
            ["name"] = Name,
            ["title"] = Title,
            ["source"] = Source,
            ["size"] = size == PresetSize.Quick ? "quick" : "full",
            ["minutes"] = plan.Minutes,
            ["notes"] = plan.Notes,
            ["trainings"] = new JsonArray([.. plan.Trainings.Select(t => new JsonObject
            {
                ["kind"] = kinds.Of(t.Spec).Name,
                ["name"] = t.Name,
                ["seeds"] = new JsonArray([.. t.Seeds.Select(s => (JsonNode)s)]),
                ["spec"] = SpecReader.Write(t.Spec),
            })]),
            ["evaluations"] = new JsonArray([.. plan.Evaluations.Select(e => new JsonObject
            {
                ["kind"] = kinds.Of(e.Spec).Name,
                ["name"] = e.Name,
                ["title"] = e.Title,
                ["learned"] = new JsonArray([.. e.Learned.Select(l => (JsonNode)l)]),
                ["spec"] = SpecReader.Write(e.Spec),
            })]),
            ["diagnoses"] = new JsonArray([.. plan.Diagnoses.Select(d => new JsonObject
            {
                ["kind"] = kinds.Of(d.Spec).Name,
                ["name"] = d.Name,
                ["title"] = d.Title,
                ["training"] = d.Training,
                ["spec"] = SpecReader.Write(d.Spec),
            })]),
            ["biasClaims"] = new JsonArray([.. plan.BiasClaims.Select(c => new JsonObject
            {
                ["diagnosis"] = c.Diagnosis,
                ["estimator"] = c.Estimator,
                ["than"] = c.Than,
                ["atMost"] = c.AtMost,
            })]),
            ["claims"] = new JsonArray([.. plan.Claims.Select(c => new JsonObject
            {
                ["evaluation"] = c.Evaluation,
                ["learned"] = new JsonArray([.. c.Learned.Select(l => (JsonNode)l)]),
                ["against"] = new JsonArray([.. c.Against.Select(b => (JsonNode)b)]),
                ["step"] = c.Step,
                ["seeds"] = c.Seeds.ToString().ToLowerInvariant(),
                ["atMost"] = c.AtMost,
            })]),
            ["published"] = new JsonArray([.. plan.Published.Select(p => new JsonObject
            {
                ["evaluation"] = p.Evaluation,
                ["contestant"] = p.Contestant,
                ["step"] = p.Step,
                ["paper"] = p.Paper,
                ["code"] = p.Code,
                ["unit"] = p.Unit,
            })]),
        };
    }
}

/// <summary>How much work a preset is.</summary>
public enum PresetSize
{
    /// <summary>Minutes on two cores.</summary>
    Quick,
    /// <summary>The published settings, as far as they are known.</summary>
    Full,
}

/// <summary>The runs of a preset in one size.</summary>
public sealed record PresetPlan
{
    /// <summary>How long all of it takes on two cores: measured for the quick size, estimated from it for the full one.</summary>
    public required double Minutes { get; init; }

    /// <summary>Differences from the paper, with the reasons.</summary>
    public string Notes { get; init; } = "";

    /// <summary>The trainings.</summary>
    public required IReadOnlyList<PlannedTraining> Trainings { get; init; }

    /// <summary>Where it is measured.</summary>
    public IReadOnlyList<PlannedEvaluation> Evaluations { get; init; } = [];

    /// <summary>Whose meta-gradients are examined.</summary>
    public IReadOnlyList<PlannedDiagnosis> Diagnoses { get; init; } = [];

    /// <summary>All of its runs.</summary>
    public IEnumerable<PlannedRun> Runs => [.. Trainings, .. Evaluations, .. Diagnoses];

    /// <summary>Claims about evaluations.</summary>
    public IReadOnlyList<Claim> Claims { get; init; } = [];

    /// <summary>Claims about diagnoses.</summary>
    public IReadOnlyList<BiasClaim> BiasClaims { get; init; } = [];

    /// <summary>The published numbers.</summary>
    public IReadOnlyList<Published> Published { get; init; } = [];
}

/// <summary>A run of a preset.</summary>
/// <param name="Name">Unique among the runs of its kind.</param>
public abstract record PlannedRun(string Name)
{
    /// <summary>Its specification.</summary>
    public abstract RunSpec Spec { get; }

    /// <summary>
    /// The specification as it is submitted, but for ids that only runs of <paramref name="plan"/> bring about.
    /// </summary>
    public virtual JsonObject Submitted(PresetPlan plan) => SpecReader.Write(Spec);

    /// <summary>Whether the id at a pointer of <paramref name="submitted"/> is such a one.</summary>
    public virtual bool LeavesOpen(JsonObject submitted, string pointer) => false;
}

/// <summary>Meta-trainings that differ in their seeds alone.</summary>
public sealed record PlannedTraining(string Name, TrainingSpec Spec, IReadOnlyList<long> Seeds) : PlannedRun(Name)
{
    /// <summary>Its specification.</summary>
    public override TrainingSpec Spec { get; } = Spec;
}

/// <summary>
/// An evaluation. Its contestants are <paramref name="Spec"/>'s, the baselines, and for every training named in
/// <paramref name="Learned"/> each seed's final checkpoint, under the name "training/seed".
/// </summary>
public sealed record PlannedEvaluation(string Name, string Title, EvaluationSpec Spec, IReadOnlyList<string> Learned)
    : PlannedRun(Name)
{
    /// <summary>Its specification.</summary>
    public override EvaluationSpec Spec { get; } = Spec;

    /// <inheritdoc/>
    /// <remarks>The learned contestants come first.</remarks>
    public override JsonObject Submitted(PresetPlan plan)
    {
        var spec = base.Submitted(plan);
        var learned = from training in plan.Trainings
                      where Learned.Contains(training.Name)
                      from seed in training.Seeds
                      select new JsonObject { ["name"] = $"{training.Name}/{seed}" };
        spec["contestants"] = new JsonArray([.. learned, .. spec["contestants"]!.AsArray().Select(c => c!.DeepClone())]);
        return spec;
    }

    /// <inheritdoc/>
    public override bool LeavesOpen(JsonObject submitted, string pointer) =>
        pointer.Split('/') is ["", "contestants", var at, "checkpoint" or "run"]
        && submitted["contestants"]![int.Parse(at, CultureInfo.InvariantCulture)] is { } contestant
        && contestant["optimizer"] is null;
}

/// <summary>
/// A diagnosis of meta-gradients, once for each seed of the training named <paramref name="Training"/>: with that seed, at its
/// final checkpoint.
/// </summary>
public sealed record PlannedDiagnosis(string Name, string Title, DiagnosisSpec Spec, string Training) : PlannedRun(Name)
{
    /// <summary>Its specification.</summary>
    public override DiagnosisSpec Spec { get; } = Spec;

    /// <inheritdoc/>
    public override bool LeavesOpen(JsonObject submitted, string pointer) => pointer == "/checkpoint";
}

/// <summary>
/// "The bias of <paramref name="Estimator"/> is at most <paramref name="AtMost"/> times as long as that of
/// <paramref name="Than"/>"; each against its own reference, see <see cref="DiagnosisSpec"/>. The mean of the seeds counts.
/// </summary>
/// <param name="Diagnosis">Where.</param>
/// <param name="Estimator">A row of the diagnosis.</param>
/// <param name="Than">Another row.</param>
/// <param name="AtMost">The bound.</param>
public sealed record BiasClaim(string Diagnosis, string Estimator, string Than, double AtMost);

/// <summary>
/// "The mean loss of the best of <paramref name="Learned"/> is at most <paramref name="AtMost"/> times that of the best of
/// <paramref name="Against"/>."
/// </summary>
/// <param name="Evaluation">Where.</param>
/// <param name="Learned">Names of trainings; the best one counts.</param>
/// <param name="Against">Names of baselines.</param>
/// <param name="Step">The loss at this step; null: its average over all steps.</param>
/// <param name="Seeds">How the seeds' ratios become one.</param>
/// <param name="AtMost">The bound.</param>
public sealed record Claim(string Evaluation, IReadOnlyList<string> Learned, IReadOnlyList<string> Against, int? Step,
    Seeds Seeds, double AtMost);

/// <summary>How several seeds' ratios become one.</summary>
public enum Seeds
{
    /// <summary>Their mean.</summary>
    Mean,
    /// <summary>Their median.</summary>
    Median,
    /// <summary>The largest.</summary>
    Worst,
}

/// <summary>A published number.</summary>
/// <param name="Evaluation">Where ours is measured.</param>
/// <param name="Contestant">A training's or a baseline's name.</param>
/// <param name="Step">The loss at this step; null: its average over all steps.</param>
/// <param name="Paper">In the paper, read off its figure.</param>
/// <param name="Code">From the published code or a replication.</param>
/// <param name="Unit">Our loss divided by it is on the published axis.</param>
public sealed record Published(string Evaluation, string Contestant, int? Step, double? Paper, double? Code, double Unit = 1);

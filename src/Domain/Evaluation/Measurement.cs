using System.Text.Json.Nodes;
using MetaOpt.Optimizers;
using MetaOpt.Runs;

namespace MetaOpt.Evaluation;

/// <summary>A run's measurement of optimizers, for leaderboards. Losses of other tasks and horizons cannot be compared.</summary>
/// <param name="Task">The task as it is stored.</param>
/// <param name="Horizon">Inner steps.</param>
/// <param name="Instances">Functions that were measured on.</param>
/// <param name="Notes">What a reader must know to compare the numbers with others.</param>
/// <param name="Standings">One for each optimizer.</param>
public sealed record Measurement(JsonObject Task, int Horizon, int Instances, IReadOnlyList<string> Notes,
    IReadOnlyList<Standing> Standings);

/// <summary>One optimizer that was measured.</summary>
/// <param name="Measured">The numbers.</param>
/// <param name="Identity">The same for the same optimizer in every measurement.</param>
/// <param name="Learner">The run that learned it, where it was named by that.</param>
public sealed record Standing(ContestantResult Measured, string Identity, Guid? Learner);

/// <summary>Optimizers that can be drawn one update at a time.</summary>
/// <param name="Horizon">Inner steps.</param>
/// <param name="Instances">Test instances to draw on.</param>
/// <param name="Optimizers">The optimizers; what they are made of may be gone.</param>
/// <param name="Create">Makes the drawing of those that are there; null rates and bytes mean what their plan says.</param>
public sealed record PortraitPlan(
    int Horizon, int Instances, IReadOnlyList<PlannedSitter> Optimizers,
    Func<IReadOnlyList<(string Name, IOptimizer Rule)>, UpdateResponse> Create);

/// <summary>One optimizer to draw.</summary>
/// <param name="Name">As the result calls it.</param>
/// <param name="Input">The artifact that it is made of; null for a hand-designed one.</param>
/// <param name="Missing">Why it cannot be drawn, or null.</param>
/// <param name="Create">Makes it from the artifact's bytes.</param>
public sealed record PlannedSitter(string Name, InputRef? Input, string? Missing, Func<byte[]?, IOptimizer> Create);

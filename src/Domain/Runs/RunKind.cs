using System.Text.Json;
using MetaOpt.Evaluation;

namespace MetaOpt.Runs;

/// <summary>
/// The catalogue's entry of a kind of run: all that the service, the command line and the dashboard know of it. A kind's name
/// stands in its own folder and nowhere else. What a single run needs of a worker, what it reads and what it costs, its
/// specification says.
/// </summary>
/// <param name="Name">Lower case, words joined by hyphens: <c>kind</c> of a submission.</param>
/// <param name="Summary">One sentence for people.</param>
/// <param name="Spec">The record of its specification, derived from <see cref="RunSpec"/>.</param>
/// <param name="Result">The record of its result, derived from <see cref="RunResult"/>.</param>
/// <param name="Example">A specification that runs as it stands.</param>
public abstract record RunKind(string Name, string Summary, Type Spec, Type Result, RunExample Example)
{
    /// <summary>The dashboard's module that shows its runs: <c>wwwroot/kinds/VIEW.js</c>.</summary>
    public string View { get; init; } = "generic";

    /// <summary>Artifacts that it stores.</summary>
    public IReadOnlyList<Product> Makes { get; init; } = [];

    /// <summary>The field that a fork sets to begin with a stored artifact; null: it always begins anew.</summary>
    public string? Start { get; init; }

    /// <summary>Fields of its specification that name artifacts, wherever they are nested.</summary>
    public IReadOnlyList<(string Field, InputAttribute Input)> Reads => SpecTypes.Inputs(Spec);

    /// <summary>Whether its results rank optimizers on leaderboards.</summary>
    public abstract bool IsRanked { get; }

    /// <summary>Whether the updates of its optimizers can be drawn.</summary>
    public abstract bool HasPortrait { get; }

    /// <summary>Sums a stored result up in one number, for lists; null where it has none.</summary>
    public abstract Headline? HeadlineOf(JsonElement? result);

    /// <summary>
    /// Reads what a run measured of optimizers; null where the rows cannot be read, and <paramref name="reason"/> then says why.
    /// </summary>
    public abstract Measurement? TryMeasure(JsonElement spec, JsonElement? result, out string reason);

    /// <summary>Prepares a drawing of a run's optimizers; null where the result cannot be read.</summary>
    public abstract PortraitPlan? PlanPortrait(RunSpec spec, JsonElement? result);
}

/// <summary>The entry of a kind with typed specification and result.</summary>
/// <inheritdoc cref="RunKind"/>
public sealed record RunKind<TSpec, TResult>(string Name, string Summary, RunExample Example)
    : RunKind(Name, Summary, typeof(TSpec), typeof(TResult), Example)
    where TSpec : RunSpec where TResult : RunResult
{
    /// <summary>Sums a result up in one number, for lists.</summary>
    public Func<TResult, Headline?> Headline { get; init; } = _ => null;

    /// <summary>
    /// Reads what was measured, from the specification as it is stored and the result; null: the kind ranks nothing.
    /// </summary>
    public Func<JsonElement, TResult?, (Measurement? Found, string Reason)>? Measure { get; init; }

    /// <summary>Prepares a drawing of the run's optimizers; null: the kind has none.</summary>
    public Func<TSpec, TResult, PortraitPlan?>? UpdateResponse { get; init; }

    /// <inheritdoc/>
    public override bool IsRanked => Measure is not null;

    /// <inheritdoc/>
    public override bool HasPortrait => UpdateResponse is not null;

    /// <inheritdoc/>
    public override Headline? HeadlineOf(JsonElement? result) => Read(result) is { } read ? Headline(read) : null;

    /// <inheritdoc/>
    public override Measurement? TryMeasure(JsonElement spec, JsonElement? result, out string reason)
    {
        (var found, reason) = Measure is { } measure
            ? measure(spec, Read(result))
            : (null, $"runs of the kind {Name} rank nothing");
        return found;
    }

    /// <inheritdoc/>
    public override PortraitPlan? PlanPortrait(RunSpec spec, JsonElement? result) =>
        UpdateResponse is { } portrait && Read(result) is { } read ? portrait((TSpec)spec, read) : null;

    static TResult? Read(JsonElement? result) => (TResult?)RunResult.TryRead(typeof(TResult), result);
}

/// <summary>A kind of artifact that runs of a kind store as a checkpoint.</summary>
/// <param name="Checkpoint">The checkpoint's name; other runs read the one called <c>final</c>.</param>
/// <param name="Artifact">Kind of the artifact, see <see cref="Artifacts"/>.</param>
public sealed record Product(string Checkpoint, string Artifact);

/// <summary>A submission to learn from.</summary>
/// <param name="Title">Its name in the documentation.</param>
/// <param name="Name">The run's name.</param>
/// <param name="Spec">The specification, JSON.</param>
public sealed record RunExample(string Title, string Name, string Spec);

/// <summary>A run's result in one number.</summary>
public sealed record Headline(string Name, double Value);

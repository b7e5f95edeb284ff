using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MetaOpt.Api.Runs;
using MetaOpt.Storage;

namespace MetaOpt.Api.Schedules;

/// <summary>The body of <c>POST /schedules</c>.</summary>
public sealed record ScheduleRequest : IChecked
{
    /// <summary>The name that its owner gives it.</summary>
    [Length(1, 200)]
    public required string Name { get; init; }

    /// <summary>Five fields: minute, hour, day of month, month, day of week.</summary>
    [Length(1, 100)]
    public required string Cron { get; init; }

    /// <summary>IANA name of the time zone.</summary>
    [Length(1, 90)]
    public string TimeZone { get; init; } = "UTC";

    /// <summary>Missed occurrences that are made up for: all, one (the latest) or none.</summary>
    public MissedOccurrences Missed { get; init; } = MissedOccurrences.One;

    /// <summary>Whether it submits anything.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>The submission of each occurrence, as for POST /runs.</summary>
    public required Submission Run { get; init; }

    /// <summary>The fields that vary, as for POST /runs:batch; left out: one run.</summary>
    [Length(1, 8)]
    public IReadOnlyList<Batch.Axis>? Grid { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check() =>
        [.. Calendar.Check(Cron, TimeZone), .. Grid is null ? [] : new Batch { Run = Run, Grid = Grid }.Check()];
}

/// <summary>The body of <c>PATCH /schedules/{id}</c>: a field that is left out stays.</summary>
public sealed record ScheduleChange : IChecked
{
    /// <inheritdoc cref="ScheduleRequest.Name"/>
    [Length(1, 200)]
    public string? Name { get; init; }

    /// <inheritdoc cref="ScheduleRequest.Cron"/>
    [Length(1, 100)]
    public string? Cron { get; init; }

    /// <inheritdoc cref="ScheduleRequest.TimeZone"/>
    [Length(1, 90)]
    public string? TimeZone { get; init; }

    /// <inheritdoc cref="ScheduleRequest.Missed"/>
    public MissedOccurrences? Missed { get; init; }

    /// <inheritdoc cref="ScheduleRequest.Enabled"/>
    public bool? Enabled { get; init; }

    /// <summary>Replaces what it submits; a grid of before goes with it.</summary>
    public Submission? Run { get; init; }

    /// <inheritdoc cref="ScheduleRequest.Grid"/>
    [Length(1, 8)]
    public IReadOnlyList<Batch.Axis>? Grid { get; init; }

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (Grid is not null && Run is null) return [new("/grid", "needs the run that it varies; give both.")];
        return [.. Calendar.Check(Cron, TimeZone), .. Grid is null ? [] : new Batch { Run = Run!, Grid = Grid }.Check()];
    }
}

/// <summary>A schedule as clients see it. Nothing of it is computed, so no row breaks a list.</summary>
static class ScheduleDocument
{
    public static JsonObject Of(Schedule schedule)
    {
        var document = new JsonObject
        {
            ["id"] = schedule.Id.ToString(),
            ["name"] = schedule.Name,
            ["owner"] = schedule.Owner,
            ["cron"] = schedule.Cron,
            ["timeZone"] = schedule.TimeZone,
            ["missed"] = schedule.Missed.ToString().ToLowerInvariant(),
            ["enabled"] = schedule.Enabled,
            ["createdAt"] = schedule.CreatedAt,
            ["nextAt"] = schedule.NextAt,
            ["lastAt"] = schedule.LastAt,
            ["lastRuns"] = new JsonArray([.. schedule.LastRuns.Select(run => (JsonNode)run.ToString())]),
            ["lastError"] = schedule.LastError,
            ["skipped"] = schedule.Skipped,
        };
        foreach (var part in schedule.Submission.EnumerateObject()) document[part.Name] = JsonNode.Parse(part.Value.GetRawText());
        return document;
    }

    static readonly JsonSerializerOptions s_asSent =
        new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>
    /// The submission of an occurrence, as HTTP takes it: with <c>grid</c> for POST /runs:batch, else its <c>run</c> for POST
    /// /runs.
    /// </summary>
    public static JsonElement SubmissionOf(Submission run, IReadOnlyList<Batch.Axis>? grid) =>
        JsonSerializer.SerializeToElement(new { run, grid }, s_asSent);
}

using System.Text.Json;

namespace MetaOpt.Cli.Client;

/// <summary>Follows a run to its end and shows where it stands.</summary>
public static class RunFollower
{
    /// <summary>Shows progress on <paramref name="line"/>; returns the run as it ended.</summary>
    public static async Task<JsonElement> FollowAsync(ApiClient api, string id, ProgressLine line, CancellationToken cancel)
    {
        var path = $"runs/{Uri.EscapeDataString(id)}";
        var status = RunStatus.Of(await api.GetAsync(path, cancel));
        line.Show(status);
        await foreach (var item in RunStream.FollowAsync(api, id, cancel))
        {
            status = status.After(item);
            // What a waiting run waits for changes with the others in the queue, so it is asked for.
            if (item.Type == "state" && status.State == "queued")
                status = RunStatus.Of(await api.GetAsync(path, cancel)) with { Loss = status.Loss };
            line.Show(status);
        }
        var run = await api.GetAsync(path, cancel);
        line.Finish(RunStatus.Of(run) with { Loss = status.Loss });
        return run;
    }
}

/// <summary>The part of a run that a progress line shows.</summary>
/// <param name="State">queued, running, succeeded, failed or cancelled.</param>
/// <param name="Waiting">Why it waits, when it does.</param>
/// <param name="Phase">What it is doing: <c>train</c>, <c>validate</c>, <c>tune adam</c>.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all; 0 is unknown.</param>
/// <param name="Rate">Units a second.</param>
/// <param name="SecondsLeft">Expected time left.</param>
/// <param name="Loss">Latest meta-loss.</param>
public sealed record RunStatus(
    string State, string? Waiting, string Phase, long Done, long Total, double? Rate, double? SecondsLeft, double? Loss)
{
    /// <summary>Read from a run resource.</summary>
    public static RunStatus Of(JsonElement run)
    {
        var status = new RunStatus(run.Text("state") ?? "queued", null, "", 0, 0, null, null, null);
        if (run.Field("waitingFor") is { } waiting)
            status = status with { Waiting = waiting.Text("reason") };
        return run.Field("progress") is { } progress ? status.WithProgress(progress) : status;
    }

    /// <summary>Brought up to date by an event; events of other kinds change nothing.</summary>
    public RunStatus After(StreamEvent item) => item.Type switch
    {
        "state" => this with { State = item.Data.Text("state") ?? State, Waiting = null },
        "progress" => WithProgress(item.Data) with { State = "running", Waiting = null },
        "point" when LossOf(item.Data) is { } loss => this with { Loss = loss },
        _ => this,
    };

    RunStatus WithProgress(JsonElement progress) => this with
    {
        Phase = progress.Text("phase") ?? "",
        Done = (long)(progress.Number("done") ?? 0),
        Total = (long)(progress.Number("total") ?? 0),
        Rate = progress.Number("stepsPerSecond"),
        SecondsLeft = progress.Number("secondsLeft"),
    };

    static double? LossOf(JsonElement point)
    {
        if (point.Text("series") != "meta-loss")
            return null;
        var last = point.Field("points") is { ValueKind: JsonValueKind.Array } batch
            ? batch.EnumerateArray().LastOrDefault()
            : point;
        return last.Number("value") ?? last.Number("mean");
    }
}

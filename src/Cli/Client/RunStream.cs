using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace MetaOpt.Cli.Client;

/// <summary>One server-sent event of a run: <c>state</c>, <c>progress</c>, <c>point</c> or <c>end</c>.</summary>
/// <param name="Type">The event's name.</param>
/// <param name="Data">Its JSON document.</param>
public sealed record StreamEvent(string Type, JsonElement Data);

/// <summary>Follows a run live.</summary>
public static class RunStream
{
    /// <summary>
    /// Events until <c>end</c>. A broken connection is opened again, after the last event seen, for as long as the server
    /// needs: a restart of the server is not the end of a run.
    /// </summary>
    public static async IAsyncEnumerable<StreamEvent> FollowAsync(
        ApiClient api, string run, [EnumeratorCancellation] CancellationToken cancel)
    {
        var lastId = "";
        var pause = TimeSpan.Zero;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            await Task.Delay(pause, cancel);
            await using var events = ReadAsync(api, run, lastId, cancel).GetAsyncEnumerator(cancel);
            while (await MovesNextAsync(events, cancel))
            {
                pause = TimeSpan.Zero;
                lastId = events.Current.EventId ?? lastId;
                var item = events.Current;
                yield return new StreamEvent(item.EventType, item.Data);
                if (item.EventType == "end")
                    yield break;
            }
            pause = TimeSpan.FromSeconds(Math.Clamp(pause.TotalSeconds * 2, 0.5, 5));
        }
    }

    static async IAsyncEnumerable<SseItem<JsonElement>> ReadAsync(
        ApiClient api, string run, string lastId, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var response = await api.OpenAsync($"runs/{Uri.EscapeDataString(run)}/stream", cancel, "text/event-stream", lastId);
        await using var body = await response.Content.ReadAsStreamAsync(cancel);
        await foreach (var item in SseParser.Create(body, (_, bytes) => Parse(bytes)).EnumerateAsync(cancel))
            yield return item;
    }

    static JsonElement Parse(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? default : JsonElement.Parse(bytes);

    // A refusal (404, 401) is final and passes through; a lost connection only ends this attempt to read.
    static async Task<bool> MovesNextAsync(IAsyncEnumerator<SseItem<JsonElement>> events, CancellationToken cancel)
    {
        try
        {
            return await events.MoveNextAsync();
        }
        catch (Exception e) when (e is HttpRequestException or IOException && !cancel.IsCancellationRequested)
        {
            return false;
        }
        catch (ApiException e) when ((int)e.Status >= 500)
        {
            return false;
        }
    }
}

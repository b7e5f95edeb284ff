using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Runs;
using MetaOpt.Storage;
using MetaOpt.Workers.Data;
using Microsoft.Extensions.Logging;

namespace MetaOpt.Workers.Supervision;

/// <summary>
/// The worker: claims runs for its slots, woken by the database's notifications and, in case one was missed, by the clock.
/// </summary>
/// <param name="settings">How it was started.</param>
/// <param name="host">The program it is.</param>
/// <param name="queue">For claims.</param>
/// <param name="beats">For heartbeats, on connections of their own.</param>
/// <param name="database">For what attempts store.</param>
/// <param name="checkpoints">For what evaluations read.</param>
/// <param name="log">Its log.</param>
sealed class Supervisor(
    WorkerSettings settings, WorkerHost host, RunQueue queue, RunQueue beats, Npgsql.NpgsqlDataSource database,
    CheckpointStore checkpoints, ILogger log)
{
    readonly ConcurrentDictionary<Guid, Heartbeat> _held = new();
    readonly SemaphoreSlim _work = new(0);
    readonly DataFolder _data = new(settings.DataFolder, Execution.Flavour.ReadNetwork);
    readonly JsonObject _facts = new()
    {
        ["commit"] = Commit,
        ["host"] = Environment.MachineName,
        ["os"] = RuntimeInformation.OSDescription,
        ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString(),
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["cores"] = Environment.ProcessorCount,
        ["threads"] = settings.Threads,
        ["devices"] = new JsonArray([.. settings.Devices.Select(d => (JsonNode)d)]),
        ["kernelSets"] = new JsonArray([.. KernelSets.Names.Select(name => (JsonNode)name)]),
    };

    /// <summary>The source this was built from; the SDK bakes it in.</summary>
    public static string Commit =>
        typeof(Supervisor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split(
            '+') is [_, var commit]
            ? commit : "unknown";

    // Asked anew each time: datasets and networks come and go.
    async Task<WorkerIdentity> IdentifyAsync(CancellationToken cancel)
    {
        var facts = (JsonObject)_facts.DeepClone();
        facts["networks"] = await _data.NetworksAsync(
            (name, c) => Execution.Examination.StartAsync(settings.DataFolder, name, c, host.Program), cancel);
        return new(settings.Name, settings.Pool, _data.Names, facts, settings.Slots);
    }

    // Also how soon an expired lease of another worker is noticed.
    TimeSpan Poll => TimeSpan.FromSeconds(Math.Min(5, settings.Lease.TotalSeconds / 3));

    /// <summary>Works until <paramref name="stop"/> fires and every run has been handed back.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        log.Started(settings.Name, settings.Pool, settings.Slots, settings.Threads, string.Join(", ", _data.Names));
        var listening = ListenAsync(stop);
        await Task.WhenAll(Enumerable.Range(0, settings.Slots)
            .Select(slot => Task.Run(() => FillSlotAsync(slot, stop), CancellationToken.None)));
        await listening;
        log.Stopped(settings.Name);
    }

    async Task FillSlotAsync(int slot, CancellationToken stop)
    {
        var (away, full) = (false, false);
        var device = settings.Devices.Count == 0 ? null : new Device(settings.Devices[slot % settings.Devices.Count]);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (device is not null && settings.FreeDeviceMemory > 0 && await device.FreeMemoryAsync(stop) is var free
                    && !(free >= settings.FreeDeviceMemory))
                {
                    if (!full) log.DeviceFull(device.Name, settings.FreeDeviceMemory,
                        free?.ToString(CultureInfo.InvariantCulture) ?? "unknown");
                    full = true;
                    // Claims register the worker; one that claims nothing must not look dead.
                    await queue.RegisterWorkerAsync(await IdentifyAsync(stop), stop);
                    await Task.Delay(Poll, stop);
                    continue;
                }
                full = false;
                var identity = await IdentifyAsync(stop);
                var asked = Stopwatch.GetTimestamp();
                // Not stopped in the middle: a claim that was made must be known here.
                if (await queue.ClaimAsync(identity, settings.Lease, CancellationToken.None) is { } claim)
                    await ExecuteAsync(claim, asked, device, stop);
                else
                    await _work.WaitAsync(Poll, stop);
                away = false;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception trouble)
            {
                database.IsAway(trouble);
                if (!away) log.DatabaseAway(trouble.Message);
                away = true;
                await Task.Delay(TimeSpan.FromSeconds(1), stop).ContinueWith(_ => { }, TaskScheduler.Default);
            }
        }
    }

    async Task ExecuteAsync(Claim claim, long asked, Device? device, CancellationToken stop)
    {
        using var heartbeat = new Heartbeat(beats, claim.Lease, asked, settings.Lease, log);
        _held[claim.Lease.RunId] = heartbeat;
        try
        {
            await new Attempt(claim, heartbeat, new(settings, host, database, checkpoints, _facts, device, log), stop)
                .ExecuteAsync();
        }
        finally
        {
            _held.TryRemove(claim.Lease.RunId, out _);
        }
    }

    async Task ListenAsync(CancellationToken stop)
    {
        try
        {
            await foreach (var change in queue.ListenAsync(stop))
            {
                // What succeeded may have been waited for.
                if (change.State is RunState.Queued or RunState.Succeeded && _work.CurrentCount < settings.Slots) _work.Release();
                // Cancelled, paused, to yield: the next heartbeat says which.
                if (_held.TryGetValue(change.RunId, out var heartbeat)) heartbeat.Wake();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
    }
}

using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Storage;
using MetaOpt.Workers.Execution;
using Microsoft.Extensions.Logging;

namespace MetaOpt.Workers.Supervision;

/// <summary>Inputs of an attempt besides its claim.</summary>
sealed record AttemptServices(
    WorkerSettings Settings, WorkerHost Host, Npgsql.NpgsqlDataSource Database, CheckpointStore Checkpoints, JsonObject Facts,
    Device? Device, ILogger Log);

/// <summary>
/// One attempt at a run: a child computes, the recorder stores, and at the end the run is finished or given up.
/// </summary>
sealed class Attempt(Claim claim, Heartbeat heartbeat, AttemptServices services, CancellationToken stopping)
{
    const long BufferBytes = 64 << 20;

    readonly LeasedRun _run = new(services.Database, claim.Lease);
    readonly ILogger _log = services.Log;
    readonly AttemptLog _said = new();
    bool _childDied;

    WorkerSettings Settings => services.Settings;

    /// <summary>Executes it to whatever end. Never throws for what happens to the run.</summary>
    public async Task ExecuteAsync()
    {
        // A stopping worker stores what there is, but waits for no database that stays away.
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(heartbeat.Lost);
        using var hurry = stopping.Register(() => giveUp.CancelAfter(Settings.Grace + TimeSpan.FromSeconds(10)));
        var recorder = new Recorder(_run, heartbeat, _log);
        try
        {
            await LeaveAsync(recorder, await ComputeAsync(recorder, giveUp.Token), giveUp.Token);
        }
        catch (SpecException wrong)
        {
            await TryLeaveAsync(recorder, new Ending.Failed(new("invalid-spec", wrong.Message)), giveUp.Token);
        }
        catch (Exception lost)
            when (lost is LeaseLostException || lost is OperationCanceledException && giveUp.IsCancellationRequested)
        {
            _log.RunLost(claim.Lease.RunId);
            // A write may hear of it before the next heartbeat does.
            if ((lost is LeaseLostException || heartbeat.Lost.IsCancellationRequested) && !_childDied) await ReportCutOffAsync();
        }
        catch (Exception fault)
        {
            _log.AttemptFault(fault, claim.Lease.RunId);
            await TryLeaveAsync(recorder,
                new Ending.Died($"worker {claim.Lease.Worker}: {fault.GetType().Name}: {fault.Message}"), giveUp.Token);
        }
    }

    /// <summary>How an attempt ends, when the run is still ours.</summary>
    abstract record Ending
    {
        public sealed record Succeeded(JsonObject Result) : Ending;
        public sealed record Failed(RunError Error) : Ending;
        public sealed record Cancelled : Ending;
        public sealed record HandedBack : Ending;
        public sealed record Died(string Reason) : Ending;
    }

    async Task<Ending> ComputeAsync(Recorder recorder, CancellationToken cancel)
    {
        var facts = (JsonObject)services.Facts.DeepClone();
        if (services.Device is { } device) facts["device"] = device.Name;
        var resume = await recorder.StoreAsync(c => _run.BeginAttemptAsync(facts, c), cancel);
        _said.Say($"worker {claim.Lease.Worker}: attempt {claim.Attempt} starts "
            + (resume is null ? "at the beginning" : $"after step {resume.Step}"));
        _log.AttemptStarted(claim.Lease.RunId, claim.Attempt, resume?.Step);
        var inputs = await ReadCheckpointsAsync(recorder, cancel);
        if (inputs.Missing is { } missing) return new Ending.Failed(missing);
        if (stopping.IsCancellationRequested) return new Ending.HandedBack();

        await using var child = ChildProcess.Start(services.Device?.Name, line =>
        {
            if (_said.Print(line)) _log.ChildSaid(claim.Lease.RunId, line);
        }, services.Host.Program);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var kill = cancel.Register(child.Kill);
        var buffer = new EventBuffer(BufferBytes);
        var reading = child.ReadAsync(buffer, ended.Token);
        var job = new Job(claim.Kind, claim.Spec, Settings.Threads, Settings.DataFolder, Settings.ResumeInterval.TotalSeconds,
            Settings.Lease.TotalSeconds);
        var living = Task.Run(async () =>
        {
            await child.FeedAsync(job, resume?.Bytes, inputs.Checkpoints, ended.Token);
            await child.KeepAliveAsync(Settings.Lease / 3, ended.Token);
        });
        var logging = _said.KeepStoringAsync(lines => StoreLogAsync(recorder, lines, cancel), ended.Token);
        var tooLarge = Settings.Memory > 0
            ? child.WatchMemoryAsync((long)Settings.Memory << 20, ended.Token)
            : Task.FromResult(false);
        // Watched only now: a request that came earlier fires at once.
        using var stop = stopping.Register(() => _ = child.StopAsync(Settings.Grace));
        using var asked = CancellationTokenSource.CreateLinkedTokenSource(heartbeat.CancelRequested, heartbeat.YieldRequested,
            heartbeat.OutOfTime);
        using var ask = asked.Token.Register(() => _ = child.StopAsync(Settings.Grace));
        try
        {
            await recorder.RecordAsync(buffer, cancel);
            var exitCode = await child.ExitAsync();
            await ended.CancelAsync();
            if (await tooLarge)
                return new Ending.Failed(new("out-of-memory",
                    $"The run took more than the {Settings.Memory} MiB that this worker allows; lower what it holds at once "
                    + "(metaBatch, unroll, instances, the task's size), or use a worker with a larger --memory-mb."));
            return Judge(recorder, child, exitCode);
        }
        finally
        {
            await ended.CancelAsync();
            child.Kill();
            _childDied = child.Died;
            await Task.WhenAll(reading, logging.ContinueWith(_ => { }, TaskScheduler.Default),
                living.ContinueWith(_ => { }, TaskScheduler.Default));
        }
    }

    Task StoreLogAsync(Recorder recorder, IReadOnlyList<string> lines, CancellationToken cancel) =>
        recorder.StoreAsync(c => _run.AppendLogAsync(claim.Attempt, lines, c), cancel);

    Ending Judge(Recorder recorder, ChildProcess child, int exitCode)
    {
        // Its last frame: what comes after it, such as a request to stop, changes nothing.
        if (recorder.Result is { } result && !child.Died) return new Ending.Succeeded(result);
        if (recorder.Failure is { Kind: FailureKind.User } wrong) return new Ending.Failed(new("invalid-spec", wrong.Detail));
        if (recorder.Failure is { Kind: FailureKind.Diverged } diverged)
            return new Ending.Failed(new("diverged", diverged.Detail));
        if (heartbeat.CancelRequested.IsCancellationRequested) return new Ending.Cancelled();
        if (heartbeat.OutOfTime.IsCancellationRequested)
            return new Ending.Failed(new("time-limit",
                "The run used up its time limit. Its resume point is kept: raise the limit and retry it."));
        if (child.WasStopped && recorder.Failure is null) return new Ending.HandedBack();
        return new Ending.Died(recorder.Failure is { } fault
            ? $"{fault.Detail} ({child.DescribeWithLog(exitCode)})"
            : child.DescribeWithLog(exitCode));
    }

    async Task<(List<(Guid, byte[])> Checkpoints, RunError? Missing)> ReadCheckpointsAsync(Recorder recorder,
        CancellationToken cancel)
    {
        List<(Guid, byte[])> inputs = [];
        var spec = services.Host.Kinds.Read(claim.Kind, claim.Spec);
        try
        {
            foreach (var (pointer, id, _, source) in spec.FindInputs().DistinctBy(i => i.Id))
                if (source == InputSource.Checkpoint)
                    inputs.Add((id,
                        await ReadAsync(id,
                            $"{pointer}: checkpoint {id} was deleted after the run was submitted; name another.")));
                else
                {
                    var final = await recorder.StoreAsync(c => services.Checkpoints.FindFinalAsync(id, c), cancel);
                    inputs.Add((id, await ReadAsync(final?.Id, $"{pointer}: run {id} has no final checkpoint; name another.")));
                }
            return (inputs, null);
        }
        catch (KeyNotFoundException missing)
        {
            return ([], new("checkpoint-missing", missing.Message));
        }

        async Task<byte[]> ReadAsync(Guid? id, string otherwise)
        {
            try
            {
                if (id is { } there) return await recorder.StoreAsync(c => services.Checkpoints.ReadAllAsync(there, c), cancel);
            }
            catch (KeyNotFoundException)
            {
            }
            throw new KeyNotFoundException(otherwise);
        }
    }

    async Task LeaveAsync(Recorder recorder, Ending ending, CancellationToken cancel)
    {
        var name = ending.GetType().Name.ToLowerInvariant();
        _said.Say($"worker {claim.Lease.Worker}: attempt {claim.Attempt} ended: " + ending switch
        {
            Ending.Died(var reason) => $"died: {reason}",
            Ending.Failed(var error) => $"failed: {error.Code}: {error.Detail}",
            _ => name,
        });
        await _said.StoreAsync(lines => StoreLogAsync(recorder, lines, cancel));
        await recorder.StoreAsync(c => ending switch
        {
            Ending.Succeeded(var result) => _run.FinishAsync(RunState.Succeeded, result, null, c),
            Ending.Failed(var error) => _run.FinishAsync(RunState.Failed, null, error, c),
            Ending.Cancelled => _run.FinishAsync(RunState.Cancelled, null, null, c),
            Ending.HandedBack => _run.HandBackAsync(c),
            Ending.Died(var reason) => _run.ReportDeathAsync(reason, c),
            _ => throw new InvalidOperationException(name),
        }, cancel);
        if (ending is Ending.Died died)
            _log.AttemptDied(claim.Lease.RunId, claim.Attempt, died.Reason);
        else
            _log.AttemptEnded(claim.Lease.RunId, claim.Attempt, name);
    }

    async Task ReportCutOffAsync()
    {
        try
        {
            await heartbeat.ReportCutOffAsync();
        }
        catch (Exception trouble) when (DatabaseOutage.Is(trouble))
        {
            _log.CutOffUnsaid(claim.Lease.RunId, trouble.Message);
        }
    }

    async Task TryLeaveAsync(Recorder recorder, Ending ending, CancellationToken cancel)
    {
        try
        {
            await LeaveAsync(recorder, ending, cancel);
        }
        catch (Exception trouble) when (trouble is LeaseLostException or OperationCanceledException || DatabaseOutage.Is(trouble))
        {
            // Then the lease runs out, and another worker goes on.
            _log.RunLost(claim.Lease.RunId);
        }
    }
}

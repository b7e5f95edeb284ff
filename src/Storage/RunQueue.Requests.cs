using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MetaOpt.Runs;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

// What people ask for.
public sealed partial class RunQueue
{
    // Any constant will do, as long as nobody else in the database uses it. Held while it is looked whether a run's inputs are
    // there, until the run is stored: nobody deletes them in between.
    const long InputsLock = 0x6d6574616f707404;
    const long QuotaLock = 0x6d6574616f707405;

    /// <summary>Stores a validated submission as queued.</summary>
    /// <exception cref="IdempotencyConflictException">Its key was used for another submission.</exception>
    /// <exception cref="MissingInputException">What it needs was deleted.</exception>
    /// <exception cref="QuotaExceededException">The owner has as many waiting runs or as much stored as they may.</exception>
    public async Task<Guid> SubmitAsync(NewRun run, AuditEvent audit, CancellationToken cancel) =>
        (await SubmitAsync([run], audit, cancel))[0];

    /// <summary>
    /// The same for several, all or none; their ids in order. One line of the audit trail, of the first unless it names a
    /// subject.
    /// </summary>
    public async Task<IReadOnlyList<Guid>> SubmitAsync(IReadOnlyList<NewRun> runs, AuditEvent audit, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await RequireInputsAsync(connection, [.. runs.SelectMany(r => r.After).Distinct()],
            [.. runs.SelectMany(r => r.Inputs).Distinct()], cancel);
        foreach (var owner in runs.GroupBy(r => r.Owner)) await RequireQuotaAsync(connection, owner.Key, owner.Count(), cancel);
        var ids = new List<Guid>();
        // Lists are in order of ids, whose time counts milliseconds: one for each run keeps a grid's order, and the database's
        // clock that of several servers.
        await using var clock = connection.Command("select clock_timestamp()");
        var now = new DateTimeOffset((DateTime)(await clock.ExecuteScalarAsync(cancel))!);
        var made = false;
        foreach (var run in runs)
        {
            var newId = Guid.CreateVersion7(now.AddMilliseconds(ids.Count));
            ids.Add(await SubmitAsync(connection, run, newId, cancel));
            made |= ids[^1] == newId;
        }
        // A repetition makes nothing.
        if (made) await (audit.Subject.Length > 0 ? audit : audit with { Subject = ids[0].ToString() })
            .RecordAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return ids;
    }

    static async Task<Guid> SubmitAsync(NpgsqlConnection connection, NewRun run, Guid newId, CancellationToken cancel)
    {
        var spec = run.Spec.ToJsonString();
        // Without what differs from one repetition to the next.
        var request = Sha256(JsonSerializer.Serialize(run with { Batch = null }));
        await using var insert = connection.Command(Sql.Submit,
            ("id", newId), ("kind", run.Kind), ("name", run.Name), ("tags", run.Tags.ToArray()),
            ("notes", run.Notes), ("owner", run.Owner), ("pool", run.Pool), ("priority", run.Priority),
            Json("spec", spec), ("spec_sha256", Sha256(spec)), ("required_dataset", run.RequiredDataset),
            ("max_deaths", run.MaxDeaths), ("not_before", run.NotBefore?.ToUniversalTime()),
            ("time_limit", run.TimeLimit), ("after", run.After.Distinct().ToArray()), ("inputs", run.Inputs.Distinct().ToArray()),
            ("batch", run.Batch),
            ("forked_from", run.ForkedFrom), ("idempotency_key", run.IdempotencyKey), ("request_sha256", request));
        if (await insert.ExecuteScalarAsync(cancel) is Guid id)
            return id;
        await using var find = connection.Command(
            "select id, request_sha256 from runs where owner = @owner and idempotency_key = @key",
            ("owner", run.Owner), ("key", run.IdempotencyKey));
        await using var reader = await find.ExecuteReaderAsync(cancel);
        return await reader.ReadAsync(cancel) && reader.GetString(1) == request
            ? reader.GetGuid(0)
            : throw new IdempotencyConflictException(run.IdempotencyKey!);
    }

    /// <summary>
    /// Cancels a queued run at once, asks for it when it runs, changes nothing on a final one. The state it is in now; null: no
    /// such run.
    /// </summary>
    public async Task<RunState?> RequestCancelAsync(Guid runId, AuditEvent audit, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using var request = connection.Command(Sql.Cancel, ("id", runId));
        if (await request.ExecuteScalarAsync(cancel) is string state)
        {
            await audit.RecordAsync(connection, cancel);
            await transaction.CommitAsync(cancel);
            return Enum.Parse<RunState>(state, true);
        }
        await using var find = connection.Command("select state from runs where id = @id", ("id", runId));
        return await find.ExecuteScalarAsync(cancel) is string final ? Enum.Parse<RunState>(final, true) : null;
    }

    /// <summary>
    /// Queues a failed or cancelled run again as itself: it goes on from its resume point. False when it is in another state.
    /// </summary>
    /// <exception cref="MissingInputException">What it needs was deleted.</exception>
    public async Task<bool> RetryAsync(Guid runId, AuditEvent audit, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        var (owner, after, inputs) = ("", Array.Empty<Guid>(), Array.Empty<Guid>());
        await using (var read = connection.Command("select owner, after, inputs from runs where id = @id", ("id", runId)))
        await using (var reader = await read.ExecuteReaderAsync(cancel))
        {
            if (!await reader.ReadAsync(cancel)) return false;
            (owner, after, inputs) = (reader.GetString(0), reader.GetFieldValue<Guid[]>(1), reader.GetFieldValue<Guid[]>(2));
        }
        await RequireInputsAsync(connection, after, inputs, cancel);
        await RequireQuotaAsync(connection, owner, 1, cancel);
        await using var retry = connection.Command(Sql.Retry, ("id", runId));
        var retried = await retry.ExecuteScalarAsync(cancel) is not null;
        if (retried) await audit.RecordAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return retried;
    }

    /// <summary>
    /// Keeps a run from being claimed; a running one is handed back at its next resume point. False: it is in another state.
    /// </summary>
    public Task<bool> PauseAsync(Guid runId, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "update runs set paused = true where id = @id and state in ('queued', 'running')",
            ("id", runId));

    /// <summary>Lets a paused run go on. False: it was not paused.</summary>
    public Task<bool> ResumeAsync(Guid runId, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "update runs set paused = false where id = @id and paused", ("id", runId));

    /// <summary>
    /// Has a running run handed back at its next resume point, to the end of the queue. False: it is not running.
    /// </summary>
    public Task<bool> YieldAsync(Guid runId, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "update runs set yield_requested = true where id = @id and state = 'running'",
            ("id", runId));

    /// <summary>
    /// Changes what a run is called and how it goes on. False: it is not there, or not in this version any more.
    /// </summary>
    public Task<bool> EditAsync(Guid runId, RunEdit edit, long? version, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, Sql.EditRun, ("id", runId), ("version", version), ("name", edit.Name),
            ("tags", edit.Tags?.ToArray()),
            ("notes", edit.Notes), ("priority", edit.Priority), ("time_limit", edit.TimeLimit));

    /// <summary>Whether a worker claims runs; one that drains finishes those it has. False: no such worker.</summary>
    public Task<bool> DrainAsync(string worker, bool drain, AuditEvent audit, CancellationToken cancel) =>
        audit.DoAsync(dataSource, cancel, "update workers set draining = @drain where name = @name", ("drain", drain),
            ("name", worker));

    /// <summary>Deletes a final run with all it made, unless a run that waits or runs needs it.</summary>
    public async Task<Deletion> DeleteAsync(Guid runId, AuditEvent audit, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await LockInputsAsync(connection, "", cancel);
        var deletion = Deletion.Unknown;
        await using (var delete = connection.Command(Sql.DeleteRun, ("id", runId)))
        await using (var reader = await delete.ExecuteReaderAsync(cancel))
            if (await reader.ReadAsync(cancel))
                deletion = (reader.GetBoolean(0), reader.GetBoolean(1), reader.GetBoolean(2)) switch
                {
                    (false, _, _) => Deletion.NotFinal,
                    (_, true, _) => Deletion.Needed,
                    (_, _, true) => Deletion.Promoted,
                    _ => Deletion.Deleted,
                };
        if (deletion == Deletion.Deleted) await audit.RecordAsync(connection, cancel);
        await transaction.CommitAsync(cancel);
        return deletion;
    }

    static async Task RequireQuotaAsync(NpgsqlConnection connection, string owner, int more, CancellationToken cancel)
    {
        // One submission of an owner after the other: two at once would both find room.
        await using (var take = connection.Command("select pg_advisory_xact_lock(hashtextextended(@owner, @lock))",
            ("owner", owner), ("lock", QuotaLock)))
            await take.ExecuteNonQueryAsync(cancel);
        await using var look = connection.Command(Sql.QuotaOfSubmission, ("owner", owner), ("more", more));
        if (await look.ExecuteScalarAsync(cancel) is string exceeded) throw new QuotaExceededException(owner, exceeded);
    }

    static async Task RequireInputsAsync(NpgsqlConnection connection, Guid[] after, Guid[] inputs, CancellationToken cancel)
    {
        if (after.Length + inputs.Length == 0) return;
        await LockInputsAsync(connection, "_shared", cancel);
        await using var look = connection.Command(Sql.MissingInputs, ("after", after), ("inputs", inputs));
        await using var reader = await look.ExecuteReaderAsync(cancel);
        var missing = new List<Guid>();
        while (await reader.ReadAsync(cancel)) missing.Add(reader.GetGuid(0));
        if (missing.Count > 0) throw new MissingInputException(missing);
    }

    internal static async Task LockInputsAsync(NpgsqlConnection connection, string mode, CancellationToken cancel)
    {
        // A statement of its own: the next one then sees what the previous holder committed.
        await using var take = connection.Command($"select pg_advisory_xact_lock{mode}(@lock)", ("lock", InputsLock));
        await take.ExecuteNonQueryAsync(cancel);
    }

    static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

using System.Data;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using Npgsql;
using static MetaOpt.Storage.Commands;

namespace MetaOpt.Storage;

/// <summary>How a fenced transaction holds the run's row: nobody else can take the lease away until it commits.</summary>
enum Fence
{
    /// <summary>For writes to other tables; several at once are fine.</summary>
    Share,
    /// <summary>
    /// For a change of the row itself. Taken at once: two sharers who both went on to change it would deadlock.
    /// </summary>
    Update,
}

/// <summary>
/// The writes of a lease's holder for its run. Every method is one short transaction (a large blob: one for each chunk) that
/// first locks the run's row if it is still this lease's; otherwise nothing is written and <see cref="LeaseLostException"/> is
/// thrown. Each may be repeated after a lost connection: nothing is written twice (a run that was left already answers with
/// that exception).
/// </summary>
public sealed partial class LeasedRun(NpgsqlDataSource dataSource, Lease lease)
{
    static readonly JsonSerializerOptions CamelCase = new(JsonSerializerDefaults.Web);

    /// <summary>The lease it writes under.</summary>
    public Lease Lease => lease;

    /// <summary>Where it writes.</summary>
    public NpgsqlDataSource Database => dataSource;

    /// <summary>
    /// First write of an attempt: stores its <paramref name="facts"/>, deletes all points after the newest resume point (all,
    /// if there is none) and returns that.
    /// </summary>
    public async Task<StoredResumePoint?> BeginAttemptAsync(JsonObject facts, CancellationToken cancel) =>
        await FencedAsync(Fence.Share, async connection =>
        {
            var resume = await ReadResumePointAsync(connection, cancel);
            var series = await SeriesOfRunAsync(connection, cancel);
            var keepBelow = resume is null ? 0 : resume.Step + 1;
            await RewriteSeriesAsync(connection, [.. series.Values.Select(id => (id, keepBelow))], null, cancel);
            await using var begin = connection.Command(Sql.BeginAttempt,
                Json("facts", facts.ToJsonString()), ("step", resume?.Step), ("id", lease.RunId), ("token", lease.Token));
            await begin.ExecuteNonQueryAsync(cancel);
            return resume;
        }, cancel);

    /// <summary>Adds to the facts of the attempt; a name that is there already is replaced.</summary>
    public async Task AddFactsAsync(JsonObject facts, CancellationToken cancel) =>
        await FencedAsync(Fence.Share, async connection =>
        {
            await using var add = connection.Command(
                "update attempts set facts = facts || @facts where run_id = @id and token = @token",
                Json("facts", facts.ToJsonString()), ("id", lease.RunId), ("token", lease.Token));
            return await add.ExecuteNonQueryAsync(cancel);
        }, cancel);

    /// <summary>Replaces what users see of how far it is.</summary>
    public async Task SetProgressAsync(RunProgress progress, CancellationToken cancel) =>
        await FencedAsync(Fence.Update, async connection =>
        {
            // JSON has no infinity, and the first measurement of a speed may be one.
            if (!double.IsFinite(progress.StepsPerSecond) || progress.SecondsLeft is { } left && !double.IsFinite(left))
                progress = progress with { StepsPerSecond = 0, SecondsLeft = null };
            await using var set = connection.Command("update runs set progress = @progress where id = @id",
                Json("progress", JsonSerializer.Serialize(progress, CamelCase)), ("id", lease.RunId));
            return await set.ExecuteNonQueryAsync(cancel);
        }, cancel);

    /// <summary>Last write: the run reaches a final state. <see cref="RunState.Failed"/> needs an error.</summary>
    public async Task FinishAsync(RunState final, JsonObject? result, RunError? error, CancellationToken cancel)
    {
        if (!final.IsFinal() || (final == RunState.Failed) != (error is not null))
            throw new ArgumentException(
                $"A run finishes as succeeded or cancelled, or as failed with an "
                + $"error; not {final} with {error?.Code ?? "none"}.");
        await LeaveAsync(Sql.Finish, cancel, ("state", final.ToString().ToLowerInvariant()),
            Json("result", result?.ToJsonString()), ("error_code", error?.Code), ("error_detail", error?.Detail));
    }

    /// <summary>The worker stops: back to queued, not counted as a death. With a cancel request it is cancelled.</summary>
    public async Task HandBackAsync(CancellationToken cancel) => await LeaveAsync(Sql.HandBack, cancel);

    /// <summary>
    /// The child died: queued again, or failed at the third death (<see cref="NewRun.MaxDeaths"/>) in a row without a new
    /// resume point.
    /// </summary>
    public async Task ReportDeathAsync(string reason, CancellationToken cancel) =>
        await LeaveAsync(Sql.Die, cancel, ("reason", reason));

    async Task LeaveAsync(string sql, CancellationToken cancel, params (string, object?)[] parameters) =>
        await FencedAsync(Fence.Update, async connection =>
        {
            await using var charge = connection.Command(Sql.Charge, ("id", lease.RunId), ("token", lease.Token));
            await charge.ExecuteNonQueryAsync(cancel);
            await using var leave = connection.Command(sql, [("id", lease.RunId), ("token", lease.Token), .. parameters]);
            return await leave.ExecuteNonQueryAsync(cancel);
        }, cancel);

    async Task<T> FencedAsync<T>(Fence fence, Func<NpgsqlConnection, Task<T>> write, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(cancel);
            if (!await FenceAsync(connection, lease, fence, cancel))
                throw new LeaseLostException(lease);
            var result = await write(connection);
            await transaction.CommitAsync(cancel);
            return result;
        }
        catch (Exception error)
            when (connection.State != ConnectionState.Open && error is not OperationCanceledException
                && !DatabaseOutage.Is(error))
        {
            // Whoever was in the middle of a COPY hears of the state of the COPY, not of the connection that broke.
            throw new NpgsqlException("The connection to the database broke.", error);
        }
    }

    /// <summary>
    /// First statement of a fenced transaction: whether the run is still this lease's. From then on nobody can take it away, so a
    /// worker that stops in the middle must not hold it: the database ends its transaction.
    /// </summary>
    internal static async Task<bool> FenceAsync(NpgsqlConnection connection, Lease lease, Fence fence, CancellationToken cancel)
    {
        var strength = fence == Fence.Share ? "share" : "no key update";
        await using var check = connection.Command(
            $"""
            set local idle_in_transaction_session_timeout = '5s';
            select 1 from runs where id = @id and lease_token = @token and state = 'running' for {strength}
            """, ("id", lease.RunId), ("token", lease.Token));
        return await check.ExecuteScalarAsync(cancel) is not null;
    }
}

using Npgsql;

namespace MetaOpt.Storage;

/// <summary>For how long what ended runs left is kept; null: for ever.</summary>
/// <param name="ResumePoints">Of failed and cancelled runs: then a retry begins at the beginning.</param>
/// <param name="Logs">Their lines.</param>
/// <param name="Series">Trajectories, with their summaries.</param>
/// <param name="Checkpoints">Those that nobody promoted and no waiting or running run reads.</param>
public sealed record RetentionPeriods(TimeSpan? ResumePoints, TimeSpan? Logs, TimeSpan? Series, TimeSpan? Checkpoints);

/// <summary>Takes away what is older than anybody needs.</summary>
public sealed class Retention(NpgsqlDataSource dataSource)
{
    // Any constant will do, as long as nobody else in the database uses it.
    const long Lock = 0x6d6574616f707406;

    /// <summary>One sweep; how many runs lost something. Of several servers one sweeps, the others return 0.</summary>
    public async Task<long> SweepAsync(RetentionPeriods periods, CancellationToken cancel)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using (var take = connection.Command("select pg_try_advisory_xact_lock(@lock)", ("lock", Lock)))
            if (await take.ExecuteScalarAsync(cancel) is not true) return 0;
        // Nobody asks for a checkpoint between the look and the deletion.
        await RunQueue.LockInputsAsync(connection, "", cancel);
        await using var sweep = connection.Command(Sql.Sweep, ("resume_points", periods.ResumePoints), ("logs", periods.Logs),
            ("series", periods.Series), ("checkpoints", periods.Checkpoints));
        var swept = (long)(await sweep.ExecuteScalarAsync(cancel))!;
        await transaction.CommitAsync(cancel);
        return swept;
    }

    /// <summary>
    /// Deletes sessions that ended a week ago, and tokens that expired or were revoked 90 days ago and have no session left; how
    /// many.
    /// </summary>
    public async Task<int> DeleteEndedTokensAsync(CancellationToken cancel)
    {
        await using var sessions = dataSource.Command(
            "delete from tokens where session_of is not null and least(expires_at, revoked_at) < now() - interval '7 days'");
        await using var tokens = dataSource.Command(
            """
            delete from tokens t where session_of is null and least(expires_at, revoked_at) < now() - interval '90 days'
              and not exists (select 1 from tokens s where s.session_of = t.id)
            """);
        return await sessions.ExecuteNonQueryAsync(cancel) + await tokens.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Deletes workers that were not seen for 30 days; how many.</summary>
    public async Task<int> DeleteStaleWorkersAsync(CancellationToken cancel)
    {
        await using var delete = dataSource.Command("delete from workers where last_seen_at < now() - interval '30 days'");
        return await delete.ExecuteNonQueryAsync(cancel);
    }
}

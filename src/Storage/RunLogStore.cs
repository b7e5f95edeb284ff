using Npgsql;

namespace MetaOpt.Storage;

/// <summary>A line of a run's log.</summary>
/// <param name="Seq">Grows along a run; not by one.</param>
/// <param name="Attempt">Whose it is.</param>
/// <param name="At">When the worker stored it.</param>
/// <param name="Text">What was said.</param>
public sealed record RunLogLine(long Seq, int Attempt, DateTimeOffset At, string Text);

/// <summary>Reads runs' logs; they are written by <see cref="LeasedRun.AppendLogAsync"/>.</summary>
public sealed class RunLogStore(NpgsqlDataSource dataSource)
{
    /// <summary>
    /// The first <paramref name="limit"/> lines after the line <paramref name="after"/>, of one attempt or (null) of all.
    /// </summary>
    public async Task<IReadOnlyList<RunLogLine>> ReadAsync(Guid runId, int? attempt, long after, int limit,
        CancellationToken cancel)
    {
        await using var read = dataSource.Command(
            """
            select seq, attempt, at, text from run_logs
            where run_id = @run and seq > @after and (@attempt::int is null or attempt = @attempt) order by seq limit @limit
            """, ("run", runId), ("after", after), ("attempt", attempt), ("limit", limit));
        await using var reader = await read.ExecuteReaderAsync(cancel);
        var lines = new List<RunLogLine>();
        while (await reader.ReadAsync(cancel))
            lines.Add(new(reader.GetInt64(0), reader.GetInt32(1), reader.GetFieldValue<DateTimeOffset>(2), reader.GetString(3)));
        return lines;
    }
}

using MetaOpt.Runs;
using Npgsql;
using NpgsqlTypes;

namespace MetaOpt.Storage;

public sealed partial class LeasedRun
{
    /// <summary>
    /// Appends points by binary COPY and brings the roll-ups up to date. The steps of a series strictly increase over the run,
    /// so points at or after the first of a series in <paramref name="points"/> are an earlier try of the same call, and are
    /// replaced.
    /// </summary>
    public async Task AppendPointsAsync(IReadOnlyList<RunEvent.Point> points, CancellationToken cancel)
    {
        if (points.Count == 0)
            return;
        var first = points.GroupBy(p => p.Series).ToDictionary(g => g.Key, g => g.Min(p => p.Step));
        await FencedAsync(Fence.Share, async connection =>
        {
            await using var add = connection.Command(Sql.AddSeries, ("id", lease.RunId), ("names", first.Keys.ToArray()));
            await add.ExecuteNonQueryAsync(cancel);
            var ids = await SeriesOfRunAsync(connection, cancel);
            await RewriteSeriesAsync(connection, [.. first.Select(f => (ids[f.Key], f.Value))],
                () => CopyAsync(connection, points, ids, cancel), cancel);
            return points.Count;
        }, cancel);
    }

    static async Task CopyAsync(
        NpgsqlConnection connection, IReadOnlyList<RunEvent.Point> points, Dictionary<string, long> ids, CancellationToken cancel)
    {
        await using var copy = await connection.BeginBinaryImportAsync(
            "copy series_points (series_id, step, value) from stdin (format binary)", cancel);
        foreach (var point in points)
        {
            await copy.StartRowAsync(cancel);
            await copy.WriteAsync(ids[point.Series], NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(point.Step, NpgsqlDbType.Bigint, cancel);
            await copy.WriteAsync(point.Value, NpgsqlDbType.Double, cancel);
        }
        await copy.CompleteAsync(cancel);
    }

    /// <summary>Cuts each series from its step on, writes what comes instead, and makes the roll-ups again from there.</summary>
    static async Task RewriteSeriesAsync(
        NpgsqlConnection connection, IReadOnlyList<(long Series, long From)> from, Func<Task>? write, CancellationToken cancel)
    {
        if (from.Count == 0)
            return;
        var (series, steps) = (from.Select(f => f.Series).ToArray(), from.Select(f => f.From).ToArray());
        foreach (var sql in new[] { Sql.CutSeries, Sql.RollUpPoints, Sql.RollUpRollups })
        {
            await using var command = connection.Command(sql, ("series", series), ("from", steps));
            await command.ExecuteNonQueryAsync(cancel);
            if (sql == Sql.CutSeries && write is not null)
                await write();
        }
    }

    async Task<Dictionary<string, long>> SeriesOfRunAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var read = connection.Command(Sql.SeriesOfRun, ("id", lease.RunId));
        await using var reader = await read.ExecuteReaderAsync(cancel);
        var ids = new Dictionary<string, long>();
        while (await reader.ReadAsync(cancel))
            ids.Add(reader.GetString(1), reader.GetInt64(0));
        return ids;
    }
}

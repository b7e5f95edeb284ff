using Npgsql;

namespace MetaOpt.Storage;

/// <summary>A series of a run.</summary>
/// <param name="Name">For example <c>meta-loss</c>.</param>
/// <param name="Count">Points.</param>
/// <param name="Diverged">Those that are NaN, infinite or beyond 1e300.</param>
/// <param name="LastStep">Step of the last point, null when there is none.</param>
/// <param name="LastValue">Its value; null when it diverged.</param>
public sealed record SeriesInfo(string Name, long Count, long Diverged, long? LastStep, double? LastValue);

/// <summary>
/// Points of steps <paramref name="Step"/> to <paramref name="LastStep"/>; a single point when <paramref name="Count"/> is 1.
/// </summary>
/// <param name="Step">First step.</param>
/// <param name="LastStep">Last step, inclusive.</param>
/// <param name="Min">Smallest finite value; null when all diverged.</param>
/// <param name="Max">Largest finite value.</param>
/// <param name="Mean">Mean of the finite values.</param>
/// <param name="Count">Points, diverged ones included.</param>
/// <param name="Diverged">Points that are NaN, infinite or beyond 1e300.</param>
public sealed record SeriesBucket(long Step, long LastStep, double? Min, double? Max, double? Mean, long Count, long Diverged);

/// <summary>A range of a series: points as they are when <paramref name="Raw"/>, else buckets.</summary>
public sealed record SeriesData(string Name, bool Raw, IReadOnlyList<SeriesBucket> Buckets);

/// <summary>Reads trajectories; they are written by <see cref="LeasedRun.AppendPointsAsync"/>.</summary>
public sealed class SeriesStore(NpgsqlDataSource dataSource)
{
    /// <summary>Values beyond it in size count as diverged.</summary>
    public const double LargestFinite = 1e300;

    static readonly long[] RollupWidths = [16_384, 128];

    /// <summary>The series of a run in the order in which it began them; empty for an unknown run.</summary>
    public async Task<IReadOnlyList<SeriesInfo>> ListAsync(Guid runId, CancellationToken cancel)
    {
        await using var list = dataSource.Command(Sql.ListSeries, ("id", runId));
        await using var reader = await list.ExecuteReaderAsync(cancel);
        var series = new List<SeriesInfo>();
        while (await reader.ReadAsync(cancel))
            series.Add(new(reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2),
                reader.IsDBNull(3) ? null : reader.GetInt64(3), reader.IsDBNull(4) ? null : Finite(reader.GetDouble(4))));
        return series;
    }

    /// <summary>
    /// Steps <paramref name="from"/> to <paramref name="to"/> (inclusive; null: from the beginning, to the end) in at most
    /// <paramref name="maxPoints"/> buckets: the points themselves when there are no more than that, else buckets of equal
    /// numbers of steps with exact min, max, mean and counts, made by the database from roll-ups. Null: no such series.
    /// </summary>
    public async Task<SeriesData?> ReadAsync(
        Guid runId, string name, long? from, long? to, int maxPoints, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxPoints, 1);
        await using var connection = await dataSource.OpenConnectionAsync(cancel);
        long series, first, last;
        bool raw;
        await using (var extent = connection.Command(Sql.SeriesExtent, ("id", runId), ("name", name),
            ("from", Math.Max(0, from ?? 0)), ("to", to ?? long.MaxValue), ("max", maxPoints)))
        await using (var reader = await extent.ExecuteReaderAsync(cancel))
        {
            if (!await reader.ReadAsync(cancel))
                return null;
            if (reader.IsDBNull(1))
                return new(name, true, []);
            (series, first, last, raw) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), !reader.GetBoolean(3));
        }
        return new(name, raw, raw
            ? await ReadPointsAsync(connection, series, first, last, cancel)
            : await ReadBucketsAsync(connection, series, first, last, maxPoints, cancel));
    }

    /// <summary>
    /// The first step at which the series is at most <paramref name="value"/>; null when it never is, or does not exist.
    /// </summary>
    public async Task<long?> FirstStepAtMostAsync(Guid runId, string name, double value, CancellationToken cancel)
    {
        await using var first = dataSource.Command(Sql.FirstStepAtMost, ("id", runId), ("name", name), ("value", value));
        return await first.ExecuteScalarAsync(cancel) as long?;
    }

    static async Task<List<SeriesBucket>> ReadPointsAsync(
        NpgsqlConnection connection, long series, long first, long last, CancellationToken cancel)
    {
        await using var read = connection.Command(Sql.ReadPoints, ("series", series), ("from", first), ("to", last));
        await using var reader = await read.ExecuteReaderAsync(cancel);
        var points = new List<SeriesBucket>();
        while (await reader.ReadAsync(cancel))
        {
            var (step, finite) = (reader.GetInt64(0), Finite(reader.GetDouble(1)));
            points.Add(new(step, step, finite, finite, finite, 1, finite is null ? 1 : 0));
        }
        return points;
    }

    static async Task<List<SeriesBucket>> ReadBucketsAsync(
        NpgsqlConnection connection, long series, long first, long last, int maxPoints, CancellationToken cancel)
    {
        // A bucket is a whole number of units; the widest unit that still makes half as many as asked for reads the fewest rows.
        var unit = RollupWidths.FirstOrDefault(width => (last - first) / width >= (maxPoints + 1) / 2, 1);
        var units = last / unit - first / unit + 1;
        await using var read = connection.Command(Sql.ReadBuckets, ("series", series), ("from", first), ("to", last),
            ("unit", unit), ("first_unit", (first + unit - 1) / unit), ("last_unit", (last + 1) / unit - 1),
            ("group", (units + maxPoints - 1) / maxPoints));
        await using var reader = await read.ExecuteReaderAsync(cancel);
        var buckets = new List<SeriesBucket>();
        while (await reader.ReadAsync(cancel))
            buckets.Add(new(reader.GetInt64(0), reader.GetInt64(1), Number(reader, 2), Number(reader, 3), Number(reader, 4),
                reader.GetInt64(5), reader.GetInt64(6)));
        return buckets;
    }

    static double? Finite(double value) => Math.Abs(value) <= LargestFinite ? value : null;

    static double? Number(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetDouble(column);
}

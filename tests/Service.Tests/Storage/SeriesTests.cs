using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class SeriesTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task A_value_is_reached_at_the_first_step_that_is_at_most_it()
    {
        var run = await storage.LeaseAsync();
        await run.AppendPointsAsync(Points("loss", 1, double.NaN, 3, 2, 4, 2, 1), default);
        Task<long?> FirstAsync(double value) => storage.Series.FirstStepAtMostAsync(run.Lease.RunId, "loss", value, default);
        Assert.Equal((2L, 3L, 6L, (long?)null),
            (await FirstAsync(3.5), await FirstAsync(2), await FirstAsync(1.5), await FirstAsync(0.5)));
    }

    [Fact]
    public async Task Few_points_come_back_as_they_are_and_many_in_as_many_buckets_as_asked_for()
    {
        var run = await storage.LeaseAsync();
        var random = new Random(1);
        var points = Enumerable.Range(0, 40_000).Where(i => i % 7 != 3)
            .Select(i => new RunEvent.Point("loss", i, random.NextDouble() * 1e3)).ToList();
        foreach (var batch in points.Chunk(6_007))
            await run.AppendPointsAsync(batch, default);

        (long?, long?)[] ranges =
            [(null, null), (0, 127), (1, 39_999), (100, 20_000), (16_383, 16_385), (5_000, 38_000), (39_990, null)];
        foreach (var maxPoints in new[] { 1, 2, 3, 10, 100, 1_000, 7_777, 100_000 })
            foreach (var (from, to) in ranges)
                await CheckAsync(run, points, from, to, maxPoints);
    }

    [Fact]
    public async Task Appends_of_any_size_and_cuts_anywhere_keep_the_rollups_right()
    {
        var random = new Random(2);
        for (var sequence = 0; sequence < 20; sequence++)
        {
            var run = await storage.LeaseAsync();
            var (points, step) = (new List<RunEvent.Point>(), (long)random.Next(3));
            for (var i = 0; i < 12; i++)
            {
                if (random.Next(4) == 0)
                {
                    var at = random.Next((int)step + 1);
                    await run.SaveResumePointAsync(at, [1], default);
                    Assert.Equal(at, (await run.BeginAttemptAsync([], default))!.Step);
                    points.RemoveAll(p => p.Step > at);
                    step = at + 1;
                    // A resume point further back than the previous one does not happen, but must not hurt the next cut.
                }
                else
                {
                    var batch = new List<RunEvent.Point>();
                    for (var n = random.Next(1, 400); n > 0; n--)
                        batch.Add(new("loss", step += random.Next(1, 4), Value(random)));
                    await run.AppendPointsAsync(batch, default);
                    points.AddRange(batch);
                }
            }
            await CheckRollupsAsync(run, points);
            await CheckAsync(run, points, null, null, 4);
            await CheckAsync(run, points, random.Next((int)step + 1), null, 7);
        }
    }

    [Fact]
    public async Task Resuming_deletes_the_points_after_the_resume_point_of_all_series()
    {
        var run = await storage.LeaseAsync();
        List<RunEvent.Point> loss = [], validation = [];
        for (var step = 1; step <= 500; step++)
        {
            loss.Add(new("loss", step, step));
            if (step % 25 == 0)
                validation.Add(new("validation/final", step, step));
        }
        await run.AppendPointsAsync([.. loss, .. validation], default);
        await run.SaveResumePointAsync(200, [1, 2, 3], default);

        var resume = await run.BeginAttemptAsync([], default);
        Assert.Equal((200, 3), (resume!.Step, resume.Bytes.Length));
        loss.RemoveAll(p => p.Step > 200);
        await CheckRollupsAsync(run, loss);
        var series = await storage.Series.ListAsync(run.Lease.RunId, default);
        Assert.Equal([new("loss", 200, 0, 200, 200), new("validation/final", 8, 0, 200, 200)], series);
        Assert.Equal(200, Assert.Single((await storage.RowAsync(run.Lease.RunId)).Attempts).ResumedFromStep);
    }

    [Fact]
    public async Task A_first_attempt_without_a_resume_point_begins_with_nothing()
    {
        var run = await storage.LeaseAsync();
        await run.AppendPointsAsync(Points("loss", 0, 1, 2, 3), default);
        Assert.Null(await run.BeginAttemptAsync([], default));
        Assert.Equal(new("loss", 0, 0, null, null), Assert.Single(await storage.Series.ListAsync(run.Lease.RunId, default)));
        Assert.Empty((await storage.Series.ReadAsync(run.Lease.RunId, "loss", null, null, 10, default))!.Buckets);
    }

    [Fact]
    public async Task A_batch_that_comes_again_after_a_lost_answer_is_stored_once()
    {
        var run = await storage.LeaseAsync();
        await run.AppendPointsAsync(Points("loss", 1, 5, 4, 3), default);
        await run.AppendPointsAsync(Points("loss", 4, 2, 1), default);
        await run.AppendPointsAsync(Points("loss", 4, 2, 1, 0), default);
        await CheckRollupsAsync(run, Points("loss", 1, 5, 4, 3, 2, 1, 0));
    }

    [Fact]
    public async Task Divergence_is_stored_as_it_is_and_reported()
    {
        var run = await storage.LeaseAsync();
        double[] values = [1, double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e308, 1e308, 3];
        await run.AppendPointsAsync(Points("loss", 1, values), default);
        var id = run.Lease.RunId;
        Assert.Equal([new("loss", 7, 5, 7, 3)], await storage.Series.ListAsync(id, default));

        await run.AppendPointsAsync(Points("other", 1, 1, double.NaN), default);
        Assert.Equal(new("other", 2, 1, 2, null), (await storage.Series.ListAsync(id, default))[1]);

        var raw = (await storage.Series.ReadAsync(id, "loss", null, null, 10, default))!;
        Assert.True(raw.Raw);
        Assert.Equal([1.0, null, null, null, null, null, 3.0], raw.Buckets.Select(b => b.Mean));
        Assert.Equal([0L, 1, 1, 1, 1, 1, 0], raw.Buckets.Select(b => b.Diverged));
        var one = (await storage.Series.ReadAsync(id, "loss", null, null, 1, default))!;
        Assert.Equal([new(1, 7, 1, 3, 2, 7, 5)], one.Buckets);
        Assert.True(double.IsNaN(await storage.ScalarAsync<double>(
            $"select value from series_points p join series s on s.id = p.series_id where s.run_id = '{id}' and step = 2")));
    }

    [Fact]
    public async Task An_unknown_series_is_null_and_a_deleted_run_takes_its_points_along()
    {
        var run = await storage.LeaseAsync();
        Assert.Null(await storage.Series.ReadAsync(run.Lease.RunId, "nope", null, null, 10, default));
        await run.AppendPointsAsync(Points("loss", 1, 1), default);
        var before = await storage.ScalarAsync<long>("select count(*) from series_points");
        await storage.ExecuteAsync($"delete from runs where id = '{run.Lease.RunId}'");
        Assert.Equal(before - 1, await storage.ScalarAsync<long>("select count(*) from series_points"));
        await Assert.ThrowsAsync<LeaseLostException>(() => run.AppendPointsAsync(Points("loss", 2, 1), default));
    }

    static double Value(Random random) => random.Next(20) switch
    {
        0 => double.NaN,
        1 => double.PositiveInfinity,
        _ => random.NextDouble() - 0.5,
    };

    /// <summary>What the service returns for a range against what the points say.</summary>
    async Task CheckAsync(LeasedRun run, IReadOnlyList<RunEvent.Point> points, long? from, long? to, int maxPoints)
    {
        var data = (await storage.Series.ReadAsync(run.Lease.RunId, points[0].Series, from, to, maxPoints, default))!;
        var inside = points.Where(p => p.Step >= (from ?? 0) && p.Step <= (to ?? long.MaxValue)).ToList();
        Assert.Equal(inside.Count <= maxPoints, data.Raw);
        Assert.InRange(data.Buckets.Count, Math.Min(1, inside.Count), maxPoints);
        Assert.Equal(inside.Count, data.Buckets.Sum(b => b.Count));
        var at = 0;
        foreach (var bucket in data.Buckets)
        {
            var mine = inside.Skip(at).Take((int)bucket.Count).ToList();
            at += mine.Count;
            Assert.True(mine[0].Step >= bucket.Step && mine[^1].Step <= bucket.LastStep,
                $"{bucket} holds {mine[0].Step} to {mine[^1].Step}");
            CheckBucket(bucket.Min, bucket.Max, bucket.Mean, bucket.Diverged, mine);
        }
        if (!data.Raw)
            Assert.InRange(data.Buckets.Count, Math.Min(maxPoints, inside.Count) / 8, maxPoints);
    }

    async Task CheckRollupsAsync(LeasedRun run, IReadOnlyList<RunEvent.Point> points)
    {
        var groups = new[] { 128L, 16_384 }
            .SelectMany(width => points.GroupBy(p => (Width: width, Bucket: p.Step / width)))
            .ToDictionary(g => g.Key, g => g.ToList());
        await using var read = storage.Source.CreateCommand($"""
            select u.width, u.bucket, u.min, u.max, u.mean, u.finite, u.diverged
            from series_rollups u join series s on s.id = u.series_id
            where s.run_id = '{run.Lease.RunId}' and s.name = '{points[0].Series}'
            """);
        await using var reader = await read.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var key = (reader.GetInt32(0), reader.GetInt64(1));
            Assert.True(groups.Remove(key, out var mine), $"roll-up {key} of no points");
            double? Number(int column) => reader.IsDBNull(column) ? null : reader.GetDouble(column);
            Assert.Equal(mine.Count, reader.GetInt64(5) + reader.GetInt64(6));
            CheckBucket(Number(2), Number(3), Number(4), reader.GetInt64(6), mine);
        }
        Assert.Empty(groups);
    }

    static void CheckBucket(double? min, double? max, double? mean, long diverged, IReadOnlyList<RunEvent.Point> points)
    {
        var finite = points.Select(p => p.Value).Where(v => Math.Abs(v) <= SeriesStore.LargestFinite).ToList();
        Assert.Equal(points.Count - finite.Count, diverged);
        if (finite.Count == 0)
            Assert.Equal((null, null, null), (min, max, mean));
        else
        {
            Assert.Equal((finite.Min(), finite.Max()), (min, max));
            Assert.Equal(finite.Average(), mean!.Value, 1e-9 * Math.Max(1, finite.Max(Math.Abs)));
        }
    }
}

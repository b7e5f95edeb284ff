using System.Diagnostics;
using System.Text.Json.Nodes;
using MetaOpt.Service.Tests.Storage;
using MetaOpt.Workers.Execution;
using MetaOpt.Workers.Supervision;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

public class RecorderTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    [Theory]
    [InlineData(0.79, true)]
    [InlineData(0.81, false)]
    public async Task A_lease_is_in_doubt_from_four_fifths_on_until_a_beat_succeeds(double part, bool certain)
    {
        var run = await storage.LeaseAsync();
        var claimed = Stopwatch.GetTimestamp() - (long)(part * StorageFixture.Ttl.TotalSeconds * Stopwatch.Frequency);
        using var heartbeat = new Heartbeat(storage.Queue, run.Lease, claimed, StorageFixture.Ttl, NullLogger.Instance);
        var holds = heartbeat.HoldsAsync(default);
        Assert.Equal(certain, holds.IsCompletedSuccessfully);
        heartbeat.Wake();
        await holds.WaitAsync(Patience.Limit);
    }

    [Fact]
    public async Task What_is_due_is_stored_although_the_child_has_more_to_say()
    {
        var run = await storage.LeaseAsync();
        using var heartbeat = new Heartbeat(storage.Queue, run.Lease, Stopwatch.GetTimestamp(), StorageFixture.Ttl,
            NullLogger.Instance);
        var buffer = new EventBuffer(1 << 20);
        async Task PointAsync(long step) => await buffer.AddAsync(Messages.Points([new("loss", step, 1.0 / step)]), default);

        await PointAsync(1);
        var recording = new Recorder(run, heartbeat, NullLogger.Instance).RecordAsync(buffer, default);
        // Somebody holds the row until the first point is due, so that the recorder finds both: points due and points to take.
        await using (var holder = await storage.Source.OpenConnectionAsync())
        {
            await using var transaction = await holder.BeginTransactionAsync();
            await using var hold = holder.CreateCommand();
            hold.CommandText = $"select 1 from runs where id = '{run.Lease.RunId}' for update";
            await hold.ExecuteScalarAsync();
            await Task.Delay(100);
            await buffer.AddAsync(Messages.Document(FrameKind.Metadata, new JsonObject { ["a"] = 1 }), default);
            await PointAsync(2);
            await Task.Delay(1500);
        }
        await PointAsync(3);
        buffer.Complete();
        await recording.WaitAsync(Patience.Limit);
        Assert.Equal([1L, 2, 3],
            (await storage.Series.ReadAsync(run.Lease.RunId, "loss", null, null, 10, default))!.Buckets.Select(b => b.Step));
    }
}

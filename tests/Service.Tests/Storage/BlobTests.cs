using System.Security.Cryptography;
using MetaOpt.Runs;
using MetaOpt.Storage;
using Xunit;
using static MetaOpt.Service.Tests.Storage.StorageFixture;

namespace MetaOpt.Service.Tests.Storage;

public class BlobTests(StorageFixture storage) : IClassFixture<StorageFixture>
{
    const int Chunk = LeasedRun.ChunkSize;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Chunk)]
    [InlineData(Chunk + 1)]
    [InlineData(2 * Chunk + 12_345)]
    public async Task A_checkpoint_comes_back_byte_for_byte_and_in_any_range(int size)
    {
        var run = await storage.LeaseAsync();
        var bytes = RandomNumberGenerator.GetBytes(size);
        var id = await run.SaveCheckpointAsync("final", 100, bytes, default);

        var header = (await storage.Checkpoints.FindAsync(id, default))!;
        Assert.Equal(("final", 100, size, Convert.ToHexStringLower(SHA256.HashData(bytes))),
            (header.Name, header.Step, header.Size, header.Sha256));
        AssertSame(bytes, await storage.Checkpoints.ReadAllAsync(id, default));
        (long, long)[] ranges = [(0, 10), (Chunk - 3, 7), (1, size), (Math.Max(0, size - 1), 100), (size, 5), (2 * Chunk, 0)];
        foreach (var (offset, length) in ranges)
            AssertSame([.. bytes.Skip((int)offset).Take((int)length)], await ReadAsync(id, offset, length));
    }

    // Assert.Equal takes seconds for megabytes.
    static void AssertSame(byte[] expected, byte[] actual) =>
        Assert.True(expected.AsSpan().SequenceEqual(actual),
            $"{actual.Length} bytes came back for {expected.Length}, or others.");

    async Task<byte[]> ReadAsync(Guid id, long offset, long length)
    {
        var read = new MemoryStream();
        await foreach (var part in storage.Checkpoints.OpenAsync(id, offset, length, default))
            read.Write(part.Span);
        return read.ToArray();
    }

    [Fact]
    public async Task What_a_run_learned_is_its_last_final_checkpoint()
    {
        var run = await storage.LeaseAsync();
        Assert.Null(await storage.Checkpoints.FindFinalAsync(run.Lease.RunId, default));
        await run.SaveCheckpointAsync("best", 9, [1], default);
        Assert.Null(await storage.Checkpoints.FindFinalAsync(run.Lease.RunId, default));
        var final = await run.SaveCheckpointAsync("final", 8, [2], default);
        await run.SaveCheckpointAsync("final", 7, [3], default);
        await run.SaveCheckpointAsync("later", 10, [4], default);
        Assert.Equal(final, (await storage.Checkpoints.FindFinalAsync(run.Lease.RunId, default))!.Id);
    }

    [Fact]
    public async Task The_same_checkpoint_again_keeps_its_id_and_other_bytes_take_its_place()
    {
        var run = await storage.LeaseAsync();
        var first = await run.SaveCheckpointAsync("final", 100, [1, 2, 3], default);
        Assert.Equal(first, await run.SaveCheckpointAsync("final", 100, [1, 2, 3], default));
        var second = await run.SaveCheckpointAsync("final", 100, [4, 5], default);
        await run.SaveCheckpointAsync("final", 200, [6], default);
        await run.SaveCheckpointAsync("best", 100, [7], default);

        var headers = await storage.Checkpoints.ListAsync(run.Lease.RunId, default);
        Assert.Equal([("best", 100L), ("final", 100), ("final", 200)], headers.Select(h => (h.Name, h.Step)));
        Assert.Equal([4, 5], await storage.Checkpoints.ReadAllAsync(second, default));
        Assert.Null(await storage.Checkpoints.FindAsync(first, default));
        await Assert.ThrowsAsync<KeyNotFoundException>(() => storage.Checkpoints.ReadAllAsync(first, default));
        Assert.Equal(3, await ChunksAsync("checkpoint_chunks", run));
    }

    [Fact]
    public async Task Only_the_newest_resume_point_is_kept_and_none_of_a_run_that_succeeded()
    {
        var run = await storage.LeaseAsync();
        var bytes = RandomNumberGenerator.GetBytes(Chunk + 1);
        await run.SaveResumePointAsync(10, [1], default);
        await run.SaveResumePointAsync(20, bytes, default);
        var resume = await run.BeginAttemptAsync([], default);
        Assert.Equal(20, resume!.Step);
        AssertSame(bytes, resume.Bytes);
        Assert.Equal(2, await ChunksAsync("resume_point_chunks", run));

        await run.SaveCheckpointAsync("final", 20, [1, 2], default);
        await run.FinishAsync(RunState.Succeeded, [], null, default);
        Assert.Equal(0, await ChunksAsync("resume_point_chunks", run));
        Assert.Equal(0, await ChunksAsync("resume_points", run));
        Assert.Equal(1, await ChunksAsync("checkpoint_chunks", run));
    }

    [Fact]
    public async Task A_resume_point_survives_a_hand_back_a_death_and_a_cancellation_for_a_retry()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        var run = storage.Of(await storage.ClaimAsync(pool));
        await run.SaveResumePointAsync(10, [1, 2], default);
        await run.HandBackAsync(default);
        run = storage.Of(await storage.ClaimAsync(pool));
        Assert.Equal([1, 2], (await run.BeginAttemptAsync([], default))!.Bytes);
        await run.ReportDeathAsync("killed", default);
        run = storage.Of(await storage.ClaimAsync(pool));
        Assert.Equal([1, 2], (await run.BeginAttemptAsync([], default))!.Bytes);
        await run.HandBackAsync(default);
        await storage.Queue.RequestCancelAsync(id, default);
        Assert.True(await storage.Queue.RetryAsync(id, default));
        run = storage.Of(await storage.ClaimAsync(pool));
        Assert.Equal([1, 2], (await run.BeginAttemptAsync([], default))!.Bytes);
    }

    [Fact]
    public async Task Half_written_data_of_a_dead_attempt_are_invisible_and_go_with_the_next()
    {
        var pool = Fresh("pool");
        var id = await storage.SubmitAsync(pool);
        var dead = storage.Of(await storage.ClaimAsync(pool));
        await HalfWriteAsync(dead);
        await storage.ExpireAsync(dead.Lease);
        Assert.Empty(await storage.Checkpoints.ListAsync(id, default));

        var next = storage.Of(await storage.ClaimAsync(pool));
        Assert.Null(await next.BeginAttemptAsync([], default));
        Assert.Equal(0, await ChunksAsync("checkpoint_chunks", next) + await ChunksAsync("resume_point_chunks", next));
        await HalfWriteAsync(next);
        await next.FinishAsync(RunState.Failed, null, new("fault", "disk full"), default);
        Assert.Equal(0, await ChunksAsync("checkpoint_chunks", next) + await ChunksAsync("resume_point_chunks", next));
    }

    Task HalfWriteAsync(LeasedRun run) => storage.ExecuteAsync($"""
        insert into checkpoint_chunks (checkpoint_id, seq, run_id, data)
        values ('{Guid.NewGuid()}', 0, '{run.Lease.RunId}', '\x00');
        insert into resume_point_chunks (resume_point_id, seq, run_id, data)
        values ('{Guid.NewGuid()}', 0, '{run.Lease.RunId}', '\x00')
        """);

    [Fact]
    public async Task Bytes_that_changed_on_disk_are_not_handed_out_as_whole()
    {
        var run = await storage.LeaseAsync();
        var id = await run.SaveCheckpointAsync("final", 1, [1, 2, 3], default);
        await run.SaveResumePointAsync(1, [1, 2, 3], default);
        await storage.ExecuteAsync($"update checkpoint_chunks set data = '\\x0102ff' where run_id = '{run.Lease.RunId}'");
        await storage.ExecuteAsync($"update resume_point_chunks set data = '\\x0102ff' where run_id = '{run.Lease.RunId}'");
        await Assert.ThrowsAsync<InvalidDataException>(() => storage.Checkpoints.ReadAllAsync(id, default));
        await Assert.ThrowsAsync<InvalidDataException>(() => run.BeginAttemptAsync([], default));
    }

    Task<long> ChunksAsync(string table, LeasedRun run) =>
        storage.ScalarAsync<long>($"select count(*) from {table} where run_id = '{run.Lease.RunId}'");
}

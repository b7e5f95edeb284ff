using System.Security.Cryptography;
using Npgsql;

namespace MetaOpt.Storage;

public sealed partial class LeasedRun
{
    /// <summary>Bytes of one chunk row of a checkpoint or resume point.</summary>
    public const int ChunkSize = 4 << 20;

    /// <summary>
    /// Stores where a later attempt can go on from, in place of the previous one. The count of deaths starts again
    /// when it is new: its step is beyond the previous one's, or the same with other bytes.
    /// </summary>
    public async Task SaveResumePointAsync(long step, byte[] bytes, CancellationToken cancel)
    {
        var id = Guid.CreateVersion7();
        var before = await WriteChunksAsync("resume_point_chunks", "resume_point_id", id, bytes, cancel);
        await FencedAsync(Fence.Update, async connection =>
        {
            await WriteChunkAsync(connection, "resume_point_chunks", "resume_point_id", id, bytes, before, cancel);
            await using var header = connection.Command(Sql.SaveResumePoint,
                ("id", id), ("run", lease.RunId), ("step", step), ("size", (long)bytes.Length), ("sha256", Hash(bytes)));
            return await header.ExecuteNonQueryAsync(cancel);
        }, cancel);
    }

    /// <summary>
    /// Stores a result and returns its id. The same name and step with the same bytes is the checkpoint that is there already,
    /// so an attempt that repeats a dead one's work gets the same id; other bytes take its place.
    /// </summary>
    public async Task<Guid> SaveCheckpointAsync(string name, long step, byte[] bytes, CancellationToken cancel)
    {
        var (id, sha256) = (Guid.CreateVersion7(), Hash(bytes));
        if (await FencedAsync(Fence.Share, c => FindCheckpointAsync(c, name, step, sha256, cancel), cancel) is { } there)
            return there;
        var before = await WriteChunksAsync("checkpoint_chunks", "checkpoint_id", id, bytes, cancel);
        await FencedAsync(Fence.Share, async connection =>
        {
            await WriteChunkAsync(connection, "checkpoint_chunks", "checkpoint_id", id, bytes, before, cancel);
            await using var header = connection.Command(Sql.SaveCheckpoint,
                ("id", id), ("run", lease.RunId), ("name", name), ("step", step), ("size", (long)bytes.Length),
                ("sha256", sha256));
            return await header.ExecuteNonQueryAsync(cancel);
        }, cancel);
        return id;
    }

    async Task<Guid?> FindCheckpointAsync(
        NpgsqlConnection connection, string name, long step, string sha256, CancellationToken cancel)
    {
        await using var find = connection.Command(
            "select id from checkpoints where run_id = @run and name = @name and step = @step and sha256 = @sha256",
            ("run", lease.RunId), ("name", name), ("step", step), ("sha256", sha256));
        return await find.ExecuteScalarAsync(cancel) as Guid?;
    }

    /// <summary>Writes all chunks but the last, which goes with the header; returns the last one's number.</summary>
    async Task<int> WriteChunksAsync(string table, string key, Guid id, byte[] bytes, CancellationToken cancel)
    {
        var last = Math.Max(0, (bytes.Length - 1) / ChunkSize);
        for (var seq = 0; seq < last; seq++)
            await FencedAsync(Fence.Share, connection => WriteChunkAsync(connection, table, key, id, bytes, seq, cancel), cancel);
        return last;
    }

    async Task<int> WriteChunkAsync(
        NpgsqlConnection connection, string table, string key, Guid id, byte[] bytes, int seq, CancellationToken cancel)
    {
        var chunk = bytes.AsMemory(seq * ChunkSize, Math.Min(ChunkSize, bytes.Length - seq * ChunkSize));
        await using var write = connection.Command(
            $"insert into {table} ({key}, seq, run_id, data) values (@id, @seq, @run, @data)",
            ("id", id), ("seq", seq), ("run", lease.RunId), ("data", chunk));
        return await write.ExecuteNonQueryAsync(cancel);
    }

    async Task<StoredResumePoint?> ReadResumePointAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var read = connection.Command(
            """
            select p.step, p.size, p.sha256, c.data from resume_points p join resume_point_chunks c on c.resume_point_id = p.id
            where p.run_id = @run order by c.seq
            """, ("run", lease.RunId));
        await using var reader = await read.ExecuteReaderAsync(cancel);
        if (!await reader.ReadAsync(cancel))
            return null;
        var (step, bytes, sha256, at) = (reader.GetInt64(0), new byte[reader.GetInt64(1)], reader.GetString(2), 0);
        do
        {
            var chunk = reader.GetFieldValue<byte[]>(3);
            chunk.CopyTo(bytes, at);
            at += chunk.Length;
        }
        while (await reader.ReadAsync(cancel));
        return Hash(bytes) == sha256
            ? new(step, bytes)
            : throw new InvalidDataException(
                $"The resume point of run {lease.RunId} at step {step} does not have its SHA-256 {sha256}.");
    }

    static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}

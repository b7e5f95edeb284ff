using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>Reads complete checkpoints; they are written by <see cref="LeasedRun.SaveCheckpointAsync"/>.</summary>
public sealed class CheckpointStore(NpgsqlDataSource dataSource, IDbContextFactory<MetaOptDb> databases)
{
    /// <summary>Headers of a run's checkpoints, oldest step first.</summary>
    public async Task<IReadOnlyList<Checkpoint>> ListAsync(Guid runId, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Checkpoints.AsNoTracking().Where(c => c.RunId == runId).OrderBy(c => c.Step).ThenBy(c => c.Name)
            .ToListAsync(cancel);
    }

    /// <summary>The header, null when there is none.</summary>
    public async Task<Checkpoint?> FindAsync(Guid id, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Checkpoints.AsNoTracking().FirstOrDefaultAsync(c => c.Id == id, cancel);
    }

    /// <summary>The learned phi of a run: its checkpoint <c>final</c>. Null while, or because, there is none.</summary>
    public async Task<Checkpoint?> FindFinalAsync(Guid runId, CancellationToken cancel)
    {
        await using var db = await databases.CreateDbContextAsync(cancel);
        return await db.Checkpoints.AsNoTracking().Where(c => c.RunId == runId && c.Name == "final")
            .OrderByDescending(c => c.Step)
            .FirstOrDefaultAsync(cancel);
    }

    /// <summary>
    /// <paramref name="length"/> bytes from <paramref name="offset"/> on (fewer at the end), a chunk at a time: memory stays at
    /// one chunk however large the checkpoint is. Only the chunks of the range are read.
    /// </summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> OpenAsync(
        Guid id, long offset, long length, [EnumeratorCancellation] CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        for (var (at, left) = (offset, length); left > 0;)
        {
            // The header is asked for with every chunk: a checkpoint deleted meanwhile ends here, not in silence.
            await using var read = dataSource.Command(
                """
                select c.data, h.size from checkpoints h
                left join checkpoint_chunks c on c.checkpoint_id = h.id and c.seq = @seq where h.id = @id
                """, ("id", id), ("seq", (int)(at / LeasedRun.ChunkSize)));
            await using var reader = await read.ExecuteReaderAsync(cancel);
            if (!await reader.ReadAsync(cancel))
                throw new KeyNotFoundException($"There is no checkpoint {id}, or it was deleted while it was read.");
            if (at >= reader.GetInt64(1))
                yield break;
            var chunk = reader.GetFieldValue<byte[]>(0);
            var start = (int)(at % LeasedRun.ChunkSize);
            var part = chunk.AsMemory(start, (int)Math.Min(left, chunk.Length - start));
            (at, left) = (at + part.Length, left - part.Length);
            yield return part;
        }
    }

    /// <summary>All bytes, checked against their SHA-256.</summary>
    /// <exception cref="KeyNotFoundException">There is no such checkpoint.</exception>
    public async Task<byte[]> ReadAllAsync(Guid id, CancellationToken cancel)
    {
        var header = await FindAsync(id, cancel) ?? throw new KeyNotFoundException($"There is no checkpoint {id}.");
        var bytes = new byte[header.Size];
        var at = 0;
        await foreach (var part in OpenAsync(id, 0, header.Size, cancel))
        {
            part.CopyTo(bytes.AsMemory(at));
            at += part.Length;
        }
        return Convert.ToHexStringLower(SHA256.HashData(bytes)) == header.Sha256
            ? bytes
            : throw new InvalidDataException($"The bytes of checkpoint {id} do not have its SHA-256 {header.Sha256}.");
    }
}

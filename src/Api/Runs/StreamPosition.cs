using System.Buffers.Text;

namespace MetaOpt.Api.Runs;

/// <summary>
/// How far each series of a run was sent, in the order in which the run began them. As the id of an event it is short, since
/// browsers send it back in a header: series that stand at the same step, as those of a contestant and of the contestants before
/// it, are counted.
/// </summary>
sealed class StreamPosition
{
    /// <summary>Longest id, in characters.</summary>
    public const int LongestId = 96;

    const int MostSeries = 10_000;
    const byte Version = 1;

    readonly List<long> _sent = [];

    /// <summary>Last step that was sent of the series of this number; -1 before the first.</summary>
    public long this[int series]
    {
        get => series < _sent.Count ? _sent[series] : -1;
        set
        {
            while (_sent.Count <= series) _sent.Add(-1);
            _sent[series] = value;
        }
    }

    /// <summary>The position that an id stands for; anything that is not one of ours is the beginning.</summary>
    public static StreamPosition Parse(string id)
    {
        var (position, bytes) = (new StreamPosition(), new byte[LongestId]);
        if (id.Length is 0 or > LongestId || !Base64Url.IsValid(id) || !Base64Url.TryDecodeFromChars(id, bytes, out var length)
            || bytes[0] != Version)
            return position;
        var (at, step) = (1, -1L);
        while (at < length)
        {
            if (!TryRead(bytes.AsSpan(0, length), ref at, out var count)
                || !TryRead(bytes.AsSpan(0, length), ref at, out var change)
                || count > MostSeries - (ulong)position._sent.Count)
                return new StreamPosition();
            step += (long)(change >> 1) ^ -(long)(change & 1);
            position._sent.AddRange(Enumerable.Repeat(Math.Max(step, -1), (int)count));
        }
        return position;
    }

    /// <summary>
    /// The id; null where the series stand so differently that it would be too long: a client then goes on after an earlier one.
    /// </summary>
    public string? ToId()
    {
        var (bytes, before) = (new List<byte> { Version }, -1L);
        for (var i = 0; i < _sent.Count;)
        {
            var count = _sent.Skip(i).TakeWhile(step => step == _sent[i]).Count();
            var change = _sent[i] - before;
            Write(bytes, (ulong)count);
            Write(bytes, (ulong)(change << 1 ^ change >> 63));
            (before, i) = (_sent[i], i + count);
        }
        return Base64Url.GetEncodedLength(bytes.Count) <= LongestId ? Base64Url.EncodeToString(bytes.ToArray()) : null;
    }

    /// <summary>Seven bits a byte, the lowest first; the eighth says that more come.</summary>
    static void Write(List<byte> bytes, ulong value)
    {
        for (; value > 0x7f; value >>= 7) bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
    }

    static bool TryRead(ReadOnlySpan<byte> bytes, ref int at, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 64 && at < bytes.Length; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return true;
        }
        return false;
    }
}

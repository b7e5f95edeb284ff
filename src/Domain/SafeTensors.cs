using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt;

/// <summary>
/// Named float32 tensors and text metadata in the safetensors format: 8 bytes of header length (little-endian), a JSON
/// header, the tensors' bytes one after the other. Written canonically (order given, header padded with spaces to 8 bytes),
/// so that equal content is equal bytes. Reading trusts nothing.
/// </summary>
public sealed class SafeTensors
{
    const int MaxHeader = 1 << 20;

    readonly Dictionary<string, (int[] Shape, float[] Values)> _tensors = [];
    readonly List<string> _order = [];

    /// <summary>Text by key.</summary>
    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Names, in the order they were added.</summary>
    public IReadOnlyList<string> Names => _order;

    /// <summary>Adds a tensor; the product of <paramref name="shape"/> is the number of values.</summary>
    public void Add(string name, float[] values, params int[] shape)
    {
        if (shape.Aggregate(1L, (a, b) => a * b) != values.Length)
            throw new ArgumentException($"Tensor '{name}' has {values.Length} values, which do not fill [{string.Join(", ", shape)}].");
        _tensors.Add(name, (shape, values));
        _order.Add(name);
    }

    /// <summary>The values of a tensor.</summary>
    /// <exception cref="FormatException">There is no such tensor.</exception>
    public float[] this[string name] => _tensors.TryGetValue(name, out var tensor)
        ? tensor.Values
        : throw new FormatException($"Tensor '{name}' is missing; there are: {string.Join(", ", _order)}.");

    /// <summary>True when there is a tensor called <paramref name="name"/>.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        var header = new JsonObject();
        var metadata = new JsonObject();
        foreach (var (key, value) in Metadata) metadata[key] = value;
        header["__metadata__"] = metadata;
        long offset = 0;
        foreach (var name in _order)
        {
            var (shape, values) = _tensors[name];
            header[name] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray([.. shape.Select(d => (JsonNode)d)]),
                ["data_offsets"] = new JsonArray(offset, offset + 4L * values.Length),
            };
            offset += 4L * values.Length;
        }
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var padded = (json.Length + 7) / 8 * 8;
        var bytes = new byte[8 + padded + offset];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)padded);
        json.CopyTo(bytes, 8);
        bytes.AsSpan(8 + json.Length, padded - json.Length).Fill((byte)' ');
        var at = bytes.AsSpan(8 + padded);
        foreach (var name in _order)
        {
            var values = MemoryMarshal.AsBytes<float>(_tensors[name].Values);
            values.CopyTo(at);
            at = at[values.Length..];
        }
        return bytes;
    }

    /// <summary>Reads a file that <see cref="ToBytes"/> or another writer of float32 safetensors made.</summary>
    /// <exception cref="FormatException">It is none; the message says where it went wrong.</exception>
    public static SafeTensors Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 8) throw new FormatException($"A safetensors file has at least 8 bytes, this has {bytes.Length}.");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        if (length > MaxHeader || length > (ulong)(bytes.Length - 8))
            throw new FormatException($"The header claims {length} bytes of {bytes.Length - 8}; at most {MaxHeader} are allowed.");
        var result = new SafeTensors();
        try
        {
            using var header = JsonDocument.Parse(bytes.Slice(8, (int)length).ToArray());
            foreach (var entry in header.RootElement.EnumerateObject())
                if (entry.Name == "__metadata__")
                    foreach (var pair in entry.Value.EnumerateObject()) result.Metadata[pair.Name] = pair.Value.GetString() ?? "";
                else
                    result.AddFrom(entry, bytes[(8 + (int)length)..]);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException or OverflowException)
        {
            throw new FormatException($"The safetensors header is malformed: {error.Message}", error);
        }
        return result;
    }

    void AddFrom(JsonProperty entry, ReadOnlySpan<byte> data)
    {
        var type = entry.Value.GetProperty("dtype").GetString();
        if (type != "F32") throw new FormatException($"Tensor '{entry.Name}' is of type {type}; only F32 is supported.");
        var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32()).ToArray();
        var offsets = entry.Value.GetProperty("data_offsets").EnumerateArray().Select(d => d.GetInt64()).ToArray();
        if (offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > data.Length || (offsets[1] - offsets[0]) % 4 != 0)
            throw new FormatException($"Tensor '{entry.Name}' claims bytes {string.Join("..", offsets)} of {data.Length}.");
        if (shape.Any(d => d < 0)) throw new FormatException($"Tensor '{entry.Name}' has a negative dimension.");
        Add(entry.Name, MemoryMarshal.Cast<byte, float>(data[(int)offsets[0]..(int)offsets[1]]).ToArray(), shape);
    }
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MetaOpt;

/// <summary>
/// Named tensors of float32, float64 or int64 and text metadata in the safetensors format: 8 bytes of header length
/// (little-endian), a JSON header, the tensors' bytes one after the other. Written canonically (order given, header padded with
/// spaces to 8 bytes), so that equal content is equal bytes. Other writers' order of tensors and padding are read as well; a file
/// must have exactly the bytes of its tensors, without holes or overlaps, and is checked before anything of its size is
/// allocated.
/// </summary>
public sealed class SafeTensors
{
    const int MaxHeader = 1 << 20;

    // A key that is given twice must not have one reader see the first value and another the second.
    static readonly JsonDocumentOptions s_json = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    readonly Dictionary<string, (int[] Shape, Array Values)> _tensors = [];
    readonly List<string> _order = [];

    /// <summary>Text by key.</summary>
    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Names, in the order they were added.</summary>
    public IReadOnlyList<string> Names => _order;

    /// <summary>Adds a tensor; the product of <paramref name="shape"/> is the number of values.</summary>
    public void Add(string name, float[] values, params int[] shape) => Put(name, values, shape);

    /// <summary>Adds a vector of float64.</summary>
    public void AddDoubles(string name, double[] values) => Put(name, values, [values.Length]);

    /// <summary>Adds a vector of int64.</summary>
    public void AddIntegers(string name, long[] values) => Put(name, values, [values.Length]);

    void Put(string name, Array values, int[] shape)
    {
        if (Elements(shape.Select(d => (long)d)) != values.Length)
            throw new ArgumentException(
                $"Tensor '{name}' has {values.Length} values, which do not fill [{string.Join(", ", shape)}].");
        _tensors.Add(name, (shape, values));
        _order.Add(name);
    }

    /// <summary>The values of a float32 tensor.</summary>
    /// <exception cref="FormatException">There is no such tensor, or it is of another type.</exception>
    public float[] this[string name] => Values<float>(name);

    /// <summary>The values of a float64 tensor.</summary>
    /// <exception cref="FormatException">There is no such tensor, or it is of another type.</exception>
    public double[] Doubles(string name) => Values<double>(name);

    /// <summary>The values of an int64 tensor.</summary>
    /// <exception cref="FormatException">There is no such tensor, or it is of another type.</exception>
    public long[] Integers(string name) => Values<long>(name);

    T[] Values<T>(string name)
    {
        if (!_tensors.TryGetValue(name, out var tensor))
            throw new FormatException($"Tensor '{name}' is missing; there are: {string.Join(", ", _order)}.");
        return tensor.Values as T[]
            ?? throw new FormatException($"Tensor '{name}' is of type {TypeOf(tensor.Values)}, not {TypeOf(Array.Empty<T>())}.");
    }

    static string TypeOf(Array values) => values switch { float[] => "F32", double[] => "F64", _ => "I64" };

    static int BytesOf(string type) => type == "F32" ? 4 : 8;

    static ReadOnlySpan<byte> BytesOf(Array values) => values switch
    {
        float[] floats => MemoryMarshal.AsBytes<float>(floats),
        double[] doubles => MemoryMarshal.AsBytes<double>(doubles),
        _ => MemoryMarshal.AsBytes<long>((long[])values),
    };

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
                ["dtype"] = TypeOf(values),
                ["shape"] = new JsonArray([.. shape.Select(d => (JsonNode)d)]),
                ["data_offsets"] = new JsonArray(offset, offset + BytesOf(values).Length),
            };
            offset += BytesOf(values).Length;
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
            var values = BytesOf(_tensors[name].Values);
            values.CopyTo(at);
            at = at[values.Length..];
        }
        return bytes;
    }

    /// <summary>Reads a file that <see cref="ToBytes"/> or another writer of these types made.</summary>
    /// <exception cref="FormatException">The bytes are not such a file; the message says where it went wrong.</exception>
    public static SafeTensors Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 8) throw new FormatException($"A safetensors file has at least 8 bytes, this has {bytes.Length}.");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        if (length > MaxHeader || length > (ulong)(bytes.Length - 8))
            throw new FormatException(
                $"The header claims {length} bytes of {bytes.Length - 8}; at most {MaxHeader} are allowed.");
        var data = bytes[(8 + (int)length)..];
        var result = new SafeTensors();
        List<Claim> claims;
        try
        {
            using var header = JsonDocument.Parse(bytes.Slice(8, (int)length).ToArray(), s_json);
            claims = result.ReadHeader(header.RootElement, data.Length);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new FormatException($"The safetensors header is malformed: {error.Message}", error);
        }
        RequireEachByteOnce(claims, data.Length);
        foreach (var claim in claims)
            result.Put(claim.Name, Array(claim.Type, data[claim.From..claim.To]), claim.Shape);
        return result;

        static Array Array(string type, ReadOnlySpan<byte> bytes) => type switch
        {
            "F32" => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            "F64" => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
            _ => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
        };
    }

    /// <summary>
    /// A tensor's entry in the header: its type and shape, and its bytes <paramref name="From"/> .. <paramref name="To"/> of the
    /// data.
    /// </summary>
    readonly record struct Claim(string Name, string Type, int[] Shape, int From, int To);

    /// <summary>
    /// Reads the metadata, and returns what is said of the tensors, each checked by itself, in the header's order.
    /// </summary>
    List<Claim> ReadHeader(JsonElement header, int bytes)
    {
        if (header.ValueKind != JsonValueKind.Object) throw new FormatException("The safetensors header must be a JSON object.");
        var claims = new List<Claim>();
        foreach (var entry in header.EnumerateObject())
            if (entry.Name != "__metadata__") claims.Add(ReadClaim(entry.Name, entry.Value, bytes));
            else if (entry.Value.ValueKind != JsonValueKind.Object)
                throw new FormatException("The header's __metadata__ must be a JSON object.");
            else
                foreach (var pair in entry.Value.EnumerateObject())
                    Metadata[pair.Name] = pair.Value.ValueKind == JsonValueKind.String
                        ? pair.Value.GetString()!
                        : throw new FormatException($"The header's __metadata__ '{pair.Name}' must be a text.");
        return claims;
    }

    static Claim ReadClaim(string name, JsonElement tensor, int bytes)
    {
        if (tensor.ValueKind != JsonValueKind.Object || !tensor.TryGetProperty("dtype", out var type)
            || type.ValueKind != JsonValueKind.String)
            throw new FormatException($"Tensor '{name}' must have a dtype, a shape and data_offsets.");
        if (type.GetString() is not ("F32" or "F64" or "I64"))
            throw new FormatException($"Tensor '{name}' is of type {type.GetString()}; only F32, F64 and I64 are supported.");
        var (shape, offsets) = (Numbers(name, tensor, "shape"), Numbers(name, tensor, "data_offsets"));
        if (offsets is not [var from, var to] || to < from || to > bytes)
            throw new FormatException($"Tensor '{name}' claims bytes {string.Join("..", offsets)} of {bytes}.");
        if (Elements(shape) is not { } elements || BytesOf(type.GetString()!) * elements != to - from)
        {
            throw new FormatException(
                $"Tensor '{name}' claims {to - from} bytes, which are not those of "
                + $"shape [{string.Join(", ", shape)}] in {type.GetString()}.");
        }
        return new(name, type.GetString()!, [.. shape.Select(d => (int)d)], (int)from, (int)to);
    }

    static long[] Numbers(string name, JsonElement tensor, string field)
    {
        if (!tensor.TryGetProperty(field, out var list) || list.ValueKind != JsonValueKind.Array)
            throw new FormatException($"Tensor '{name}' must have a list of numbers as {field}.");
        var numbers = new long[list.GetArrayLength()];
        foreach (var (i, entry) in list.EnumerateArray().Index())
            if (entry.ValueKind != JsonValueKind.Number || !entry.TryGetInt64(out numbers[i]) || numbers[i] < 0)
                throw new FormatException(
                    $"Tensor '{name}' has {entry.GetRawText()} in its {field}; whole numbers from 0 are allowed.");
        return numbers;
    }

    /// <summary>
    /// Number of elements of a shape; null when a dimension, or the product, is not within 0 and the largest int.
    /// </summary>
    static long? Elements(IEnumerable<long> shape)
    {
        long elements = 1;
        foreach (var dimension in shape)
        {
            if (dimension is < 0 or > int.MaxValue) return null;
            elements *= dimension; // both are below 2^31
            if (elements > int.MaxValue) return null;
        }
        return elements;
    }

    static void RequireEachByteOnce(List<Claim> claims, int bytes)
    {
        var at = 0;
        foreach (var claim in claims.OrderBy(c => c.From).ThenBy(c => c.To))
        {
            if (claim.From != at)
                throw new FormatException(claim.From < at
                    ? $"Tensor '{claim.Name}' begins at byte {claim.From}, inside the tensor before it, which ends at {at}."
                    : $"No tensor has the bytes {at}..{claim.From}.");
            at = claim.To;
        }
        if (at != bytes)
            throw new FormatException($"The file goes on after its last tensor: {bytes} bytes of data, and tensors of {at}.");
    }
}

using System.Buffers.Binary;
using System.Text;

namespace MetaOpt.Cli.Data;

/// <summary>
/// A batch of CIFAR-10's Python version: a pickled dictionary with a list <c>labels</c> and a NumPy array <c>data</c>, [images,
/// 3072], whose rows are the planes of the binary version's records. The opcodes are walked for those two values only: nothing of
/// the pickle is built, imported or called. What comes out is checked by its SHA-256 like any other source.
/// </summary>
static class PickledBatch
{
    const int ImageBytes = 3072, MostBytes = 64 << 20;

    /// <summary>The batch in the binary version's form: a label's byte and 3072 bytes of pixels for each image.</summary>
    /// <exception cref="InvalidDataException">It is not such a batch.</exception>
    public static byte[] ToBinary(Stream pickle)
    {
        using var memory = new MemoryStream();
        var buffer = new byte[1 << 16];
        while (pickle.Read(buffer) is > 0 and var read)
        {
            memory.Write(buffer, 0, read);
            if (memory.Length > MostBytes) throw new InvalidDataException($"has more than {MostBytes:N0} bytes");
        }
        var batch = Walk(memory.GetBuffer().AsSpan(0, (int)memory.Length));
        if (batch.Labels.Count == 0 || batch.Data.Length != (long)batch.Labels.Count * ImageBytes)
        {
            throw new InvalidDataException(
                $"has {batch.Labels.Count:N0} labels and {batch.Data.Length:N0} bytes of pixels, not {ImageBytes:N0} for each label");
        }
        var records = new byte[batch.Labels.Count * (1 + ImageBytes)];
        for (var i = 0; i < batch.Labels.Count; i++)
        {
            records[i * (1 + ImageBytes)] = batch.Labels[i];
            batch.Data.Slice(i * ImageBytes, ImageBytes).CopyTo(records.AsSpan(i * (1 + ImageBytes) + 1));
        }
        return records;
    }

    ref struct Batch
    {
        public List<byte> Labels;
        public ReadOnlySpan<byte> Data;
    }

    /// <summary>
    /// Labels are the numbers between the text "labels" and the next text; pixels are the first text after "data" that could be
    /// an image's.
    /// </summary>
    static Batch Walk(ReadOnlySpan<byte> pickle)
    {
        var batch = new Batch { Labels = [] };
        var (key, isData) = ("", false);
        for (var at = 0; at < pickle.Length;)
        {
            var (operation, place) = ((char)pickle[at], at);
            at++;
            switch (operation)
            {
                case '.':
                    return batch;
                case 'K' or 'M' or 'J':
                    var number = Number(pickle, ref at, operation switch { 'K' => 1, 'M' => 2, _ => 4 });
                    if (key == "labels" && number <= byte.MaxValue) batch.Labels.Add((byte)number);
                    break;
                case 'U' or 'C' or 'T' or 'B' or 'X': // texts, with one or four bytes of length
                    var text = Take(pickle, ref at, Number(pickle, ref at, operation is 'U' or 'C' ? 1 : 4));
                    if (text.Length >= ImageBytes && isData && batch.Data.IsEmpty) batch.Data = text;
                    key = text.Length < ImageBytes ? Encoding.Latin1.GetString(text) : "";
                    isData |= key == "data";
                    break;
                case 'c': // the name of a type: module and name, a line each
                    for (var lines = 0; lines < 2; lines++)
                        Take(pickle, ref at, (uint)Math.Max(0, pickle[at..].IndexOf((byte)'\n')) + 1);
                    break;
                case '\x80' or 'q' or 'h': // protocol, memory
                    Take(pickle, ref at, 1);
                    break;
                case 'r' or 'j':
                    Take(pickle, ref at, 4);
                    break;
                case '(' or ')' or ']' or '}' or 't' or '\x85' or '\x86' or '\x87' or 'l' or 'd': // containers
                case 'a' or 'e' or 's' or 'u' or 'R' or 'b' or 'N' or '\x88' or '\x89': // filling them, objects, constants
                    break;
                default:
                    throw new InvalidDataException(
                        $"has opcode {(int)operation} at byte {place}, which a batch of CIFAR-10 does not have");
            }
        }
        throw new InvalidDataException("is cut off");
    }

    static uint Number(ReadOnlySpan<byte> pickle, ref int at, int bytes)
    {
        Span<byte> number = stackalloc byte[4];
        number.Clear();
        Take(pickle, ref at, (uint)bytes).CopyTo(number);
        return BinaryPrimitives.ReadUInt32LittleEndian(number);
    }

    static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> pickle, scoped ref int at, uint count)
    {
        if (count > pickle.Length - at) throw new InvalidDataException("is cut off");
        var taken = pickle.Slice(at, (int)count);
        at += (int)count;
        return taken;
    }
}

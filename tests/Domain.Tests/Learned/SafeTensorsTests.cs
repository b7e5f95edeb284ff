using System.Text;
using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Learned;

public class SafeTensorsTests
{
    static SafeTensors Sample()
    {
        var file = new SafeTensors();
        file.Metadata["b"] = "two \"quoted\" ü";
        file.Metadata["a"] = "one";
        file.Add("weights", [1, -2, float.NaN, 4, 5, 6], 2, 3);
        file.Add("empty", [], 0);
        file.Add("scalar", [7], 1);
        return file;
    }

    [Fact]
    public void What_is_written_is_read()
    {
        var read = SafeTensors.Read(Sample().ToBytes());
        Assert.Equal(["weights", "empty", "scalar"], read.Names);
        Assert.Equal([1, -2, float.NaN, 4, 5, 6], read["weights"]);
        Assert.Equal("two \"quoted\" ü", read.Metadata["b"]);
        Assert.Equal(Sample().ToBytes(), read.ToBytes());
    }

    [Fact]
    public void The_layout_is_that_of_the_format()
    {
        var bytes = Sample().ToBytes();
        var length = BitConverter.ToInt64(bytes);
        Assert.Equal(0, length % 8);
        var header = Encoding.UTF8.GetString(bytes, 8, (int)length);
        Assert.StartsWith("{\"__metadata__\":{\"a\":", header);
        Assert.Contains("\"weights\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}", header);
        Assert.Equal(8 + length + 7 * 4, bytes.Length);
    }

    [Fact]
    public void Damaged_files_are_refused_with_a_FormatException_and_nothing_else()
    {
        var bytes = Sample().ToBytes();
        for (var seed = 0UL; seed < 3000; seed++)
        {
            var random = new RandomStream(seed, Split.Test, Purpose.Instance);
            var damaged = bytes[..(random.Index(0, 4) == 0 ? random.Index(1, bytes.Length) : bytes.Length)];
            for (uint i = 0; i < 3 && damaged.Length > 0; i++)
                damaged[random.Index(10 + i, Math.Min(damaged.Length, 250))] = (byte)random.Bits(20 + i);
            try
            {
                SafeTensors.Read(damaged);
            }
            catch (FormatException)
            {
            }
        }
    }

    [Theory]
    [InlineData("", "at least 8 bytes")]
    [InlineData("\u0008\0\0\0\0\0\0\u007f{}", "header claims")]
    [InlineData("\u0004\0\0\0\0\0\0\0nope", "malformed")]
    public void Nonsense_is_named(string text, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => SafeTensors.Read(Encoding.Latin1.GetBytes(text))).Message);

    [Theory]
    [InlineData("'x':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}", 4, "claims bytes 0..8 of 4")]
    [InlineData("'x':{'dtype':'F32','shape':[65536,65536,65536,65536],'data_offsets':[0,0]}", 0,
        "not those of shape [65536, 65536, 65536, 65536]")]
    [InlineData("'x':{'dtype':'F32','shape':[4294967296],'data_offsets':[0,0]}", 0, "not those of shape [4294967296]")]
    [InlineData("'x':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}", 4, "claims 4 bytes")]
    [InlineData("'x':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}", 4, "-1 in its shape")]
    [InlineData("'x':{'dtype':'F32','shape':[1e99],'data_offsets':[0,4]}", 4, "1e99 in its shape")]
    [InlineData("'x':{'dtype':'F32','shape':1,'data_offsets':[0,4]}", 4, "list of numbers as shape")]
    [InlineData("'x':{'dtype':'F32','shape':[1]}", 4, "list of numbers as data_offsets")]
    [InlineData("'x':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}", 4, "claims bytes 4..0")]
    [InlineData("'x':{'dtype':'F32','shape':[1],'data_offsets':[0,99999999999999999999]}", 4, "in its data_offsets")]
    [InlineData("'x':{'dtype':'F16','shape':[2],'data_offsets':[0,4]}", 4, "only F32")]
    [InlineData("'x':{'shape':[1],'data_offsets':[0,4]}", 4, "must have a dtype")]
    [InlineData("'x':7", 4, "must have a dtype")]
    [InlineData("'x':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}", 8, "No tensor has the bytes 0..4")]
    [InlineData("'x':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'y':{'dtype':'F32','shape':[2],'data_offsets':[4,12]}", 12,
        "inside the tensor before it")]
    [InlineData("'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}", 8, "goes on after its last tensor")]
    [InlineData("'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'x':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}", 8,
        "malformed: Duplicate")]
    [InlineData("'__metadata__':{'a':'1','a':'2'}", 0, "malformed: Duplicate")]
    [InlineData("'__metadata__':{'a':1}", 0, "'a' must be a text")]
    [InlineData("'__metadata__':[]", 0, "must be a JSON object")]
    public void A_wrong_header_is_refused_before_anything_is_allocated(string header, int bytes, string message)
    {
        var file = File("{" + header + "}", bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refused = Assert.Throws<FormatException>(() => SafeTensors.Read(file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Contains(message, refused.Message);
    }

    [Fact]
    public void A_tensor_of_a_shape_that_overflows_cannot_be_added() =>
        Assert.Throws<ArgumentException>(() => new SafeTensors().Add("x", [], 65536, 65536, 65536, 65536));

    /// <summary>
    /// As Python's safetensors writes them: names in another order than the data, spaces behind the header, a scalar's shape is
    /// [].
    /// </summary>
    [Fact]
    public void Other_writers_order_and_padding_are_read()
    {
        var file = File(
            "{'b':{'shape':[2],'data_offsets':[4,12],'dtype':'F32'},'__metadata__':{'format':'pt'},'none':{'dtype':'F32','shape':[3,0],'data_offsets':[4,4]},"
            + "'a':{'dtype':'F32','shape':[],'data_offsets':[0,4]}}   ", 12);
        new float[] { 1, 2, 3 }.AsSpan()
            .CopyTo(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.AsSpan(file.Length - 12)));
        var read = SafeTensors.Read(file);
        Assert.Equal(["b", "none", "a"], read.Names);
        Assert.Equal([2, 3], read["b"]);
        Assert.Empty(read["none"]);
        Assert.Equal([1], read["a"]);
        Assert.Equal("pt", read.Metadata["format"]);
        Assert.Equal(read["b"], SafeTensors.Read(read.ToBytes())["b"]);
    }

    static byte[] File(string header, int bytes) =>
        [.. BitConverter.GetBytes((long)header.Length), .. Encoding.UTF8.GetBytes(header.Replace('\'', '"')), .. new byte[bytes]];
}

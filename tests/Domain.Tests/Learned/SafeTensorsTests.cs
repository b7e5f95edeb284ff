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
            for (uint i = 0; i < 3 && damaged.Length > 0; i++) damaged[random.Index(10 + i, Math.Min(damaged.Length, 250))] = (byte)random.Bits(20 + i);
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

    [Fact]
    public void Offsets_beyond_the_data_are_refused()
    {
        const string header = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
        byte[] bytes = [.. BitConverter.GetBytes((long)header.Length), .. Encoding.UTF8.GetBytes(header), 0, 0, 0, 0];
        Assert.Contains("0..8 of 4", Assert.Throws<FormatException>(() => SafeTensors.Read(bytes)).Message);
    }
}

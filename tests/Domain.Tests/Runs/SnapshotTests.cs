using MetaOpt.Runs;

namespace MetaOpt.Domain.Tests.Runs;

/// <summary>Saved state: one method writes and reads it.</summary>
public class SnapshotTests
{
    sealed class Everything
    {
        public long Long;
        public int Int;
        public bool Bool;
        public double Double;
        public long[] Longs = new long[2];
        public double[] Doubles = new double[3];
        public float[] Floats = new float[2];
        public Everything? Inner;

        public void Keep(Snapshot snapshot)
        {
            snapshot.Keep("long", ref Long);
            snapshot.Keep("int", ref Int, -5, 5);
            snapshot.Keep("bool", ref Bool);
            snapshot.Keep("double", ref Double);
            snapshot.Keep("longs", Longs);
            snapshot.Keep("doubles", Doubles);
            snapshot.Keep("floats", Floats);
            Inner?.Keep(snapshot.Part("inner"));
        }
    }

    static Everything Sample() => new()
    {
        Long = long.MaxValue,
        Int = -5,
        Bool = true,
        Double = BitConverter.Int64BitsToDouble(0x7ff8000000000123),
        Longs = [1, 1L << 60],
        Doubles = [Math.PI, double.NegativeInfinity, -0.0],
        Floats = [float.NaN, 1e-45f],
        Inner = new() { Long = 3 },
    };

    static byte[] Bytes() => Snapshot.Write("set/1", Sample().Keep);

    [Fact]
    public void What_is_written_is_read_with_all_its_bits()
    {
        var read = new Everything { Inner = new() };
        var snapshot = Snapshot.Read(Bytes());
        read.Keep(snapshot);
        var (a, b) = (Sample(), read);
        Assert.Equal((a.Long, a.Int, a.Bool, 3), (b.Long, b.Int, b.Bool, b.Inner.Long));
        Assert.Equal(BitConverter.DoubleToInt64Bits(a.Double), BitConverter.DoubleToInt64Bits(b.Double));
        Assert.Equal(a.Longs, b.Longs);
        Assert.Equal(a.Doubles.Select(BitConverter.DoubleToInt64Bits), b.Doubles.Select(BitConverter.DoubleToInt64Bits));
        Assert.Equal(a.Floats.Select(BitConverter.SingleToInt32Bits), b.Floats.Select(BitConverter.SingleToInt32Bits));
        Assert.Equal("set/1", snapshot.Kernels);
        Assert.Equal(Bytes(), Snapshot.Write("set/1", read.Keep));
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name()
    {
        Assert.Contains("'floats' has 2 values, not 3", Refused(new() { Floats = new float[3] }));
        Assert.Contains("'inner.inner.long' is missing", Refused(new() { Inner = new() { Inner = new() } }));
        Assert.Contains("'long' is 9223372036854775807; 0 to 5 are possible", Assert.Throws<FormatException>(() =>
        {
            var value = 0L;
            Snapshot.Read(Bytes()).Keep("long", ref value, 0, 5);
        }).Message);
        Assert.Contains("'double' is of type F64, not I64", Assert.Throws<FormatException>(() =>
        {
            var value = 0L;
            Snapshot.Read(Bytes()).Keep("double", ref value);
        }).Message);

        static string Refused(Everything other) =>
            Assert.Throws<FormatException>(() => other.Keep(Snapshot.Read(Bytes()))).Message;
    }

    [Fact]
    public void A_file_that_is_not_a_snapshot_of_this_version_is_refused()
    {
        var file = SafeTensors.Read(Bytes());
        file.Metadata["version"] = "2";
        Assert.Contains("version '2'", Assert.Throws<FormatException>(() => Snapshot.Read(file.ToBytes())).Message);
        Assert.Throws<FormatException>(() => Snapshot.Read(new SafeTensors().ToBytes()));
    }
}

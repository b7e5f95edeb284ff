using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Runs;

/// <summary>
/// The state of a computation at a resume point: named whole numbers, numbers and tensors in one safetensors file, whose layout
/// is in docs/checkpoint-format.md. What has a state says once what belongs to it, in a method that calls <c>Keep</c> for each
/// field; the snapshot is either being written, and takes the fields' values, or was read, and gives them theirs.
/// </summary>
public sealed class Snapshot
{
    const string Format = "metaopt.snapshot";
    const string Version = "1";

    readonly SafeTensors _file;
    readonly string _prefix;

    Snapshot(SafeTensors file, string prefix, bool wasRead) => (_file, _prefix, WasRead) = (file, prefix, wasRead);

    /// <summary>Fields take the values that are in it.</summary>
    public bool WasRead { get; }

    /// <summary>The kernel set whose arithmetic led here, see <see cref="IKernels{T}.Identity"/>.</summary>
    public string Kernels => _file.Metadata.GetValueOrDefault("kernels")
        ?? throw new FormatException("The snapshot does not say its kernel set.");

    /// <summary>Writes the state that <paramref name="keep"/> says.</summary>
    public static byte[] Write(string kernels, Action<Snapshot> keep)
    {
        var file = new SafeTensors();
        (file.Metadata["format"], file.Metadata["version"], file.Metadata["kernels"]) = (Format, Version, kernels);
        keep(new(file, "", wasRead: false));
        return file.ToBytes();
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="FormatException">The bytes are not a snapshot of this version.</exception>
    public static Snapshot Read(byte[] bytes) => Of(SafeTensors.Read(bytes));

    /// <inheritdoc cref="Read"/>
    internal static Snapshot Of(SafeTensors file)
    {
        var (format, version) = (file.Metadata.GetValueOrDefault("format"), file.Metadata.GetValueOrDefault("version"));
        if ((format, version) != (Format, Version))
            throw new FormatException($"It is a '{format}' of version '{version}', not a '{Format}' of version {Version}.");
        return new(file, "", wasRead: true);
    }

    /// <summary>The fields of a part of the whole: their names begin with <paramref name="name"/> and a dot.</summary>
    public Snapshot Part(string name) => new(_file, $"{_prefix}{name}.", WasRead);

    /// <summary>Keeps a whole number.</summary>
    /// <exception cref="FormatException">The one that was read is not within the bounds.</exception>
    public void Keep(string name, ref long value, long least = 0, long most = long.MaxValue)
    {
        long[] field = [value];
        Keep(name, field, least, most);
        value = field[0];
    }

    /// <inheritdoc cref="Keep(string, ref long, long, long)"/>
    public void Keep(string name, ref int value, int least = 0, int most = int.MaxValue)
    {
        long[] field = [value];
        Keep(name, field, least, most);
        value = (int)field[0];
    }

    /// <summary>Keeps yes or no, as 1 or 0.</summary>
    public void Keep(string name, ref bool value)
    {
        long[] field = [value ? 1 : 0];
        Keep(name, field, 0, 1);
        value = field[0] == 1;
    }

    /// <summary>Keeps a number, all of its bits.</summary>
    public void Keep(string name, ref double value)
    {
        double[] field = [value];
        Keep(name, field);
        value = field[0];
    }

    /// <summary>Keeps so many whole numbers.</summary>
    /// <exception cref="FormatException">What was read are not so many, or not within the bounds.</exception>
    public void Keep(string name, long[] values, long least = 0, long most = long.MaxValue)
    {
        if (!WasRead)
        {
            _file.AddIntegers(_prefix + name, [.. values]);
            return;
        }
        var read = _file.Integers(_prefix + name);
        Require(name, read.Length, values.Length);
        foreach (var value in read)
            if (value < least || value > most)
                throw new FormatException($"'{_prefix}{name}' is {value}; {least} to {most} are possible here.");
        read.CopyTo(values, 0);
    }

    /// <summary>Keeps so many numbers.</summary>
    /// <exception cref="FormatException">What was read are not so many.</exception>
    public void Keep(string name, double[] values)
    {
        if (WasRead) Copy(name, _file.Doubles(_prefix + name), values);
        else _file.AddDoubles(_prefix + name, [.. values]);
    }

    /// <inheritdoc cref="Keep(string, double[])"/>
    public void Keep(string name, float[] values)
    {
        if (WasRead) Copy(name, _file[_prefix + name], values);
        else _file.Add(_prefix + name, [.. values], values.Length);
    }

    /// <summary>Keeps a tensor's values, wherever it lies.</summary>
    /// <exception cref="FormatException">What was read are not so many.</exception>
    public void Keep<T>(string name, Tensor<T> tensor) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var values = WasRead ? new T[tensor.Count] : tensor.ToArray();
        if ((object)values is float[] floats) Keep(name, floats);
        else Keep(name, (double[])(object)values);
        if (WasRead) tensor.CopyFrom(values);
    }

    void Copy<T>(string name, T[] read, T[] values)
    {
        Require(name, read.Length, values.Length);
        read.CopyTo(values, 0);
    }

    void Require(string name, int read, int wanted)
    {
        if (read != wanted) throw new FormatException($"Tensor '{_prefix}{name}' has {read} values, not {wanted}.");
    }
}

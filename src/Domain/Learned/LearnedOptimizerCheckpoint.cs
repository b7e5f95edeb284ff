using System.Text.Json;
using MetaOpt.Training;

namespace MetaOpt.Learned;

/// <summary>A stored learned optimizer: phi and the specification that made it (docs/checkpoint-format.md).</summary>
/// <param name="Name">The rule's name in the catalogue.</param>
/// <param name="Options">The rule's options.</param>
/// <param name="Phi">Its meta-parameters.</param>
public sealed record LearnedOptimizerCheckpoint(string Name, LearnedOptimizerOptions Options, float[] Phi)
{
    const string Format = "metaopt.learned-optimizer";
    const string Version = "1";

    /// <summary>The rule with phi fixed.</summary>
    public FrozenOptimizer Freeze() => new(Options.Create(), Phi);

    /// <summary>
    /// Its phi for <paramref name="optimizer"/>, of the specification that names the checkpoint at <paramref name="pointer"/>.
    /// </summary>
    /// <exception cref="SpecException">That is another rule, or has other tensors.</exception>
    public float[] PhiFor(LearnedOptimizerOptions optimizer, string pointer)
    {
        static string Described(LearnedOptimizerOptions options) => $"{Catalog.LearnedOptimizers.Of(options).Name} with "
            + string.Join(", ", options.Create().MetaParameters.Select(p => $"{p.Name} {p.Shape}"));
        var (own, wanted) = (Described(Options), Described(optimizer));
        return own == wanted ? Phi : throw Unusable(pointer, $"It holds {own}; the specification's optimizer is {wanted}.");
    }

    /// <summary>The file: a function of its arguments alone, so the same training gives the same bytes.</summary>
    public static byte[] Write(TrainingSpec spec, ReadOnlySpan<float> phi)
    {
        var file = new SafeTensors();
        file.Metadata["format"] = Format;
        file.Metadata["version"] = Version;
        file.Metadata["spec"] = SpecReader.Write(spec).ToJsonString();
        foreach (var tensor in spec.Optimizer.Create().MetaParameters)
        {
            file.Add(tensor.Name, phi[..tensor.Shape.Count].ToArray(), tensor.Shape.ToArray());
            phi = phi[tensor.Shape.Count..];
        }
        return file.ToBytes();
    }

    /// <summary>Reads what a specification names at <paramref name="pointer"/>.</summary>
    /// <exception cref="SpecException">The bytes are no checkpoint of this version.</exception>
    public static LearnedOptimizerCheckpoint Read(byte[] bytes, string pointer)
    {
        try
        {
            return Read(bytes);
        }
        catch (FormatException error)
        {
            throw Unusable(pointer, error.Message);
        }
    }

    static SpecException Unusable(string pointer, string why) => new(pointer, $"cannot be used: {why}");

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="FormatException">The bytes are no checkpoint of this version.</exception>
    public static LearnedOptimizerCheckpoint Read(byte[] bytes)
    {
        var file = SafeTensors.Read(bytes);
        if (file.Metadata.GetValueOrDefault("format") != Format || file.Metadata.GetValueOrDefault("version") != Version)
            throw new FormatException($"This is no '{Format}' file of version {Version}.");
        TrainingSpec spec;
        try
        {
            using var json = JsonDocument.Parse(file.Metadata.GetValueOrDefault("spec") ?? "");
            spec = SpecReader.Read<TrainingSpec>(json.RootElement);
        }
        catch (Exception error) when (error is JsonException or SpecException)
        {
            throw new FormatException($"The checkpoint's specification cannot be read: {error.Message}", error);
        }
        var tensors = spec.Optimizer.Create().MetaParameters;
        var phi = new List<float>();
        foreach (var tensor in tensors)
        {
            var values = file[tensor.Name];
            if (values.Length != tensor.Shape.Count)
                throw new FormatException(
                    $"Tensor '{tensor.Name}' has {values.Length} values, the specification asks for {tensor.Shape}.");
            phi.AddRange(values);
        }
        return new(Catalog.LearnedOptimizers.Of(spec.Optimizer).Name, spec.Optimizer, [.. phi]);
    }
}

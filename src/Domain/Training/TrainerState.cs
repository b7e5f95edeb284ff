using System.Text.Json;
using System.Text.Json.Serialization;
using MetaOpt.Compute;
using MetaOpt.Optimizers;

namespace MetaOpt.Training;

/// <summary>Where a meta-training stands, besides phi and the meta-optimizer: with them it is all that the next step depends on.</summary>
sealed class TrainerState
{
    /// <summary>Finished inner runs.</summary>
    public int MetaEpoch { get; set; }

    /// <summary>Finished unrolls of the current inner run.</summary>
    public int Unroll { get; set; }

    /// <summary>Stages of the curriculum that are behind.</summary>
    public int Stage { get; set; }

    /// <summary>Validations of this stage.</summary>
    public int StageValidations { get; set; }

    /// <summary>One of them was an improvement.</summary>
    public bool StageImproved { get; set; }

    /// <summary>The phi that a stage begins with was not scored at that stage's horizon yet: it is the first to beat.</summary>
    public bool StageIsToBeScored { get; set; }

    /// <summary>The last stage is over, or one brought nothing.</summary>
    public bool CurriculumIsOver { get; set; }

    /// <summary>Updates of phi, skipped ones included.</summary>
    public long MetaStep { get; set; }

    /// <summary>Meta-epochs at the last validation.</summary>
    public int ValidatedEpoch { get; set; }

    /// <summary>Validations since the best one.</summary>
    public int SinceImprovement { get; set; }

    /// <summary>The best score.</summary>
    [JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)]
    public double BestScore { get; set; } = double.PositiveInfinity;

    /// <summary>When it was reached.</summary>
    public long BestMetaStep { get; set; }

    /// <summary>Meta-steps whose gradient was not finite, or too large for Adam.</summary>
    public long Skipped { get; set; }

    /// <summary>The current inner run had one that could be used.</summary>
    public bool RunHasGradient { get; set; }

    /// <summary>Inner runs in a row that had none.</summary>
    public int LostRuns { get; set; }

    /// <summary>Times phi was put back to the best one.</summary>
    public long Returns { get; set; }

    /// <summary>phi at the best validation; before the first, the one that training began with.</summary>
    [JsonIgnore]
    public float[] BestPhi { get; set; } = [];

    const string Format = "metaopt.resume-point";

    /// <summary>The resume point; <paramref name="inner"/> is what the inner run carries in mid-horizon, nothing at its end.</summary>
    public byte[] Save(
        IKernels<float> kernels, Tensor<float> phi, IReadOnlyList<(string Name, IOptimizerState State)> optimizers,
        IReadOnlyList<(string Name, Tensor<float> Values)> inner)
    {
        var file = new SafeTensors();
        file.Metadata["format"] = Format;
        file.Metadata["kernels"] = kernels.Identity;
        file.Metadata["state"] = JsonSerializer.Serialize(this);
        Add("phi", phi.ToArray());
        Add("best-phi", BestPhi);
        foreach (var (optimizer, saved) in optimizers)
            foreach (var (name, values) in saved.Save().OrderBy(p => p.Key, StringComparer.Ordinal)) Add($"{optimizer}.{name}", values);
        foreach (var (name, values) in inner) Add(name, values.ToArray());
        return file.ToBytes();

        void Add(string name, float[] values) => file.Add(name, values, values.Length);
    }

    /// <summary>
    /// What <see cref="Save"/> saved; the file still holds what an inner run carries. <c>Kernels</c> is the other kernel set it was
    /// computed with, null when it is the same.
    /// </summary>
    /// <exception cref="FormatException">It lacks a tensor, or one has another size.</exception>
    /// <exception cref="SpecException">It was computed with another kernel set, and the run does not allow that.</exception>
    public static (TrainerState State, SafeTensors File, string? Kernels) Load(
        byte[] bytes, IKernels<float> kernels, bool allowOtherKernels, Tensor<float> phi, IReadOnlyList<(string Name, IOptimizerState State)> optimizers)
    {
        var file = SafeTensors.Read(bytes);
        if (file.Metadata.GetValueOrDefault("format") != Format) throw new FormatException("This is no resume point.");
        var computedWith = file.Metadata["kernels"];
        if (computedWith != kernels.Identity && !allowOtherKernels)
            throw new SpecException("/allowOtherKernels",
                $"The resume point was computed with {computedWith}, this worker has {kernels.Identity}; set allowOtherKernels to go on with other rounding, or use a worker of the first kind.");
        var state = JsonSerializer.Deserialize<TrainerState>(file.Metadata["state"])!;
        // Earlier versions left it out before the first validation.
        state.BestPhi = file[file.Contains("best-phi") ? "best-phi" : "phi"];
        Require("phi", file["phi"], phi.Count);
        Require("best-phi", state.BestPhi, phi.Count);
        phi.CopyFrom(file["phi"]);
        foreach (var (name, optimizer) in optimizers)
        {
            var prefix = name + ".";
            foreach (var (own, values) in optimizer.Save()) Require(prefix + own, file[prefix + own], values.Length);
            optimizer.Load(file.Names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(n => n[prefix.Length..], n => file[n]));
        }
        return (state, file, computedWith == kernels.Identity ? null : computedWith);
    }

    /// <summary>Refuses a saved tensor of another size.</summary>
    /// <exception cref="FormatException">It does not have <paramref name="count"/> values.</exception>
    public static void Require(string name, float[] values, int count)
    {
        if (values.Length != count) throw new FormatException($"Tensor '{name}' has {values.Length} values, not {count}.");
    }
}

using MetaOpt.Compute;

namespace MetaOpt.Training;

/// <summary>
/// A curriculum over horizons (Chen et al., 2020, "Training stronger baselines for learning to optimize", arXiv:2010.09089,
/// section 3.1, and its published code): train at a short horizon, validate at the next longer one, and go on to that once
/// validation there stops improving, from the best phi so far.
/// </summary>
public sealed record CurriculumOptions
{
    /// <summary>
    /// Horizons of the stages before that of <see cref="TrainingOptions.Horizon"/>, increasing, multiples of the unroll. A stage
    /// is validated at the horizon of the stage that follows it, the last one at its own.
    /// </summary>
    [Length(1, 16), Bounds(1, 100_000)]
    public IReadOnlyList<int> Horizons { get; init; } = [20, 40, 60];

    /// <summary>
    /// A stage has at least so many validations; from then on one that is no improvement ends it. A stage that ends without any
    /// improvement ends the training.
    /// </summary>
    [Bounds(1, 1000)]
    public int Validations { get; init; } = 3;

    /// <summary>The errors against the rest of <paramref name="training"/>; pointers are relative to it.</summary>
    internal IEnumerable<SpecError> Check(TrainingOptions training)
    {
        for (var i = 0; i < Horizons.Count; i++)
        {
            var next = i + 1 < Horizons.Count ? Horizons[i + 1] : training.Horizon;
            if (Horizons[i] >= next)
                yield return new($"/curriculum/horizons/{i}",
                    $"must be below the horizon of the next stage, {next}; got {Horizons[i]}.");
            if (Horizons[i] % training.Unroll != 0)
                yield return new($"/curriculum/horizons/{i}",
                    $"must be a multiple of the unroll {training.Unroll}, got {Horizons[i]}.");
        }
        if (training.Validation.Every == 0)
            yield return new("/curriculum",
                "Validation decides when a stage ends; set validation.every, or leave the curriculum out.");
        if (training.Validation.Patience > 0)
            yield return new("/curriculum",
                "A curriculum has a patience of its own, curriculum.validations; leave validation.patience at 0.");
    }
}

/// <summary>Draws of a meta-epoch, from an address of its own: a resumed run draws the same.</summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="MetaEpoch">Finished inner runs before this one.</param>
public readonly record struct MetaEpochDraw(ulong Seed, int MetaEpoch)
{
    /// <summary>
    /// The horizon in whole unrolls: log-uniform between <paramref name="shortest"/> and <paramref name="longest"/> steps,
    /// rounded up; shortest 0: longest.
    /// </summary>
    public int Unrolls(int shortest, int longest, int unroll)
    {
        if (shortest == 0 || shortest >= longest) return longest / unroll;
        var steps = shortest * Math.Pow((double)longest / shortest, Uniform(0));
        return Math.Clamp((int)Math.Ceiling(steps / unroll), 1, longest / unroll);
    }

    /// <summary>Steps before the first unroll: uniform in {0, .., most}.</summary>
    public int Offset(int most) => Math.Min(most, (int)(Uniform(1) * (most + 1.0)));

    /// <summary>True in this share of the meta-epochs.</summary>
    public bool Chosen(double share) => Uniform(2) < share;

    double Uniform(uint draw) => new RandomStream(Seed, Split.Train, Purpose.MetaEpoch, (uint)MetaEpoch, draw).Uniform(0);
}

namespace MetaOpt.Tasks;

/// <summary>Options of all tasks that classify images.</summary>
public abstract record ImageTaskOptions : TaskOptions, IChecked
{
    /// <summary>Labelled images that a worker has registered under this name; pixels are scaled to 0..1.</summary>
    [Length(1, 60)]
    public string Dataset { get; init; } = "mnist";

    /// <summary>
    /// The classes to tell apart; images of others are left out. Empty: all. Train on some and evaluate on others to see what
    /// carries over to unknown classes (LSTM-sub on CIFAR-2 and CIFAR-5 of Andrychowicz et al., 2016, section 3.3).
    /// </summary>
    [Bounds(0, 255), Length(0, 256)]
    public IReadOnlyList<int> Labels { get; init; } = [];

    /// <summary>
    /// Images are made smaller: each pixel is the mean over a square of so many rows and columns. It must divide both.
    /// </summary>
    [Bounds(1, 8)]
    public int Pooling { get; init; } = 1;

    /// <summary>Images in a mini-batch, drawn with replacement.</summary>
    [Bounds(1, 4096)]
    public int Batch { get; init; } = 128;

    /// <inheritdoc/>
    public override string RequiredDataset => Dataset;

    /// <inheritdoc/>
    public virtual IEnumerable<SpecError> Check()
    {
        if (KnownDatasets.Find(Dataset) is not { } known)
        {
            yield return new("/dataset",
                $"\"{Dataset}\" is not a dataset; known: {string.Join(", ", KnownDatasets.All.Select(d => d.Name))}.");
            yield break;
        }
        if (known.Rows % Pooling != 0 || known.Columns % Pooling != 0)
            yield return new("/pooling",
                $"{Pooling} does not divide the {known.Rows} x {known.Columns} pixels of {Dataset}; {Divisors(known)} do.");
        if (Labels.Count == 1)
            yield return new("/labels",
                $"{Labels[0]} alone leaves nothing to tell apart; give two classes or more, or none for all.");
        for (var i = 0; i < Labels.Count; i++)
        {
            if (Labels[i] >= known.Classes)
                yield return new($"/labels/{i}", $"must be between 0 and {known.Classes - 1} for {Dataset}, got {Labels[i]}.");
            if (Labels.Take(i).Contains(Labels[i])) yield return new($"/labels/{i}", $"{Labels[i]} is given twice.");
        }
    }

    static string Divisors(KnownDataset known) =>
        string.Join(", ", Enumerable.Range(1, 8).Where(n => known.Rows % n == 0 && known.Columns % n == 0));

    /// <summary>Sizes of the images, known before they are read.</summary>
    protected KnownDataset Known => KnownDatasets.Find(Dataset)! is var known && Labels.Count > 0
        ? known.Pooled(Pooling) with { Classes = Labels.Count }
        : known.Pooled(Pooling);

    /// <summary>The images of the chosen classes, pooled.</summary>
    protected Dataset Read(Func<string, Dataset> datasets) => datasets(RequiredDataset).Only(Labels).Pooled(Pooling);
}

using System.Collections.ObjectModel;

namespace MetaOpt.Tasks;

/// <summary>A labelled image set in memory, read by the worker and handed to tasks.</summary>
/// <param name="Name">For example <c>mnist</c>.</param>
/// <param name="Rows">Image height in pixels.</param>
/// <param name="Columns">Image width in pixels.</param>
/// <param name="Classes">Number of labels.</param>
/// <param name="Train">Meta-training, validation and tuning batches come from here.</param>
/// <param name="Test">Batches of the final report come from here.</param>
/// <param name="Sha256">Hash over the files it was read from, lower-case hex: part of a run's metadata.</param>
public sealed record Dataset(string Name, int Rows, int Columns, int Classes, LabelledImages Train, LabelledImages Test,
    string Sha256)
{
    /// <summary>1: grey; 3: red, green and blue, which lie side by side for each pixel.</summary>
    public int Channels { get; init; } = 1;

    /// <summary>Bytes of one image: rows x columns x channels.</summary>
    public int ImageElements => Rows * Columns * Channels;

    /// <summary>
    /// Pictures with names, [rows, columns, channels] each, that are in neither part: see <see cref="NeuralArtTask"/>.
    /// </summary>
    public IReadOnlyDictionary<string, byte[]> Styles { get; init; } = ReadOnlyDictionary<string, byte[]>.Empty;

    /// <summary>
    /// How it differs from the published dataset of its name, for people; null: it does not, or none is published.
    /// </summary>
    public string? Difference { get; init; }

    /// <summary>Weights of a network that came with the images, or null.</summary>
    public SafeTensors? Features { get; init; }

    /// <summary>The network that was asked for beside the images, see <see cref="TorchScriptTask"/>, or null.</summary>
    public INetwork? Network { get; init; }

    /// <summary>
    /// The images whose label is one of <paramref name="labels"/>, relabelled 0, 1, .. in that order; an empty list: all as they
    /// are.
    /// </summary>
    /// <exception cref="SpecException">One of the two parts has no such image.</exception>
    public Dataset Only(IReadOnlyList<int> labels) => labels.Count == 0
        ? this
        : this with { Classes = labels.Count, Train = Choose(Train, "training", labels), Test = Choose(Test, "test", labels) };

    LabelledImages Choose(LabelledImages images, string part, IReadOnlyList<int> labels)
    {
        var (places, size) = (labels.ToArray(), ImageElements);
        int[] rows = [.. Enumerable.Range(0, images.Count).Where(row => Array.IndexOf(places, images.Labels[row]) >= 0)];
        if (rows.Length == 0)
            throw new SpecException("/task/labels", $"{Name} has no {part} image labelled {string.Join(", ", labels)}.");
        var pixels = new byte[rows.Length * size];
        for (var i = 0; i < rows.Length; i++) images.Pixels.AsSpan(rows[i] * size, size).CopyTo(pixels.AsSpan(i * size));
        return new(pixels, [.. rows.Select(row => (byte)Array.IndexOf(places, images.Labels[row]))]);
    }

    /// <summary>
    /// Each image averaged, channel by channel, over squares of <paramref name="size"/> x <paramref name="size"/> pixels, rounded
    /// to the nearest byte; what is left over at the right and the bottom is cut off.
    /// </summary>
    public Dataset Pooled(int size) => size == 1
        ? this
        : this with { Rows = Rows / size, Columns = Columns / size, Train = Pool(Train, size), Test = Pool(Test, size) };

    LabelledImages Pool(LabelledImages images, int size)
    {
        var (rows, columns, area) = (Rows / size, Columns / size, size * size);
        var pooled = new byte[images.Count * rows * columns * Channels];
        var place = 0;
        for (var image = 0; image < images.Count; image++)
            for (var row = 0; row < rows; row++)
                for (var column = 0; column < columns; column++)
                    for (var channel = 0; channel < Channels; channel++)
                    {
                        var corner = image * ImageElements + (row * size * Columns + column * size) * Channels + channel;
                        var sum = area / 2;
                        for (var y = 0; y < size; y++)
                            for (var x = 0; x < size; x++)
                                sum += images.Pixels[corner + (y * Columns + x) * Channels];
                        pooled[place++] = (byte)(sum / area);
                    }
        return images with { Pixels = pooled };
    }
}

/// <summary>
/// Images [Count, rows, columns, channels] as bytes 0..255 (scaled to 0..1 when a mini-batch is gathered) and their labels.
/// </summary>
public sealed record LabelledImages(byte[] Pixels, byte[] Labels)
{
    /// <summary>Number of images.</summary>
    public int Count => Labels.Length;
}

using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Tasks;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>Generated datasets.</summary>
static class TinyDataset
{
    /// <summary>A dataset in place of the one called <paramref name="name"/>.</summary>
    public static Dataset Create(string name) => name switch
    {
        "images" => Pictures(64),
        "grammar" => CharacterText.Grammar,
        "mnist/network" => Create(28, 10) with { Network = new LinearNetwork(784, 10) },
        _ => Create(),
    };

    /// <summary>Five train and three test pictures, and the styles "stripes" and "waves", of so many rows and columns.</summary>
    public static Dataset Pictures(int size)
    {
        return new Dataset("images", size, size, 1, Part(0, 5), Part(5, 3), "00")
        {
            Channels = 3,
            Styles = new Dictionary<string, byte[]> { ["waves"] = Picture(8), ["stripes"] = Picture(9) },
        };

        LabelledImages Part(int first, int count) =>
            new([.. Enumerable.Range(first, count).SelectMany(Picture)], new byte[count]);

        // Coloured waves, each picture's in another direction.
        byte[] Picture(int number) =>
        [
            .. Enumerable.Range(0, size * size * 3).Select(i =>
            {
                var (row, column, channel) = (i / 3 / size, i / 3 % size, i % 3);
                return (byte)(127.5
                    + 100 * Math.Sin((row * (number % 4 + 1) + column * (number / 2 - 2)) * 12.0 / size + channel + number));
            }),
        ];
    }

    /// <summary>Square images in which every so manieth pixel is bright.</summary>
    public static Dataset Create(int size = 4, int classes = 3)
    {
        var area = size * size;
        return new Dataset("tiny", size, size, classes, Part(0, 60), Part(1, 30), "00");

        LabelledImages Part(uint part, int count)
        {
            var stream = new RandomStream(1, Split.Train, Purpose.Instance, part);
            var labels = new byte[count];
            var pixels = new byte[count * area];
            for (var i = 0; i < count; i++)
            {
                labels[i] = (byte)(i % classes);
                for (var p = 0; p < area; p++)
                    pixels[i * area + p] =
                        (byte)((stream.Bits((uint)(i * area + p)) & 127) + (p % classes == labels[i] ? 128 : 0));
            }
            return new LabelledImages(pixels, labels);
        }
    }
}

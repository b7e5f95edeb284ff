using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>A generated dataset of 4 x 4 images in three classes.</summary>
static class TinyDataset
{
    public static Dataset Create()
    {
        return new Dataset("tiny", 4, 4, 3, Part(0, 60), Part(1, 30), "00");

        static LabelledImages Part(uint part, int count)
        {
            var stream = new RandomStream(1, Split.Train, Purpose.Instance, part);
            var labels = new byte[count];
            var pixels = new byte[count * 16];
            for (var i = 0; i < count; i++)
            {
                labels[i] = (byte)(i % 3);
                for (var p = 0; p < 16; p++) pixels[i * 16 + p] = (byte)((stream.Bits((uint)(i * 16 + p)) & 127) + (p % 3 == labels[i] ? 128 : 0));
            }
            return new LabelledImages(pixels, labels);
        }
    }
}

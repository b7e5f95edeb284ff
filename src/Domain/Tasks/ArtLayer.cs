using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>One fixed convolution, with ReLU after it, of a network whose activations say what a picture shows and how.</summary>
/// <param name="Kernel">Rows and columns of a filter; stride 1, zeros around the image.</param>
/// <param name="Inputs">Channels that go in.</param>
/// <param name="Outputs">Channels that come out, N.</param>
/// <param name="Filters">[kernel, kernel, inputs, outputs].</param>
/// <param name="Biases">[outputs], or null: none.</param>
/// <param name="Halved">What goes in is first pooled to half its rows and columns.</param>
/// <param name="OnImage">The picture goes in, at the scale that all halvings so far leave; else the layer before.</param>
/// <param name="Style">Its Gram matrix is compared with the style's.</param>
/// <param name="Content">Its activations are compared with the content's.</param>
public sealed record ArtLayer(
    int Kernel, int Inputs, int Outputs, float[] Filters, float[]? Biases, bool Halved, bool OnImage, bool Style, bool Content)
{
    const ulong BankSeed = 2016;

    /// <summary>Of VGG's widest layer; Gram matrices take its square.</summary>
    const int MostOutputs = 512;

    // Of ImageNet's pixels in 0..1, red, green and blue: what the networks trained on it expect to be taken off.
    static readonly double[] s_mean = [0.485, 0.456, 0.406], s_deviation = [0.229, 0.224, 0.225];

    /// <summary>
    /// A fixed bank of random filters on a pyramid of <paramref name="scales"/> scales, from N(0, 2 / (3 kernel^2)) (after
    /// Ustyuzhaninov et al., 2016, arXiv:1606.00021: one layer of random filters of several sizes is enough for textures). The
    /// same for everybody: its seed is part of this program. The style is compared at every scale, the content at the second.
    /// </summary>
    public static ArtLayer[] Bank(int filters, int scales, int kernel)
    {
        var layers = new ArtLayer[scales];
        for (var scale = 0; scale < scales; scale++)
        {
            var weights = new float[kernel * kernel * 3 * filters];
            new RandomStream(BankSeed, Split.Train, Purpose.Instance, (uint)scale)
                .FillNormal(weights.AsSpan(), Math.Sqrt(2.0 / (3 * kernel * kernel)));
            layers[scale] = new(kernel, 3, filters, weights, null, scale > 0, true, true, scale == Math.Min(1, scales - 1));
        }
        return layers;
    }

    /// <summary>
    /// VGG-16 or VGG-19 up to its layer 4_2 (Simonyan and Zisserman, 2015), as torchvision names its tensors:
    /// <c>features.N.weight</c> [outputs, inputs, 3, 3] and <c>features.N.bias</c>. Style from layers 1_1, 2_1, 3_1 and 4_1,
    /// content from 4_2, after Gatys et al., 2016.
    /// </summary>
    /// <exception cref="FormatException">The tensors are not those of such a network.</exception>
    public static ArtLayer[] Vgg(SafeTensors weights)
    {
        var layers = new List<ArtLayer>();
        var (place, block, inBlock, inputs) = (0, 1, 0, 3);
        while (block < 4 || inBlock < 2)
        {
            // A ReLU stands between two convolutions, and a pooling where a block ends.
            var (next, after) = (layers.Count == 0 ? 0 : place + 2, place + 3);
            var halved = !weights.Contains($"features.{next}.weight");
            place = halved ? after : next;
            (block, inBlock) = halved ? (block + 1, 1) : (block, inBlock + 1);
            var (filters, biases) = (weights[$"features.{place}.weight"], weights[$"features.{place}.bias"]);
            if (biases.Length is < 1 or > MostOutputs)
                throw new FormatException(
                    $"Tensor 'features.{place}.bias' has {biases.Length} values; 1 to {MostOutputs} are allowed.");
            if (filters.Length != 9L * inputs * biases.Length)
                throw new FormatException(
                    $"Tensor 'features.{place}.weight' has {filters.Length} values, not {biases.Length} x {inputs} x 3 x 3.");
            var layer = new ArtLayer(3, inputs, biases.Length, Turned(filters, inputs, biases.Length), biases, halved, false,
                inBlock == 1, block == 4 && inBlock == 2);
            layers.Add(layers.Count == 0 ? layer.OnTheta() : layer);
            inputs = biases.Length;
        }
        return [.. layers];
    }

    /// <summary>[outputs, inputs, 3, 3] to [3, 3, inputs, outputs].</summary>
    static float[] Turned(float[] filters, int inputs, int outputs)
    {
        var turned = new float[filters.Length];
        for (var o = 0; o < outputs; o++)
            for (var i = 0; i < inputs; i++)
                for (var k = 0; k < 9; k++) turned[(k * inputs + i) * outputs + o] = filters[(o * inputs + i) * 9 + k];
        return turned;
    }

    /// <summary>
    /// The same function of theta = pixel - 1/2: the normalisation of pixels becomes part of the filters. Around the image is
    /// grey.
    /// </summary>
    ArtLayer OnTheta()
    {
        var (filters, biases) = (new float[Filters.Length], (float[])Biases!.Clone());
        for (var i = 0; i < filters.Length; i++)
        {
            var channel = i / Outputs % 3;
            filters[i] = (float)(Filters[i] / s_deviation[channel]);
            biases[i % Outputs] += (float)(filters[i] * (0.5 - s_mean[channel]));
        }
        return this with { Filters = filters, Biases = biases };
    }
}

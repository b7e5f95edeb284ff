using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Where the inputs of every layer and step lie, so that each layer's panel [inputs from below | own previous output] is one run
/// of rows and no output is stored twice: slot s holds the rows [features of step s | outputs of layer 0 after step s - 1 |
/// of layer 1 after step s - 2 | ..]. Layer l at step t reads slot t + l and writes slot t + l + 1.
/// </summary>
readonly unsafe struct LstmPanels<E>(LstmShape shape, E* slots, int lanes) where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    /// <summary>Rows of a slot.</summary>
    public static int SlotRows(LstmShape shape) => shape.Features + shape.Layers.Sum();

    /// <summary>Slots that <paramref name="steps"/> steps need.</summary>
    public static int Slots(LstmShape shape, int steps) => steps + shape.Layers.Count;

    /// <summary>Elements from a step's panel to the next one's.</summary>
    public int Stride { get; } = SlotRows(shape) * lanes;

    /// <summary>What a layer reads at a step; one past the last layer: what the output reads.</summary>
    public E* Panel(int layer, int step) => slots + (long)(step + layer) * Stride + FirstRow(layer) * lanes;

    /// <summary>A layer's output after step - 1, which it reads at <paramref name="step"/>.</summary>
    public E* Own(int layer, int step) => Panel(layer, step) + shape.InputsFromBelow(layer) * lanes;

    /// <summary>Where a layer's output after <paramref name="step"/> goes: its own next input, and the layer's above.</summary>
    public E* Output(int layer, int step) => Own(layer, step + 1);

    int FirstRow(int layer)
    {
        if (layer == 0) return 0;
        var row = shape.Features;
        for (var l = 0; l < layer - 1; l++) row += shape.Layers[l];
        return row;
    }
}

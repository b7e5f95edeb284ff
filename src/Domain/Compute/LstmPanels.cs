using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Where the inputs of every layer and step lie, so that each layer's panel [inputs from below | own previous output] is one run
/// of rows and no output is stored twice: slot s holds the rows [features of step s | outputs of layer 0 after step s - 1 |
/// of layer 1 after step s - 2 | ..]. Layer l at step t reads slot t + l and writes slot t + l + 1.
/// </summary>
readonly unsafe struct LstmPanels<E> where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    readonly LstmShape _shape;
    readonly E* _slots;
    readonly int _lanes;

    /// <summary>Room for <paramref name="steps"/> steps.</summary>
    public LstmPanels(Arena<E> arena, LstmShape shape, int steps, int lanes)
    {
        (_shape, _lanes) = (shape, lanes);
        _slots = arena.Take(new Shape(steps + shape.Layers.Length, shape.Features + shape.Units, lanes)).Data;
    }

    /// <summary>Elements from a step's panel to the next one's.</summary>
    public int Stride => (_shape.Features + _shape.Units) * _lanes;

    /// <summary>The features of a step.</summary>
    public E* Features(int step) => _slots + (long)step * Stride;

    /// <summary>The weights that a layer reads at a step.</summary>
    public E* Panel(in LstmLayer layer, int step) => Features(step + layer.Index) + layer.FirstRow * _lanes;

    /// <summary>A layer's output after step - 1, which it reads at <paramref name="step"/>.</summary>
    public E* Own(in LstmLayer layer, int step) => Panel(layer, step) + layer.Inputs * _lanes;

    /// <summary>Where a layer's output after <paramref name="step"/> goes: its own next input, and the layer's above.</summary>
    public E* Output(in LstmLayer layer, int step) => Own(layer, step + 1);

    /// <summary>The weights that the network's output reads at a step.</summary>
    public E* Top(int step) => Features(step + _shape.Layers.Length) + _shape.OutputFirstRow * _lanes;
}

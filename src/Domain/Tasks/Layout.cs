namespace MetaOpt.Tasks;

/// <summary>
/// Which coordinates belong together: <paramref name="Batch"/> instances side by side, each the concatenation of the same
/// <paramref name="Tensors"/>. Coordinate i of instance b has number b P + i.
/// </summary>
/// <param name="Batch">B.</param>
/// <param name="Tensors">The tensors of one instance's theta, in order.</param>
public sealed record Layout(int Batch, IReadOnlyList<ParameterTensor> Tensors)
{
    /// <summary>P, the coordinates of one instance.</summary>
    public int PerInstance { get; } = Tensors.Sum(t => t.Shape.Count);

    /// <summary>N = B P.</summary>
    public int Count => checked(Batch * PerInstance);

    /// <summary>Instances of one vector each: for whoever knows of no tensors.</summary>
    public static Layout Flat(int batch, int coordinates) => new(batch, [new("theta", new Compute.Shape(coordinates))]);
}

using MetaOpt.Tasks;

namespace MetaOpt.Workers.Execution;

/// <summary>
/// The parts of a worker besides the library's own kernel sets: nothing, or with <c>-p:Gpu</c> what is in <c>Torch/</c>.
/// </summary>
static partial class Flavour
{
    /// <summary>
    /// Makes a network of the bytes of a TorchScript module's file; null: this worker cannot. Known after
    /// <see cref="AddKernelSets"/>.
    /// </summary>
    public static Func<byte[], INetwork>? ReadNetwork { get; private set; }

    /// <summary>Makes the other kernel sets known. Once, before anything computes.</summary>
    public static void AddKernelSets() => AddTorch();

    static partial void AddTorch();
}

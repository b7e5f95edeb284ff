using System.Runtime.CompilerServices;
using MetaOpt.Domain.Tests.Compute;
using MetaOpt.Domain.Tests.Learned;
using MetaOpt.Domain.Tests.Tasks;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Workers.Torch;

namespace MetaOpt.Service.Tests.Torch;

// The learning library's own suites, in which libtorch is now one of the kernel sets: every primitive and fused kernel at random
// and awkward shapes against the reference in double, tasks' gradients, replayed meta-gradients, checkpoints against NumPy.

static class TorchKernelSet
{
    [ModuleInitializer]
    internal static void Register() => TorchFlavour.Register();
}

public sealed class TorchKernelContractTests : KernelContractTests;

public sealed class TorchConvolutionKernelTests : ConvolutionKernelTests;

public sealed class TorchLstmTests : LstmTests;

public sealed class TorchRnnPropTests : RnnPropTests;

public sealed class TorchLearnedOptimizerContractTests : LearnedOptimizerContractTests;

public sealed class TorchCheckpointGoldenTests : CheckpointGoldenTests;

public sealed class TorchMetaGradientTests : MetaGradientTests;

public sealed class TorchTaskContractTests : TaskContractTests;

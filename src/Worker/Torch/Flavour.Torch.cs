using MetaOpt.Workers.Torch;

namespace MetaOpt.Workers.Execution;

static partial class Flavour
{
    static partial void AddTorch()
    {
        TorchFlavour.Register();
        ReadNetwork = bytes => new TorchNetwork(bytes);
    }
}

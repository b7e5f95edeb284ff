using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>Loss and gradient of the MLP task against PyTorch (goldens/mlp.py).</summary>
public sealed class MlpGoldenTests
{
    [Theory, InlineData(Activation.Sigmoid), InlineData(Activation.Relu), InlineData(Activation.Tanh), InlineData(Activation.Elu)]
    public void Loss_and_gradient_agree_with_PyTorch(Activation activation)
    {
        var golden = GoldenTask.Read("mlp.json", activation.ToString().ToLowerInvariant());
        var hidden = golden.GetProperty("hidden").EnumerateArray().Select(e => e.GetInt32()).ToArray();
        var batch = golden.GetProperty("batch").GetInt32();
        var options = new MlpClassificationTask.Options { Hidden = hidden, Activation = activation, Batch = batch };
        GoldenTask.Agrees(new MlpClassificationTask(options, GoldenTask.DatasetWhoseMiniBatchIs(batch, 3, 4, 1, 3)), golden);
    }
}

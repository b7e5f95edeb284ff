using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>
/// Loss and gradient of the MLP task against PyTorch. The inputs are closed formulas that stand here and in goldens/mlp.py;
/// when one changes, run that script again.
/// </summary>
public sealed class MlpGoldenTests
{
    const int Pixels = 12;
    const int Classes = 3;
    const int Images = 1000;
    const ulong Seed = 4;
    const int Step = 2;

    [Theory, InlineData(Activation.Sigmoid), InlineData(Activation.Relu), InlineData(Activation.Tanh), InlineData(Activation.Elu)]
    public void Loss_and_gradient_agree_with_PyTorch(Activation activation)
    {
        using var stream = typeof(MlpGoldenTests).Assembly.GetManifestResourceStream("mlp.json")!;
        var golden = JsonDocument.Parse(stream).RootElement.GetProperty("cases").GetProperty(activation.ToString().ToLowerInvariant());
        var hidden = golden.GetProperty("hidden").EnumerateArray().Select(e => e.GetInt32()).ToArray();
        var batch = golden.GetProperty("batch").GetInt32();
        var options = new MlpClassificationTask.Options { Hidden = hidden, Activation = activation, Batch = batch };
        var task = new MlpClassificationTask(options, DatasetWhoseMiniBatchIs(batch));

        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        using var instances = task.Allocate(tape.Kernels, 1);
        instances.Draw(Seed, Split.Train, 0);
        var values = Enumerable.Range(0, ((ITask)task).Coordinates).Select(i => (i * 37 % 101 - 50) / 100.0).ToArray();
        var theta = tape.Variable(arena.Copy(values, new Shape(1, values.Length)));
        var loss = instances.Loss(tape, theta, Step);
        var gradient = new Tensor<double>[1];
        tape.Gradient(loss, [theta], gradient);

        Assert.Equal(golden.GetProperty("loss").GetDouble(), loss.Span[0], 1e-12);
        var expected = golden.GetProperty("gradient").EnumerateArray().Select(e => e.GetDouble()).ToArray();
        Assert.Equal(expected.Length, values.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], gradient[0].Span[i], 2e-12);
    }

    /// <summary>Puts the golden's images where the mini-batch's addresses point.</summary>
    static Dataset DatasetWhoseMiniBatchIs(int batch)
    {
        var (pixels, labels) = (new byte[Images * Pixels], new byte[Images]);
        var addresses = new RandomStream(Seed, Split.Train, Purpose.MiniBatch, 0, Step);
        var rows = Enumerable.Range(0, batch).Select(i => addresses.Index((uint)i, Images)).ToArray();
        Assert.Equal(batch, rows.Distinct().Count());
        for (var r = 0; r < batch; r++)
        {
            labels[rows[r]] = (byte)((r * 2 + 1) % Classes);
            for (var c = 0; c < Pixels; c++) pixels[rows[r] * Pixels + c] = (byte)((r * 53 + c * 29 + r * c) % 256);
        }
        return new Dataset("golden", 3, 4, Classes, new LabelledImages(pixels, labels), new LabelledImages([], []), "00");
    }
}

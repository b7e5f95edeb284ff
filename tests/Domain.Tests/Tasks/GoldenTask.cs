using System.Text.Json;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>
/// Compares a task's loss and gradient in double with what PyTorch gave. The inputs are closed formulas that stand here and in
/// goldens/*.py; when one changes, run those scripts again.
/// </summary>
static class GoldenTask
{
    const int Images = 1000;
    const ulong Seed = 4;
    const int Step = 2;

    public static JsonElement Read(string file, string name)
    {
        using var stream = typeof(GoldenTask).Assembly.GetManifestResourceStream(file)!;
        return JsonDocument.Parse(stream).RootElement.GetProperty("cases").GetProperty(name).Clone();
    }

    public static void Agrees(ITask task, JsonElement golden)
    {
        using var tape = new Tape<double>(new ScalarKernels<double>());
        using var arena = new Arena<double>();
        using var instances = task.Allocate(tape.Kernels, 1);
        instances.Draw(Seed, Split.Train, 0);
        var values = Enumerable.Range(0, task.Coordinates).Select(i => (i * 37 % 101 - 50) / 100.0).ToArray();
        var (loss, gradient) = instances.LossAndGradient(tape, arena.Copy(values, new Shape(1, values.Length)), Step);

        Assert.Equal(golden.GetProperty("loss").GetDouble(), loss.Span[0], 1e-12);
        var expected = golden.GetProperty("gradient").EnumerateArray().Select(e => e.GetDouble()).ToArray();
        Assert.Equal(expected.Length, values.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], gradient.Span[i], 2e-12);
    }

    /// <summary>Puts the golden's images where the mini-batch's addresses point.</summary>
    public static Dataset DatasetWhoseMiniBatchIs(int batch, int height, int width, int channels, int classes)
    {
        var elements = height * width * channels;
        var (pixels, labels) = (new byte[Images * elements], new byte[Images]);
        var addresses = new RandomStream(Seed, Split.Train, Purpose.MiniBatch, 0, Step);
        var rows = Enumerable.Range(0, batch).Select(i => addresses.Index((uint)i, Images)).ToArray();
        Assert.Equal(batch, rows.Distinct().Count());
        for (var r = 0; r < batch; r++)
        {
            labels[rows[r]] = (byte)((r * 2 + 1) % classes);
            for (var c = 0; c < elements; c++) pixels[rows[r] * elements + c] = (byte)((r * 53 + c * 29 + r * c) % 256);
        }
        var (train, test) = (new LabelledImages(pixels, labels), new LabelledImages([], []));
        return new("golden", height, width, classes, train, test, "00") { Channels = channels };
    }
}

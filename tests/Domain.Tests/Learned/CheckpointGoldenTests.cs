using System.Globalization;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Learned;

/// <summary>
/// The committed checkpoints, with forget gates and without, and the updates that the NumPy reader of docs/checkpoint-format.md
/// makes of them: |theta|^2 from (1, -2, 0.5), five steps. A change that breaks these files breaks everybody's.
/// </summary>
public class CheckpointGoldenTests
{
    static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Learned", "goldens");

    [Theory, InlineData("lstm"), InlineData("lstm-1997")]
    public void Every_kernel_set_makes_the_updates_that_NumPy_makes(string golden)
    {
        var checkpoint = LearnedOptimizerCheckpoint.Read(File.ReadAllBytes(Path.Combine(Folder, $"{golden}.safetensors")));
        var expected = File.ReadLines(Path.Combine(Folder, $"{golden}.updates.txt"))
            .Select(line => line.Split(' ').Select(x => float.Parse(x, CultureInfo.InvariantCulture)).ToArray()).ToList();
        Assert.Equal(5, expected.Count);
        Assert.Equal("lstm", checkpoint.Name);
        foreach (var name in KernelSets.Every)
        {
            using var kernels = KernelSets.Create(name, 1);
            using var arena = kernels.NewArena();
            using var state = checkpoint.Freeze().StartOn(kernels, Layout.Flat(1, 3));
            var theta = arena.Copy([1, -2, 0.5f], new Shape(1, 3));
            foreach (var row in expected)
            {
                var gradient = theta.ToArray().Select(x => 2 * x).ToArray();
                state.Step(theta, arena.Copy(gradient, new Shape(1, 3)));
                for (var i = 0; i < 3; i++) Assert.Equal(row[i], theta.ToArray()[i], 2e-6f);
            }
        }
    }

    [Fact]
    public void Reading_and_writing_gives_the_same_bytes_back()
    {
        var bytes = File.ReadAllBytes(Path.Combine(Folder, "lstm.safetensors"));
        Assert.Equal(bytes, SafeTensors.Read(bytes).ToBytes());
    }
}

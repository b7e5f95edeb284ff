using System.Text.RegularExpressions;
using MetaOpt.Service.Tests.Cli;
using Xunit;

namespace MetaOpt.Service.Tests.Torch;

/// <summary>Services with a second worker, over libtorch.</summary>
public sealed class TorchUpFixture() : UpFixture("--torch");

public sealed class TorchUpTests(TorchUpFixture up) : IClassFixture<TorchUpFixture>
{
    [Fact]
    public async Task Up_with_torch_runs_two_workers_and_what_only_libtorch_can()
    {
        var processes = Regex.Matches(up.Up, @"^(worker|libtorch) +process (\d+)$", RegexOptions.Multiline)
            .Select(m => m.Groups[2].Value).ToHashSet();
        Assert.True(processes.Count == 2, up.Up);

        await File.WriteAllTextAsync(Path.Combine(up.Home, "run.json"), """
            {"kind":"meta-training","spec":{"kernels":"torch-cpu","task":{"type":"quadratic","dimensions":4},
             "optimizer":{"type":"lstm","layers":[3]},"training":{"horizon":4,"unroll":2,"metaBatch":2,"metaEpochs":2}}}
            """);
        var (code, output) = await up.RunAsync("submit", "--watch", "run.json");
        Assert.True(code == 0, output);
        Assert.Contains("succeeded", output, StringComparison.Ordinal);
    }
}

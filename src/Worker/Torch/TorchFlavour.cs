using System.Diagnostics;
using System.Reflection;
using MetaOpt.Compute;
using TorchSharp;
using static TorchSharp.torch;

namespace MetaOpt.Workers.Torch;

/// <summary>The kernel sets of a worker built with <c>-p:Gpu=cuda</c> or <c>-p:Gpu=cpu</c> besides the library's own.</summary>
static class TorchFlavour
{
    static readonly Lazy<(string Name, string Driver)> s_gpu = new(AskNvidia);

    /// <summary>Makes them known. A GPU is what <c>auto</c> means; libtorch on the CPU has to be asked for.</summary>
    public static void Register()
    {
        if (Environment.GetEnvironmentVariable("CUBLAS_WORKSPACE_CONFIG") is null)
            Environment.SetEnvironmentVariable("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
        // On the CPU libtorch cuts products and sums by its number of threads, which would change bits.
        set_num_threads(1);
        if (cuda.is_available()) KernelSets.Add("torch-cuda", threads => new TorchKernels(CUDA, threads), best: true);
        KernelSets.Add("torch-cpu", threads => new TorchKernels(CPU, threads));
    }

    /// <summary>Of libtorch and of the binding, as the packages name them.</summary>
    public static string LibraryVersion { get; } =
        $"libtorch {__version__}, TorchSharp {typeof(torch).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}";

    public static string DeviceName(Device device) => device.type == DeviceType.CUDA ? s_gpu.Value.Name : "cpu";

    /// <summary>For a run's metadata.</summary>
    public static IReadOnlyDictionary<string, string> Facts(Device device)
    {
        var facts = new Dictionary<string, string> { ["device"] = DeviceName(device), ["libraries"] = LibraryVersion };
        if (device.type == DeviceType.CUDA) facts["driver"] = s_gpu.Value.Driver;
        return facts;
    }

    /// <summary>The first GPU that this process sees.</summary>
    static (string Name, string Driver) AskNvidia()
    {
        var visible = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES")?.Split(',')[0];
        var ask = new ProcessStartInfo("nvidia-smi",
            ["--query-gpu=name,driver_version", "--format=csv,noheader", .. visible is null ? (string[])[] : [$"--id={visible}"]])
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(ask)!;
        var line = process.StandardOutput.ReadLine() ?? "";
        process.WaitForExit();
        return line.Split(", ") is [var name, var driver] ? (name, driver) : ("a GPU that nvidia-smi does not know", "unknown");
    }
}

namespace MetaOpt.Compute;

/// <summary>The kernel sets of this machine, by name.</summary>
public static class KernelSets
{
    /// <summary>Names that <see cref="Create"/> takes besides <c>auto</c>, the best first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["simd", "scalar"];

    /// <summary>All names: those of <see cref="Names"/> and each vector width by itself, however slow it is here.</summary>
    public static IReadOnlyList<string> Every { get; } = [.. Names, "simd-512", "simd-256", "simd-128"];

    /// <summary>
    /// A kernel set. <c>auto</c> is what the environment variable METAOPT_KERNELS names, else the best.
    /// </summary>
    /// <param name="name"><c>auto</c> or one of <see cref="Every"/>.</param>
    /// <param name="threads">Threads that compute, at least 1.</param>
    /// <exception cref="SpecException">There is no such kernel set.</exception>
    public static IKernels<float> Create(string name, int threads)
    {
        var forced = Environment.GetEnvironmentVariable("METAOPT_KERNELS");
        if (name == "auto" && !string.IsNullOrEmpty(forced)) name = forced;
        return name switch
        {
            "auto" or "simd" => new SimdKernels(threads),
            "simd-512" => new SimdKernels(threads, 512),
            "simd-256" => new SimdKernels(threads, 256),
            "simd-128" => new SimdKernels(threads, 128),
            "scalar" => new ScalarKernels<float>(),
            _ => throw new SpecException("/kernels", $"\"{name}\" is not a kernel set; choose auto, {string.Join(" or ", Names)}."),
        };
    }
}

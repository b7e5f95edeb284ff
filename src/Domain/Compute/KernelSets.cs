namespace MetaOpt.Compute;

/// <summary>The kernel sets of this machine, by name.</summary>
public static class KernelSets
{
    static readonly List<(string Name, Func<int, IKernels<float>> Create, bool Best)> s_added = [];

    /// <summary>Names that <see cref="Create"/> takes besides <c>auto</c>, the best first.</summary>
    public static IReadOnlyList<string> Names => [.. Added(best: true), "simd", "scalar", .. Added(best: false)];

    /// <summary>All names: those of <see cref="Names"/> and each vector width by itself, however slow it is here.</summary>
    public static IReadOnlyList<string> Every => [.. Names, "simd-512", "simd-256", "simd-128"];

    /// <summary>Makes a kernel set known that is not this library's. Before anything computes.</summary>
    /// <param name="name">Its <see cref="IKernels{T}.Name"/>.</param>
    /// <param name="create">Makes one for so many threads of the host.</param>
    /// <param name="best">It is what <c>auto</c> means.</param>
    public static void Add(string name, Func<int, IKernels<float>> create, bool best = false) =>
        s_added.Add((name, create, best));

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
        if (name == "auto") name = Names[0];
        foreach (var added in s_added)
            if (added.Name == name) return added.Create(threads);
        return name switch
        {
            "simd" => new SimdKernels(threads),
            "simd-512" => new SimdKernels(threads, 512),
            "simd-256" => new SimdKernels(threads, 256),
            "simd-128" => new SimdKernels(threads, 128),
            "scalar" => new ScalarKernels<float>(),
            _ => throw new SpecException("/kernels",
                $"\"{name}\" is not a kernel set of this worker; choose auto, {string.Join(" or ", Names)}."),
        };
    }

    static IEnumerable<string> Added(bool best) => s_added.Where(a => a.Best == best).Select(a => a.Name);
}

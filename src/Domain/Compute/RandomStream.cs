using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// Which part of an experiment draws. Parts never share a number, so nobody trains or tunes on a test instance.
/// </summary>
public enum Split
{
    /// <summary>Meta-training instances.</summary>
    Train,
    /// <summary>Held-out instances for early stopping.</summary>
    Validate,
    /// <summary>Instances on which baselines' learning rates are tuned.</summary>
    Tune,
    /// <summary>Instances of the final report.</summary>
    Test,
}

/// <summary>Draws of an instance.</summary>
public enum Purpose
{
    /// <summary>The random data that define the optimizee.</summary>
    Instance,
    /// <summary>The initial parameters theta_0.</summary>
    InitialTheta,
    /// <summary>The mini-batch of an inner step.</summary>
    MiniBatch,
    /// <summary>Initial meta-parameters phi.</summary>
    MetaParameters,
    /// <summary>Bootstrap resampling.</summary>
    Bootstrap,
    /// <summary>Perturbations of evolution strategies and training tricks.</summary>
    Perturbation,
    /// <summary>Choices that a whole meta-epoch shares: its horizon, for example.</summary>
    MetaEpoch,
    /// <summary>Noise of evolution strategies on tasks whose instances are perturbed.</summary>
    Noise,
    /// <summary>Draws of an optimizee at an inner step, for example dropout's masks.</summary>
    Dropout,
}

/// <summary>
/// Philox4x32-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3"): key = seed, counter = (element / 4,
/// step, instance, purpose). A number is a function of its address alone, so the draw does not depend on threads, order,
/// batch size or on where a run was resumed.
/// </summary>
public readonly record struct RandomStream(ulong Seed, Split Split, Purpose Purpose, uint Instance = 0, uint Step = 0)
{
    /// <summary>32 random bits.</summary>
    public uint Bits(uint element)
    {
        var (a, b, c, d) = Block(element >> 2);
        return (element & 3) switch { 0 => a, 1 => b, 2 => c, _ => d };
    }

    /// <summary>Uniform in [0, 1), 32 bits of resolution.</summary>
    public double Uniform(uint element) => Bits(element) * (1.0 / 4294967296.0);

    /// <summary>Uniform in {0, .., count - 1} by multiplication (bias below count / 2^32).</summary>
    public int Index(uint element, int count) => (int)(((ulong)Bits(element) * (ulong)count) >> 32);

    /// <summary>
    /// Fills with independent N(mean 0, deviation) draws: element i of the stream is destination[i] (Box-Muller in double).
    /// </summary>
    public void FillNormal<T>(Span<T> destination, double deviation) where T : IBinaryFloatingPointIeee754<T>
    {
        for (var i = 0; i < destination.Length; i += 4)
        {
            var (a, b, c, d) = Block((uint)i >> 2);
            Pair(a, b, deviation, out var n0, out var n1);
            Pair(c, d, deviation, out var n2, out var n3);
            destination[i] = T.CreateTruncating(n0);
            if (i + 1 < destination.Length) destination[i + 1] = T.CreateTruncating(n1);
            if (i + 2 < destination.Length) destination[i + 2] = T.CreateTruncating(n2);
            if (i + 3 < destination.Length) destination[i + 3] = T.CreateTruncating(n3);
        }
    }

    /// <summary>Fills with independent U[low, high) draws.</summary>
    public void FillUniform<T>(Span<T> destination, double low, double high) where T : IBinaryFloatingPointIeee754<T>
    {
        for (var i = 0; i < destination.Length; i++)
            destination[i] = T.CreateTruncating(low + (high - low) * Uniform((uint)i));
    }

    static void Pair(uint a, uint b, double deviation, out double x, out double y)
    {
        var radius = deviation * Math.Sqrt(-2 * Math.Log((a + 1.0) * (1.0 / 4294967296.0)));
        (y, x) = Math.SinCos(b * (2 * Math.PI / 4294967296.0));
        (x, y) = (x * radius, y * radius);
    }

    /// <summary>The four words of block <paramref name="block"/>.</summary>
    public (uint, uint, uint, uint) Block(uint block)
    {
        var (c0, c1, c2, c3) = (block, Step, Instance, (uint)Purpose | (uint)Split << 8);
        var (k0, k1) = ((uint)Seed, (uint)(Seed >> 32));
        for (var round = 0; round < 10; round++)
        {
            var p0 = 0xD2511F53UL * c0;
            var p1 = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return (c0, c1, c2, c3);
    }
}
